"""Sessions of signed-in people.

The browser holds a random token and the database holds its digest, so a copy of the database gives no access.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, insert, select, update

from infra.console.database import ACCOUNTS, SESSIONS
from tasks.core.databases.database import translate_database_errors
from tasks.core.errors import Refused
from tasks.core.files import sha256_bytes

IDLE_TIMEOUT = timedelta(minutes=30)
MAX_SESSION_DURATION = timedelta(hours=10)
MARK_DIGEST_LENGTH = 32
LAST_USE_ACCURACY = timedelta(minutes=1)
"""Accuracy of the stored time of last use. It is coarse so that not every page writes to the database."""


@dataclass(frozen=True)
class Session:
    person: str
    form_token: str

    def owns_form_token(self, token: str) -> bool:
        return hmac.compare_digest(self.form_token.encode(), token.encode())


@dataclass(frozen=True)
class OpenSession:
    person: str
    began: datetime
    seen: datetime
    """Time of the last use, accurate to a minute."""


class Sessions:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin_session(self, person: str, now: datetime, password_hash: str | None = None, mark: str = "") -> str:
        """Begin a session, and return its token.

        Browsers share cookies among all ports of a host, so a page on another port can plant a session cookie. Form
        tokens therefore begin with the digest of `mark`, a random value that the browser stores for this origin only.
        By this digest, pages recognise their own session (static/console.js).

        `password_hash` is the hash that `Accounts.verify_password` returned; None for a sign-in with a provider.

        Raises:
            Refused: The password was deleted or changed after it was verified.
        """
        token, moment = secrets.token_urlsafe(32), now.replace(tzinfo=None)
        marked = f"{_digest(mark)[:MARK_DIGEST_LENGTH]}." if mark else ""
        row = {
            "token_sha256": _digest(token), "person": person, "form_token": marked + secrets.token_urlsafe(32),
            "began": moment, "seen": moment,
        }  # fmt: skip
        with translate_database_errors("the console's database"), self._engine.begin() as connection:
            password_query = select(ACCOUNTS.c.password).where(ACCOUNTS.c.person == person)
            if password_hash is not None and connection.execute(password_query).scalar_one_or_none() != password_hash:
                raise Refused("the password was taken away or changed meanwhile; sign in again")
            connection.execute(delete(SESSIONS).where(SESSIONS.c.began < moment - MAX_SESSION_DURATION))
            connection.execute(insert(SESSIONS).values(row))
        return token

    def find_session(self, token: str, now: datetime, counts_as_use: bool = True) -> Session | None:
        """Return the session of a token; None if the session does not exist or has ended.

        `counts_as_use` says whether the request counts as use. Requests that an open page sends automatically do not
        count.
        """
        moment = now.replace(tzinfo=None)
        same_token = SESSIONS.c.token_sha256 == _digest(token)
        with translate_database_errors("the console's database"):
            with self._engine.connect().execution_options(takes_turn=False) as connection:
                row = connection.execute(select(SESSIONS).where(same_token)).one_or_none()
            if row is None or moment - row.began > MAX_SESSION_DURATION or moment - row.seen > IDLE_TIMEOUT:
                return None
            if counts_as_use and abs(moment - row.seen) > LAST_USE_ACCURACY:
                with self._engine.begin() as connection:
                    connection.execute(update(SESSIONS).where(same_token).values(seen=moment))
        return Session(row.person, row.form_token)

    def list_open(self, now: datetime) -> list[OpenSession]:
        moment = now.replace(tzinfo=None)
        alive = (SESSIONS.c.began >= moment - MAX_SESSION_DURATION) & (SESSIONS.c.seen >= moment - IDLE_TIMEOUT)
        with translate_database_errors("the console's database"), self._engine.connect() as connection:
            rows = connection.execute(select(SESSIONS).where(alive).order_by(SESSIONS.c.began)).all()
        return [OpenSession(row.person, row.began.replace(tzinfo=UTC), row.seen.replace(tzinfo=UTC)) for row in rows]

    def end_session(self, token: str) -> None:
        with translate_database_errors("the console's database"), self._engine.begin() as connection:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.token_sha256 == _digest(token)))

    def end_sessions_of(self, person: str) -> int:
        with translate_database_errors("the console's database"), self._engine.begin() as connection:
            return int(connection.execute(delete(SESSIONS).where(SESSIONS.c.person == person)).rowcount)


def _digest(token: str) -> str:
    return sha256_bytes(token.encode())
