"""Vault: a database with the encrypted values that tokens stand for.

The database is SQLite (`.hallmark/vault/vault.db`) or Postgres (HALLMARK_VAULT_URL). Somebody with the database but not
the key cannot read any value. Somebody with the key but not the database can only compute the tokens of values that
they already know. Stage `ingest` adds values (`vault_writer.py`). Only `reveal` reads values, after it has entered the
access in the ledger (tasks/inquiry/access_entries.py).
"""

import os
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, Engine, LargeBinary, MetaData, Table, Text, delete, insert, inspect, select
from sqlalchemy.engine import Connection

from tasks.core.databases import database, migrations, secure_removal, sqlite_journals
from tasks.core.databases.addresses import VAULT_URL_VARIABLE
from tasks.core.databases.migrations import Schema
from tasks.core.errors import InputError, Refused
from tasks.core.layout import is_experiments_state
from tasks.sources import vault_keys
from tasks.sources.vault_keys import VaultKeys
from tasks.sources.vault_writer import TokenValue

VAULT_FILE = f"{vault_keys.VAULT_FOLDER}/vault.db"
FORMER_VAULT_FILE = "vault.db"
NONCE_BYTES = 12
VALUES_PER_STATEMENT = 500
ADVISORY_LOCK_ID = 0x7661756C74  # "vault" in ASCII

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

    Every method raises Unavailable if the database cannot be reached. In that case, nothing is changed.
    """

    def __init__(self, engine: Engine, keys: VaultKeys) -> None:
        self._engine, self.keys = engine, keys
        self._cipher = AESGCM(keys.encryption_key)

    def prepare_tables(self) -> None:
        """Create the tables, or check that existing tables belong to this key.

        Raises:
            InputError: The vault was created with another key.
        """
        with _translate_vault_errors():
            migrations.migrate(self._engine, SCHEMA)
        with self._write_transaction() as connection:
            known = connection.scalars(select(KEY_TABLE.c.fingerprint)).first()
            if known is None:
                connection.execute(insert(KEY_TABLE).values(fingerprint=self.keys.fingerprint))
            elif known != self.keys.fingerprint:
                raise InputError(
                    f"the vault was made with the key {known[:12]}…, and the key given is "
                    f"{self.keys.fingerprint[:12]}…; give the vault its own key ({vault_keys.KEY_VARIABLE}, or "
                    f".hallmark/{vault_keys.KEY_FILE}). Nothing was written"
                )

    def add_values(self, values: Iterable[TokenValue]) -> int:
        """Add the values whose tokens are new, in one transaction, and return their number.

        Values that the vault already contains are not replaced.
        """
        wanted = {secret.token: secret.value for secret in values}
        with self._write_transaction() as connection:
            new = sorted(set(wanted) - self._find_known_tokens(connection, wanted))
            for part in _split_into_chunks(new):
                rows = [{"token": token, "sealed": self._encrypt_value(token, wanted[token])} for token in part]
                connection.execute(insert(VALUE_TABLE), rows)
        return len(new)

    def find_missing_tokens(self, tokens: Collection[str]) -> list[str]:
        with self._read_connection() as connection:
            return sorted(set(tokens) - self._find_known_tokens(connection, tokens))

    def reveal(self, tokens: Collection[str], record_access: Callable[[list[str]], None]) -> dict[str, str]:
        """Return the values of tokens, by token. Tokens that the vault does not contain are left out.

        Args:
            tokens: Tokens to look up.
            record_access: Function that enters the access in the ledger. It is called first; if it raises an exception,
                no value is read.

        Raises:
            Refused: A value was changed in the database, or was encrypted with another key.
        """
        wanted = sorted(set(tokens))
        record_access(wanted)
        values: dict[str, str] = {}
        with self._read_connection() as connection:
            for part in _split_into_chunks(wanted):
                rows = connection.execute(
                    select(VALUE_TABLE.c.token, VALUE_TABLE.c.sealed).where(VALUE_TABLE.c.token.in_(part))
                )
                values |= {token: self._decrypt_value(token, sealed) for token, sealed in rows}
        return values

    def remove_values(self, tokens: Collection[str]) -> int:
        """Remove the values of tokens, overwrite their bytes in the database file, and return their number."""
        with self._write_transaction() as connection:
            secure_removal.overwrite_removed_rows(connection)
            known = sorted(self._find_known_tokens(connection, tokens))
            for part in _split_into_chunks(known):
                connection.execute(delete(VALUE_TABLE).where(VALUE_TABLE.c.token.in_(part)))
        with _translate_vault_errors():
            secure_removal.empty_log(self._engine)
        return len(known)

    def tokens(self) -> list[str]:
        """Return all tokens, sorted."""
        with self._read_connection() as connection:
            return sorted(connection.scalars(select(VALUE_TABLE.c.token)))

    def write_document(self, name: str, text: str) -> None:
        """Encrypt a document that is about a person, such as an erasure in progress. It replaces an earlier one.

        Args:
            name: Name of the document, which cannot be a token, such as `erasure:ID`.
            text: Content of the document.
        """
        with self._write_transaction() as connection:
            secure_removal.overwrite_removed_rows(connection)
            connection.execute(delete(VALUE_TABLE).where(VALUE_TABLE.c.token == name))
            connection.execute(insert(VALUE_TABLE).values(token=name, sealed=self._encrypt_value(name, text)))

    def read_document(self, name: str) -> str | None:
        with self._read_connection() as connection:
            sealed = connection.scalar(select(VALUE_TABLE.c.sealed).where(VALUE_TABLE.c.token == name))
        return None if sealed is None else self._decrypt_value(name, sealed)

    def _encrypt_value(self, token: str, value: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value.encode(), token.encode())

    def _decrypt_value(self, token: str, sealed: bytes) -> str:
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], token.encode()).decode()
        except (InvalidTag, ValueError):
            raise Refused(f"the vault's value of {token} was changed, or sealed with another key") from None

    def _find_known_tokens(self, connection: Connection, tokens: Collection[str]) -> set[str]:
        known: set[str] = set()
        for part in _split_into_chunks(sorted(tokens)):
            known |= set(connection.scalars(select(VALUE_TABLE.c.token).where(VALUE_TABLE.c.token.in_(part))))
        return known

    @contextmanager
    def _write_transaction(self) -> Iterator[Connection]:
        with _translate_vault_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _read_connection(self) -> Iterator[Connection]:
        with _translate_vault_errors(), self._engine.connect().execution_options(takes_turn=False) as connection:
            yield connection


def open_vault(state: Path) -> Vault:
    """Open the vault at HALLMARK_VAULT_URL or, if that is not set, the SQLite file in the state folder.

    The SQLite file is created if necessary.

    Raises:
        InputError: There is no key, or the vault was created with another key.
        Unavailable: The database cannot be reached.
    """
    keys = vault_keys.load_keys(state)
    vault = Vault(_make_engine(state), keys)
    vault.prepare_tables()
    return vault


def vault_exists(state: Path) -> bool:
    """Return whether the vault was already set up with a key.

    If that key is lost, it must be restored, because the vault cannot be opened with a new key.

    Raises:
        Unavailable: The database cannot be reached.
    """
    if not os.environ.get(VAULT_URL_VARIABLE) and not (
        (state / VAULT_FILE).exists() or (state / FORMER_VAULT_FILE).exists()
    ):
        return False
    with _translate_vault_errors(), _make_engine(state).connect().execution_options(takes_turn=False) as connection:
        return (
            inspect(connection).has_table(KEY_TABLE.name) and connection.scalars(select(KEY_TABLE)).first() is not None
        )


def _make_engine(state: Path) -> Engine:
    configured = os.environ.get(VAULT_URL_VARIABLE)
    if configured and not is_experiments_state(state):
        return database.postgres_engine(
            database.parse_postgres_url(configured, VAULT_URL_VARIABLE), VALUE_TABLE.name, ADVISORY_LOCK_ID
        )
    _move_former_vault(state)
    return _private_sqlite(state / VAULT_FILE)


def _move_former_vault(state: Path) -> None:
    """Move a vault from the place where earlier versions of Hallmark kept it to the current folder.

    The database file is moved last, so that an interrupted move is completed by the next call.
    """
    before, now = state / FORMER_VAULT_FILE, state / VAULT_FILE
    if before.exists() and not now.exists():
        now.parent.mkdir(mode=0o700, exist_ok=True)
        for beside in ("-wal", ""):
            if (left := before.with_name(f"{FORMER_VAULT_FILE}{beside}")).exists():
                left.rename(now.with_name(f"{now.name}{beside}"))


def _private_sqlite(path: Path) -> Engine:
    """Open a SQLite file that other users can never read, not even while it is being created."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    sqlite_journals.remove_planted_journals(path.parent)  # earlier versions let `ingest`, a run's own code, write here
    engine = database.sqlite_engine(path)
    path.touch(mode=0o600)
    return engine


def _translate_vault_errors() -> AbstractContextManager[None]:
    return database.translate_database_errors("the vault")


def _split_into_chunks(items: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), VALUES_PER_STATEMENT):
        yield items[start : start + VALUES_PER_STATEMENT]
