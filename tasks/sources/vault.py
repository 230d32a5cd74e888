"""Vault: a database with the encrypted values that tokens stand for.

The database is SQLite (`.hallmark/vault/vault.db`) or Postgres (HALLMARK_VAULT_URL). The database without the key
reveals no value. The key without the database can only compute tokens of values that are already known. `ingest` adds
values (`vault_writer.py`), and only `reveal` reads them, after the access was entered in the ledger
(tasks/inquiry/access_entries.py).
"""

import os
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, Engine, LargeBinary, MetaData, Table, Text, insert, inspect, select
from sqlalchemy.engine import Connection

from tasks.core.databases import database, migrations, sqlite_journals
from tasks.core.databases.migrations import Schema
from tasks.core.errors import InputError, Refused
from tasks.core.layout import is_experiments_state
from tasks.sources import vault_keys
from tasks.sources.vault_keys import VaultKeys
from tasks.sources.vault_writer import Secret

URL_VARIABLE = vault_keys.URL_VARIABLE
FILE = f"{vault_keys.FOLDER}/vault.db"
FORMER_FILE = "vault.db"
NONCE_BYTES = 12
VALUES_PER_STATEMENT = 500
ADVISORY_LOCK = 0x7661756C74  # "vault" in ASCII

METADATA = MetaData()
VALUE_TABLE = Table(
    "hallmark_vault",
    METADATA,
    Column("token", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),  # nonce, then AES-256-GCM of the value with the token authenticated
)
KEY_TABLE = Table("hallmark_vault_key", METADATA, Column("fingerprint", Text, primary_key=True))


SCHEMA = Schema("vault", METADATA, METADATA.create_all)


class Vault:
    """Database of encrypted values, by token.

    Every method raises Unavailable if the database cannot be reached. In that case nothing was changed.
    """

    def __init__(self, engine: Engine, keys: VaultKeys) -> None:
        self._engine, self.keys = engine, keys
        self._cipher = AESGCM(keys.encryption)

    def prepare(self) -> None:
        """Create the tables, or check that existing tables belong to this key.

        Raises:
            InputError: The vault was created with another key.
        """
        with _translated_errors():
            migrations.migrate(self._engine, SCHEMA)
        with self._writing() as connection:
            known = connection.scalars(select(KEY_TABLE.c.fingerprint)).first()
            if known is None:
                connection.execute(insert(KEY_TABLE).values(fingerprint=self.keys.fingerprint))
            elif known != self.keys.fingerprint:
                raise InputError(
                    f"the vault was made with the key {known[:12]}…, and the key given is "
                    f"{self.keys.fingerprint[:12]}…; give the vault its own key ({vault_keys.KEY_VARIABLE}, or "
                    f".hallmark/{vault_keys.KEY_FILE}). Nothing was written"
                )

    def keep(self, values: Iterable[Secret]) -> int:
        """Add the values whose tokens are new, all or none of them, and return the number of added values.

        The values of known tokens are not replaced.
        """
        wanted = {secret.token: secret.value for secret in values}
        with self._writing() as connection:
            new = sorted(set(wanted) - self._known(connection, wanted))
            for part in _chunks(new):
                rows = [{"token": token, "sealed": self._seal(token, wanted[token])} for token in part]
                connection.execute(insert(VALUE_TABLE), rows)
        return len(new)

    def missing(self, tokens: Collection[str]) -> list[str]:
        with self._reading() as connection:
            return sorted(set(tokens) - self._known(connection, tokens))

    def reveal(self, tokens: Collection[str], record: Callable[[list[str]], None]) -> dict[str, str]:
        """Return the values of tokens. Tokens that the vault does not contain are left out.

        Args:
            tokens: Tokens to look up.
            record: Function that enters the access in the ledger. It is called first; if it raises an exception, no
                value is read.

        Raises:
            Refused: A value was changed in the database, or was encrypted with another key.
        """
        wanted = sorted(set(tokens))
        record(wanted)
        values: dict[str, str] = {}
        with self._reading() as connection:
            for part in _chunks(wanted):
                rows = connection.execute(
                    select(VALUE_TABLE.c.token, VALUE_TABLE.c.sealed).where(VALUE_TABLE.c.token.in_(part))
                )
                values |= {token: self._open(token, sealed) for token, sealed in rows}
        return values

    def _seal(self, token: str, value: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value.encode(), token.encode())

    def _open(self, token: str, sealed: bytes) -> str:
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], token.encode()).decode()
        except (InvalidTag, ValueError):
            raise Refused(f"the vault's value of {token} was changed, or sealed with another key") from None

    def _known(self, connection: Connection, tokens: Collection[str]) -> set[str]:
        known: set[str] = set()
        for part in _chunks(sorted(tokens)):
            known |= set(connection.scalars(select(VALUE_TABLE.c.token).where(VALUE_TABLE.c.token.in_(part))))
        return known

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _translated_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _translated_errors(), self._engine.connect().execution_options(takes_turn=False) as connection:
            yield connection


def open_vault(state: Path) -> Vault:
    """Open the vault at HALLMARK_VAULT_URL or, if that is not set, the SQLite file of the state folder.

    The SQLite file is created if necessary.

    Raises:
        InputError: There is no key, or the vault was created with another key.
        Unavailable: The database cannot be reached.
    """
    keys = vault_keys.load(state)
    vault = Vault(_engine(state), keys)
    vault.prepare()
    return vault


def exists(state: Path) -> bool:
    """Return whether a vault with a key exists. If so, a lost key must be restored rather than replaced by a new one.

    Raises:
        Unavailable: The database cannot be reached.
    """
    if not os.environ.get(URL_VARIABLE) and not ((state / FILE).exists() or (state / FORMER_FILE).exists()):
        return False
    with _translated_errors(), _engine(state).connect().execution_options(takes_turn=False) as connection:
        return (
            inspect(connection).has_table(KEY_TABLE.name) and connection.scalars(select(KEY_TABLE)).first() is not None
        )


def _engine(state: Path) -> Engine:
    configured = os.environ.get(URL_VARIABLE)
    if configured and not is_experiments_state(state):
        return database.postgres(database.postgres_url(configured, URL_VARIABLE), VALUE_TABLE.name, ADVISORY_LOCK)
    _move(state)
    return _private_sqlite(state / FILE)


def _move(state: Path) -> None:
    """Move the vault of an earlier version to its current folder.

    The database file is moved last, so that an interrupted move is repeated.
    """
    before, now = state / FORMER_FILE, state / FILE
    if before.exists() and not now.exists():
        now.parent.mkdir(mode=0o700, exist_ok=True)
        for beside in ("-wal", ""):
            if (left := before.with_name(f"{FORMER_FILE}{beside}")).exists():
                left.rename(now.with_name(f"{now.name}{beside}"))


def _private_sqlite(path: Path) -> Engine:
    """Open a SQLite file that other users can never read, not even while it is being created."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    sqlite_journals.remove_planted(path.parent)  # earlier versions let `ingest`, a run's own code, write here
    engine = database.sqlite(path)
    path.touch(mode=0o600)
    return engine


def _translated_errors() -> AbstractContextManager[None]:
    return database.unavailable_on_error("the vault")


def _chunks(items: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), VALUES_PER_STATEMENT):
        yield items[start : start + VALUES_PER_STATEMENT]
