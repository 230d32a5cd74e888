"""Passwords of people in people.yaml, the built-in way to sign in. A password gives access to pages; it signs nothing.

After several wrong passwords, an account is locked for some time. A browser in which the person has signed in before
has a separate number of attempts, so that strangers cannot lock people out
(https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies).
"""

import secrets
from datetime import datetime, timedelta
from threading import Lock

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.engine import Connection

from infra.console.database import ACCOUNTS, DEVICES
from tasks.core.databases.database import translate_database_errors
from tasks.core.errors import InputError, Refused
from tasks.core.files import sha256_bytes

MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 12, 256
MAX_FAILED_ATTEMPTS = 5
"""Number of consecutive wrong passwords after which an account is locked."""
FIRST_LOCKOUT = timedelta(minutes=1)
"""Duration of the first lockout. Each further wrong password doubles it."""
MAX_LOCKOUT = timedelta(hours=1)
DEVICE_LIFETIME = timedelta(days=180)
"""Time for which a browser is remembered after the last sign-in with it."""
ACCOUNT_LOCK_COUNT = 64
"""Number of locks that all accounts share. With one lock for each name, made-up names could exhaust the memory."""
REFUSED_PASSWORD_MESSAGE = (
    "no such person, or another password; after five wrong ones in a row an account rests for a while"
)
"""Message for every refused password. It omits the reason, because the reason would reveal who has an account."""


class Accounts:
    def __init__(self, engine: Engine) -> None:
        self._engine, self._hasher = engine, PasswordHasher()
        self._dummy_hash = self._hasher.hash("nobody has this password")
        self._locks = [Lock() for _ in range(ACCOUNT_LOCK_COUNT)]

    def set_password(self, person: str, password: str) -> None:
        """Set a person's password, and remove the lockout and the remembered browsers of the previous one.

        Raises:
            InputError: The password is too short or too long.
        """
        if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
            raise InputError(
                f"expected a password of {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters, got {len(password)}"
            )
        row = {"person": person, "password": self._hasher.hash(password), "failed": 0, "locked_until": None}
        with translate_database_errors("the console's database"), self._engine.begin() as connection:
            _delete_account(connection, person)
            connection.execute(insert(ACCOUNTS).values(row))

    def delete_password(self, person: str) -> bool:
        with translate_database_errors("the console's database"), self._engine.begin() as connection:
            return _delete_account(connection, person)

    def people_with_password(self) -> list[str]:
        with translate_database_errors("the console's database"), self._engine.connect() as connection:
            return sorted(connection.execute(select(ACCOUNTS.c.person)).scalars())

    def verify_password(self, person: str, password: str, now: datetime, device: str = "") -> str:
        """Verify a password.

        Verification takes equally long for known people, unknown people and locked accounts. An attempt is counted
        before the password is compared, so parallel attempts cannot bypass the lockout. Attempts for the same name run
        one after the other, because a correct password must reset the count before the next attempt. A browser that is
        known by its token `device` has a separate count.

        Returns:
            The stored hash, for `Sessions.begin_session`.

        Raises:
            Refused: The password is wrong, or the account is locked.
        """
        with self._locks[hash(person) % ACCOUNT_LOCK_COUNT]:
            known = self.is_known_device(person, device, now)
            stored_hash = self._count_attempt_in_device(person, device) if known else self._count_attempt(person, now)
            if not self._matches(stored_hash or self._dummy_hash, password) or stored_hash is None:
                raise Refused(REFUSED_PASSWORD_MESSAGE)
            with translate_database_errors("the console's database"), self._engine.begin() as connection:
                right = {"failed": 0, "locked_until": None}
                connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.person == person).values(right))
            return stored_hash

    def remember_device(self, person: str, device: str, now: datetime) -> str:
        """Record the browser in which a person has just signed in.

        Returns:
            The browser's token: `device` if that token is known, otherwise a new one.
        """
        token, moment = (
            device if self.is_known_device(person, device, now) else secrets.token_urlsafe(32),
            now.replace(tzinfo=None),
        )
        row = {"token_sha256": _digest(token), "person": person, "failed": 0, "seen": moment}
        with translate_database_errors("the console's database"), self._engine.begin() as connection:
            old = (DEVICES.c.seen < moment - DEVICE_LIFETIME) | (DEVICES.c.token_sha256 == row["token_sha256"])
            connection.execute(delete(DEVICES).where(old))
            connection.execute(insert(DEVICES).values(row))
        return token

    def is_known_device(self, person: str, device: str, now: datetime) -> bool:
        """Return whether the person has signed in with this browser before, and the browser has attempts left."""
        same_device = (DEVICES.c.token_sha256 == _digest(device)) & (DEVICES.c.person == person)
        with translate_database_errors("the console's database"), self._engine.connect() as connection:
            row = connection.execute(select(DEVICES).where(same_device)).one_or_none()
        return (
            row is not None
            and row.failed < MAX_FAILED_ATTEMPTS
            and row.seen >= now.replace(tzinfo=None) - DEVICE_LIFETIME
        )

    def _count_attempt_in_device(self, person: str, device: str) -> str | None:
        with translate_database_errors("the console's database"), self._engine.begin() as connection:
            same_device = DEVICES.c.token_sha256 == _digest(device)
            connection.execute(update(DEVICES).where(same_device).values(failed=DEVICES.c.failed + 1))
            return connection.execute(
                select(ACCOUNTS.c.password).where(ACCOUNTS.c.person == person)
            ).scalar_one_or_none()

    def _count_attempt(self, person: str, now: datetime) -> str | None:
        moment = now.replace(tzinfo=None)
        with translate_database_errors("the console's database"), self._engine.begin() as connection:
            row = connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.person == person)).one_or_none()
            if row is None:
                return None
            if row.locked_until and row.locked_until > moment:
                return None
            failed = row.failed + 1
            locked = (
                moment + min(FIRST_LOCKOUT * 2 ** min(failed - MAX_FAILED_ATTEMPTS, 10), MAX_LOCKOUT)
                if failed >= MAX_FAILED_ATTEMPTS
                else None
            )
            changed = {"failed": failed, "locked_until": locked}
            connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.person == person).values(changed))
        return str(row.password)

    def _matches(self, stored_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored_hash, password[: MAX_PASSWORD_LENGTH + 1])
        except (Argon2Error, InvalidHashError):
            return False


def _delete_account(connection: Connection, person: str) -> bool:
    connection.execute(delete(DEVICES).where(DEVICES.c.person == person))
    return bool(connection.execute(delete(ACCOUNTS).where(ACCOUNTS.c.person == person)).rowcount)


def _digest(token: str) -> str:
    return sha256_bytes(token.encode())
