"""Databases that several processes write at once, a SQLite file or Postgres: their writers take turns.

A transaction holds SQLite's write lock or a Postgres advisory lock from its first statement, so what was read inside it
still holds when it writes. A connection with the execution option `takes_turn=False` only reads, and waits for nobody.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from tasks.core.errors import InputError, Unavailable

PAGE_BYTES = 16384
"""Of SQLite: rows of 3 KB, which the evidence of a gate takes, fill pages of the usual 4 KB badly."""
WAIT_SECONDS = 30
"""How long a writer waits for its turn."""
IDLE_SECONDS = 20
"""After so long without a statement Postgres ends a writer's transaction: its process hangs, and other writers wait."""
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
TIMEOUTS = """SELECT set_config('lock_timeout', '{waiting}s', true),
    set_config('idle_in_transaction_session_timeout', '{idle}s', true)"""
TEXT = partial(str, encoding="utf-8", errors="surrogateescape")
"""How text is read: what is no UTF-8 was put there by hand, and is for whoever reads the row to refuse."""


def sqlite(path: Path, keep_open: bool = False) -> Engine:
    """`keep_open` for one that is often written: half the time of a transaction, and the file stays open until
    `dispose()`.

    Raises Unavailable where the file's folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"{path.parent}: this folder cannot be made ({error.strerror}); make it writable") from None
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": WAIT_SECONDS})
    kept: list[sqlite3.Connection] = []

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own, see _begin
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")  # of a new file
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous=FULL")  # what was confirmed survives a power cut
        connection.text_factory = TEXT
        if keep_open and not kept:
            kept.append(_keep_open(path))

    @event.listens_for(engine, "engine_disposed")
    def _let_go(_: Engine) -> None:
        while kept:
            kept.pop().close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _takes_turn(connection) else "BEGIN")

    return engine


def postgres(url: URL, lock: int) -> Engine:
    """`lock` is the number of the advisory lock that writers of the same tables hold."""
    engine = create_engine(url, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if _takes_turn(connection):
            connection.exec_driver_sql(TIMEOUTS.format(waiting=WAIT_SECONDS, idle=IDLE_SECONDS))
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # one state, as SQLite's

    return engine


def postgres_url(configured: str, variable: str) -> URL:
    """The URL that an environment variable gives, with a driver that is there. Raises InputError or Unavailable."""
    try:
        url = make_url(configured)
        if url.get_backend_name() != "postgresql":
            raise InputError(f"{variable}: expected postgresql://…, got {url.drivername}://…")
        # pg8000: psycopg is under the LGPL.
        url = url.set(drivername="postgresql+pg8000") if url.drivername == "postgresql" else url
        url.get_dialect().import_dbapi()
    except (ArgumentError, NoSuchModuleError, ValueError):  # the last of a host that is no host
        raise InputError(f"{variable}: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE") from None
    except ModuleNotFoundError:
        raise Unavailable("a Postgres database needs a driver; run `pip install 'hallmark[postgres]'`") from None
    return url


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """Say of a database that is away, in a person's words, which one it is."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", None) in DAMAGED:
            raise Unavailable(
                f"{what} is damaged ({error.orig}); nothing was recorded. Move the file away, and put one from a "
                "backup in its place"
            ) from error
        raise Unavailable(
            f"{what} cannot be used ({error.orig}); nothing was recorded. Check that the database is up, writable and "
            "not full, then try again"
        ) from error
    except ConnectionError as error:  # which pg8000 passes on where Postgres has reset the connection
        raise Unavailable(f"{what} cannot be used ({error}); nothing was recorded. Try again") from error


def _write_ahead(connection: Any) -> None:
    """SQLite waits for no lock when it changes a file's journal mode, so of two that make a database one waits here."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _keep_open(path: Path) -> sqlite3.Connection:
    """A connection that is never used: the last one that closes writes the log back to the file and flushes that to
    disk, and each transaction has one of its own."""
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("SELECT 1 FROM sqlite_master").fetchall()
    return connection


def _takes_turn(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("takes_turn", True))
