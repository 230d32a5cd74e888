"""SQLAlchemy engines for SQLite and Postgres databases that many processes use but only one writes at a time.

A transaction begins by taking the lock of the SQLite file or of a Postgres table. So data that it has read is still
current when it writes. In Postgres, only a role that may write to the table can take the table's lock. A connection
with the execution option `takes_turn=False` only reads, and does not wait for a lock.
"""

import logging
import os
import sqlite3
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, NoSuchModuleError
from sqlalchemy.pool import NullPool, QueuePool

from tasks.core.databases import postgres_options
from tasks.core.errors import InputError, Unavailable

SQLITE_PAGE_BYTES = 16384
"""Page size of SQLite files in bytes. Rows of 3 KB, the size of a gate's evidence, would waste space in the default
pages of 4 KB."""
WAIT_SECONDS = 30
"""Maximum number of seconds that a writer waits for the write lock."""
IDLE_SECONDS = 20
"""Number of seconds without a statement after which Postgres aborts a write transaction, because other writers may be
waiting for its lock."""
IDLE_CONNECTIONS = 2
"""Maximum number of idle connections to a Postgres database that a process keeps open."""
ANSWER_SECONDS = 30
"""Maximum number of seconds in which a Postgres server accepts a connection, or answers on one that was idle."""
MAX_CONNECTION_AGE_SECONDS = 300
"""Age in seconds at which a Postgres connection is replaced. Firewalls drop connections that are idle for longer."""
SQLITE_DAMAGE_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
SET_TIMEOUTS_SQL = """SELECT set_config('lock_timeout', '{waiting}s', true),
    set_config('idle_in_transaction_session_timeout', '{idle}s', true)"""
JUST_CONNECTED = "hallmark_just_connected"
"""Key in the pool's record of a connection, present until the connection's first use."""
MAX_SQLITE_ENGINES = 32
"""Maximum number of SQLite files whose engines a process keeps."""
_postgres_engines: dict[str, tuple[URL, Engine]] = {}
"""Address and engine of each Postgres database that this process uses, by the table that writers lock."""
_engines_lock = threading.Lock()
# SQLAlchemy logs a traceback if it cannot close a connection that the server has closed before.
logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
TEXT_DECODER = partial(str, encoding="utf-8", errors="surrogateescape")
"""Decoder for text in SQLite. Bytes that are not UTF-8 do not raise an error here, so the code that reads the row must
reject them. Only a manual change can write such bytes."""


