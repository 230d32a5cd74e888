"""Who is signed in. A browser holds a random token, the database its digest, so that a copy of that opens nothing."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, insert, select, update

from infra.console.store import ACCOUNTS, SESSIONS
from tasks.core.database import reaching
from tasks.core.errors import Refused
from tasks.core.files import sha256_bytes

IDLE = timedelta(minutes=30)
"""After which a session that nobody used is over."""
LONGEST = timedelta(hours=10)
"""After which any is."""
MARKED = 32
"""Length of the digest of a browser's mark in the tokens of forms, in characters."""
STEP = timedelta(minutes=1)
"""How exactly the last use is kept, so that not every page writes."""


@dataclass(frozen=True)
class Session:
    person: str
    form_token: str

    def owns(self, token: str) -> bool:
        """Whether a form was given out to this session."""
        return hmac.compare_digest(self.form_token.encode(), token.encode())


@dataclass(frozen=True)
class Open:
    """A session that is not over."""

    person: str
    began: datetime
    seen: datetime
    """When it was used last, to the minute."""


class Sessions:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, person: str, now: datetime, password: str | None = None, mark: str = "") -> str:
        """Begin a session, and return its token.

        `mark` is what the browser keeps for this origin alone: cookies it shares with every port of the host, so a page
        of another one can plant a session. The tokens of forms begin with its digest, by which pages know their own
        session (static/console.js). Raises Refused where `password`, as the account had it when it was compared, is
        not the account's any more: it was taken away or changed meanwhile.
        """
        token, moment = secrets.token_urlsafe(32), now.replace(tzinfo=None)
        marked = f"{_digest(mark)[:MARKED]}." if mark else ""
        row = {
            "token_sha256": _digest(token), "person": person, "form_token": marked + secrets.token_urlsafe(32),
            "began": moment, "seen": moment,
        }  # fmt: skip
        with reaching("the console's database"), self._engine.begin() as connection:
            theirs = select(ACCOUNTS.c.password).where(ACCOUNTS.c.person == person)
            if password is not None and connection.execute(theirs).scalar_one_or_none() != password:
                raise Refused("the password was taken away or changed meanwhile; sign in again")
            connection.execute(delete(SESSIONS).where(SESSIONS.c.began < moment - LONGEST))
            connection.execute(insert(SESSIONS).values(row))
        return token

    def find(self, token: str, now: datetime, uses: bool = True) -> Session | None:
        """None where there is no such session any more, or time is over. Looking for it counts as use, or not: an open
        page asks by itself."""
        moment = now.replace(tzinfo=None)
        theirs = SESSIONS.c.token_sha256 == _digest(token)
        with reaching("the console's database"):
            with self._engine.connect().execution_options(takes_turn=False) as connection:
                row = connection.execute(select(SESSIONS).where(theirs)).one_or_none()
            if row is None or moment - row.began > LONGEST or moment - row.seen > IDLE:
                return None
            if uses and abs(moment - row.seen) > STEP:
                with self._engine.begin() as connection:
                    connection.execute(update(SESSIONS).where(theirs).values(seen=moment))
        return Session(row.person, row.form_token)

    def open(self, now: datetime) -> list[Open]:
        """Every session that is not over, the oldest first."""
        moment = now.replace(tzinfo=None)
        alive = (SESSIONS.c.began >= moment - LONGEST) & (SESSIONS.c.seen >= moment - IDLE)
        with reaching("the console's database"), self._engine.connect() as connection:
            rows = connection.execute(select(SESSIONS).where(alive).order_by(SESSIONS.c.began)).all()
        return [Open(row.person, row.began.replace(tzinfo=UTC), row.seen.replace(tzinfo=UTC)) for row in rows]

    def end(self, token: str) -> None:
        with reaching("the console's database"), self._engine.begin() as connection:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.token_sha256 == _digest(token)))

    def end_all(self, person: str) -> int:
        """End every session of a person; returns how many there were."""
        with reaching("the console's database"), self._engine.begin() as connection:
            return int(connection.execute(delete(SESSIONS).where(SESSIONS.c.person == person)).rowcount)


def _digest(token: str) -> str:
    return sha256_bytes(token.encode())
