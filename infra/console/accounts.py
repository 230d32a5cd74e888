"""Passwords of people in people.yaml, for the embedded default. A password opens the pages; it signs nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Lock

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import Engine, delete, insert, select, update

from infra.console.store import ACCOUNTS
from tasks.core.database import reaching
from tasks.core.errors import InputError, Refused

SHORTEST, LONGEST = 12, 256
"""Characters of a password."""
TRIES = 5
"""Wrong passwords in a row before an account is locked."""
LOCK = timedelta(minutes=1)
"""For how long at first; twice as long after each further try."""
MOST = timedelta(hours=1)
WRONG = "no such person, or another password; after five wrong ones in a row an account rests for a while"
"""The same whatever it is, so that nobody learns who has an account."""


class Accounts:
    def __init__(self, engine: Engine) -> None:
        self._engine, self._hasher = engine, PasswordHasher()
        self._nobody = self._hasher.hash("nobody has this password")
        self._turns: dict[str, Lock] = {}
        self._all_turns = Lock()

    def put(self, person: str, password: str) -> None:
        """Give a person a password, in place of any before. Raises InputError for a short one."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise InputError(f"expected a password of {SHORTEST} to {LONGEST} characters, got {len(password)}")
        row = {"person": person, "password": self._hasher.hash(password), "failed": 0, "locked_until": None}
        with reaching("the console's database"), self._engine.begin() as connection:
            connection.execute(delete(ACCOUNTS).where(ACCOUNTS.c.person == person))
            connection.execute(insert(ACCOUNTS).values(row))

    def remove(self, person: str) -> bool:
        """Take a person's password away; False where they had none."""
        with reaching("the console's database"), self._engine.begin() as connection:
            return bool(connection.execute(delete(ACCOUNTS).where(ACCOUNTS.c.person == person)).rowcount)

    def people(self) -> list[str]:
        """Who has a password, sorted."""
        with reaching("the console's database"), self._engine.connect() as connection:
            return sorted(connection.execute(select(ACCOUNTS.c.person)).scalars())

    def require(self, person: str, password: str, now: datetime) -> None:
        """Raises Refused where the password is not theirs, or the account is locked after too many wrong ones.

        The try is counted before the password is looked at, so that many at once are no way around the lock. An account
        has one try at a time: of several right ones at once each is forgotten before the next one counts.
        """
        with self._turn(person):
            kept = self._counted(person, now)
            if not self._fits(kept or self._nobody, password) or kept is None:
                raise Refused(WRONG)
            with reaching("the console's database"), self._engine.begin() as connection:
                right = {"failed": 0, "locked_until": None}
                connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.person == person).values(right))

    @contextmanager
    def _turn(self, person: str) -> Iterator[None]:
        """Nobody waits for who has no account: their names would fill the memory."""
        if person not in self._turns and person not in self.people():
            yield
            return
        with self._all_turns:
            turn = self._turns.setdefault(person, Lock())
        with turn:
            yield

    def _counted(self, person: str, now: datetime) -> str | None:
        """What a password is compared with; None for nobody. Raises Refused for a locked account."""
        moment = now.replace(tzinfo=None)
        with reaching("the console's database"), self._engine.begin() as connection:
            row = connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.person == person)).one_or_none()
            if row is None:
                return None
            if row.locked_until and row.locked_until > moment:
                raise Refused(WRONG)
            failed = row.failed + 1
            locked = moment + min(LOCK * 2 ** min(failed - TRIES, 10), MOST) if failed >= TRIES else None
            changed = {"failed": failed, "locked_until": locked}
            connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.person == person).values(changed))
        return str(row.password)

    def _fits(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password[: LONGEST + 1])
        except (Argon2Error, InvalidHashError):
            return False