def sqlite_engine(path: Path) -> Engine:
    """Return the engine of this process for a SQLite file. The file is created if it does not exist.

    The engine has no connections between transactions. It is shared because it caches compiled statements.

    Raises:
        Unavailable: The folder of the file cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"{path.parent}: this folder cannot be made ({error.strerror}); make it writable") from None
    return _cached_sqlite_engine(path)


@lru_cache(MAX_SQLITE_ENGINES)
def _cached_sqlite_engine(path: Path) -> Engine:
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": WAIT_SECONDS})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own, see _begin
        connection.execute(f"PRAGMA page_size={SQLITE_PAGE_BYTES}")  # has an effect on new files only
        _enable_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")  # committed transactions survive a power cut
        connection.text_factory = TEXT_DECODER

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _is_writer(connection) else "BEGIN")

    return engine


def postgres_engine(url: URL, table: str, lock: int) -> Engine:
    """Return the engine of this process for a Postgres database. Its connections stay open between transactions.

    Args:
        url: URL of the database, including the driver, as `parse_postgres_url` returns it.
        table: Table that every writer locks, so that only one of them writes at a time.
        lock: Number of the advisory lock that writers take until the table exists. Any role that can connect can take
            this lock.
    """
    with _engines_lock:
        known_url, known = _postgres_engines.get(table, (None, None))
        if known and known_url == url:
            return known
        if known:
            known.dispose()
        engine = _new_postgres_engine(url, table, lock)
        _postgres_engines[table] = url, engine
        return engine


def _new_postgres_engine(url: URL, table: str, lock: int) -> Engine:
    arguments = {"timeout": ANSWER_SECONDS} | postgres_options.connect_arguments(url.query)
    engine = create_engine(
        url.set(query={}), poolclass=QueuePool, connect_args=arguments,
        pool_size=IDLE_CONNECTIONS, max_overflow=-1, pool_recycle=MAX_CONNECTION_AGE_SECONDS, pool_use_lifo=True,
    )  # fmt: skip

    @event.listens_for(engine, "connect")
    def _end_connect_timeout(connection: Any, record: Any) -> None:
        connection._usock.settimeout(None)  # pg8000 applies it to every statement too
        record.info[JUST_CONNECTED] = True

    @event.listens_for(engine, "checkout")
    def _require_alive(connection: Any, record: Any, _: object) -> None:
        if not record.info.pop(JUST_CONNECTED, False):
            _ping(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if _is_writer(connection):
            connection.exec_driver_sql(SET_TIMEOUTS_SQL.format(waiting=WAIT_SECONDS, idle=IDLE_SECONDS))
            if not _has_table(connection, table):
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")
            if _has_table(connection, table):  # made before, or while this writer waited
                connection.exec_driver_sql(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # one snapshot, as in SQLite

    return engine


def parse_postgres_url(configured: str, variable: str) -> URL:
    """Parse a Postgres URL from an environment variable, and set its driver.

    Args:
        configured: Value of the variable.
        variable: Name of the variable, used in error messages.

    Raises:
        InputError: The value is not the URL of a Postgres database.
        Unavailable: The driver is not installed.
    """
    try:
        url = make_url(configured)
        if url.get_backend_name() != "postgresql":
            raise InputError(f"{variable}: expected postgresql://…, got {url.drivername}://…")
        # pg8000, because psycopg is under the LGPL.
        url = url.set(drivername="postgresql+pg8000") if url.drivername == "postgresql" else url
        if url.get_driver_name() != "pg8000":
            raise InputError(f"{variable}: expected postgresql://…, got {url.drivername}://…")
        url.get_dialect().import_dbapi()
    except (ArgumentError, NoSuchModuleError, ValueError):  # ValueError for an invalid host or port
        raise InputError(f"{variable}: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE") from None
    except ModuleNotFoundError:
        raise Unavailable("a Postgres database needs a driver; run `pip install 'hallmark[postgres]'`") from None
    try:
        postgres_options.connect_arguments(url.query)
    except ValueError as error:
        raise InputError(f"{variable}: {error}") from None
    return url


@contextmanager
def translate_database_errors(database_name: str) -> Iterator[None]:
    """Convert errors of the database driver inside the block to `Unavailable`.

    Args:
        database_name: Name of the database, used at the start of the error message.

    Raises:
        Unavailable: The database cannot be reached, is locked or is damaged.
    """
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", None) in SQLITE_DAMAGE_CODES:
            raise Unavailable(
                f"{database_name} is damaged ({error.orig}); nothing was recorded. "
                "Move the file away, and put one from a "
                "backup in its place"
            ) from error
        raise Unavailable(
            f"{database_name} cannot be used ({error.orig}); nothing was recorded. "
            "Check that the database is up, writable and "
            "not full, then try again"
        ) from error
    except (ConnectionError, TimeoutError, ssl.SSLError) as error:  # pg8000 raises these without wrapping them
        raise Unavailable(f"{database_name} cannot be used ({error}); nothing was recorded. Try again") from error


def _enable_wal(connection: Any) -> None:
    """Switch a database to write-ahead logging, and retry while it is locked.

    SQLite's own timeout does not apply to a change of the journal mode. Without retries, one of two processes that
    create the same database at the same time would fail.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def open_idle_connection(path: Path) -> sqlite3.Connection:
    """Open a connection to a SQLite file, and leave it idle. While it is open, transactions take half as long.

    Each transaction opens and closes its own connection. When the last connection is closed, SQLite writes the log back
    to the file and flushes it to disk. An idle connection avoids this.
    """
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("SELECT 1 FROM sqlite_master").fetchall()
    return connection


def _ping(connection: Any) -> None:
    """Verify that the server still answers on a connection.

    Raises:
        DisconnectionError: It does not. SQLAlchemy then opens another connection.
    """
    from pg8000.exceptions import Error

    connection.autocommit = True  # without this, the driver would begin a transaction
    try:
        connection._usock.settimeout(ANSWER_SECONDS)
        connection.run("SELECT 1")
        connection._usock.settimeout(None)
    except (Error, OSError, struct.error) as error:
        raise DisconnectionError from error
    connection.autocommit = False


def _forget_connections() -> None:
    """Leave the connections of the parent process to it. Two processes must not use the same one."""
    for _, engine in _postgres_engines.values():
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_forget_connections)


def _has_table(connection: Connection, table: str) -> bool:
    return connection.exec_driver_sql(f"SELECT to_regclass('{table}')").scalar() is not None


def _is_writer(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("takes_turn", True))
