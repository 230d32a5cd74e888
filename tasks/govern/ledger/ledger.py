"""The ledger: one append-only table in SQLite (`.hallmark/ledger.db`) or Postgres (HALLMARK_LEDGER_URL).

Writers take turns (`database`), so `seq` has no gaps, and what was read inside a transaction still holds when it
appends. Triggers block UPDATE and DELETE; whoever owns the database can drop them, so what must not be forged
(decisions) is signed besides, and entries are leaves of a Merkle tree whose signed heads stand elsewhere (`heads`).
"""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Column, Engine, Index, Integer, MetaData, Table, Text, func, inspect, select, text
from sqlalchemy.engine import Connection

from tasks.errors import Refused
from tasks.files import canonical_json
from tasks.govern import database
from tasks.govern.ledger import entry as ledger_entry
from tasks.govern.ledger.entry import Entry, Row
from tasks.govern.ledger.guards import guards, missing_guards
from tasks.govern.ledger.merkle import Frontier

__all__ = ["Entry", "Ledger", "Row", "open_ledger"]

ADVISORY_LOCK = 0x68616C6C6D61726B  # "hallmark"
PAGE = 1000
"""Rows that `rows` holds in memory at once."""
LOWEST = -(2**63)
"""Below every seq that a database can hold."""

METADATA = MetaData()
ENTRIES = Table(
    "hallmark_ledger",
    METADATA,
    # SQLite calls its 64 bits INTEGER, and makes no other type the row's own number.
    Column(
        "seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    ),  # 1, 2, 3 … without gaps
    Column("time", Text, nullable=False),  # UTC, ISO 8601 with microseconds and Z
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),  # canonical JSON, kept as text: its bytes are what gets hashed
    Index("hallmark_ledger_by_subject", "subject", "kind"),
    Index("hallmark_ledger_by_kind", "kind"),
)
TREE = Table(
    "hallmark_ledger_tree",
    METADATA,
    Column("size", BigInteger, nullable=False),
    Column("peaks", Text, nullable=False),  # hex digests, with spaces between
    comment="one row: the frontier of the tree. What it says can be computed from the entries, and is by `verify`",
)


class Ledger:
    """Every method raises Unavailable where the database is away, and then nothing has happened.

    Reading raises Refused at an entry that Hallmark cannot have written.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open = threading.local()

    @property
    def where(self) -> str:
        """The database's URL without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    def prepare(self) -> None:
        """Make the table and its triggers where there is no table yet."""
        with self.transaction(), self._reading() as connection:
            if not inspect(connection).has_table(ENTRIES.name):
                METADATA.create_all(connection)
                connection.execute(TREE.insert().values(size=0, peaks=""))
                for statement in guards(self._engine.dialect.name, ENTRIES.name):
                    connection.execute(text(statement))

    def close(self) -> None:
        """Let go of the file. Whatever is asked later opens it again."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator["Ledger"]:
        """Everything in the block sees one state and lands together or not at all; other writers wait.

        Inside, the ledger's own methods join the transaction; a nested `transaction()` does too.
        """
        if getattr(self._open, "connection", None) is not None:
            yield self
            return
        with self._reach(), self._engine.begin() as connection:
            self._open.connection = connection
            try:
                yield self
            finally:
                self._open.connection = None

    def append(self, kind: str, subject: str, body: dict[str, Any]) -> Entry:
        """Record `body` (JSON-ready) as the next entry. It is durable when the outermost transaction ends.

        Raises Refused where the table and its tree differ, which takes somebody who changed the database by hand.
        """
        spelled = canonical_json(body).decode()
        with self.transaction(), self._reading() as connection:
            before, last = _frontier(connection), self.last()
            if last != before.size:
                raise Refused(
                    f"the ledger at {self.where} was changed by hand: its last entry is {last}, its tree has "
                    f"{before.size}; nothing was recorded. `hallmark ledger verify` says what is wrong"
                )
            row = Row(before.size + 1, ledger_entry.spell_time(self.now()), kind, subject, spelled)
            after = before.append(row.leaf_hash())
            connection.execute(ENTRIES.insert().values(row._asdict()))
            connection.execute(TREE.update().values(size=after.size, peaks=" ".join(map(bytes.hex, after.peaks))))
        return ledger_entry.read(row)

    def entries(
        self, kind: str | None = None, subject: str | None = None, after: int = 0, upto: int | None = None
    ) -> list[Entry]:
        """Entries with seq above `after`, and not above `upto`, oldest first, of one kind and subject where given."""
        query = select(ENTRIES).where(ENTRIES.c.seq > after).order_by(ENTRIES.c.seq)
        if upto is not None:
            query = query.where(ENTRIES.c.seq <= upto)
        if kind is not None:
            query = query.where(ENTRIES.c.kind == kind)
        if subject is not None:
            query = query.where(ENTRIES.c.subject == subject)
        with self._reading() as connection:
            return [ledger_entry.read(Row(*row)) for row in connection.execute(query)]

    def rows(self, after: int = LOWEST, upto: int | None = None) -> Iterator[Row]:
        """Rows with seq above `after`, and not above `upto` where that is given, oldest first, letter for letter."""
        query = select(ENTRIES).order_by(ENTRIES.c.seq).limit(PAGE)
        query = query if upto is None else query.where(ENTRIES.c.seq <= upto)
        while True:
            with self._reading() as connection:
                page = [Row(*row) for row in connection.execute(query.where(ENTRIES.c.seq > after))]
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].seq

    def frontier(self) -> Frontier:
        """The tree as it was at the last append."""
        with self._reading() as connection:
            return _frontier(connection)

    def last(self) -> int:
        """seq of the last row, 0 where there is none."""
        with self._reading() as connection:
            return connection.scalar(select(func.max(ENTRIES.c.seq))) or 0

    def count(self) -> int:
        """How many rows there are."""
        with self._reading() as connection:
            return connection.scalar(select(func.count()).select_from(ENTRIES)) or 0

    def unguarded(self) -> list[str]:
        """Names of the triggers that are missing."""
        with self._reading() as connection:
            return missing_guards(connection, ENTRIES.name)

    def now(self) -> datetime:
        """The one clock, in UTC: the database server's, or this machine's for SQLite."""
        if self._engine.dialect.name == "sqlite":
            return datetime.now(UTC)
        with self._reading() as connection:
            return connection.scalars(select(func.clock_timestamp())).one().astimezone(UTC)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """The open transaction's connection, else one that waits for no writer."""
        if getattr(self._open, "connection", None) is not None:
            yield self._open.connection
            return
        with self._reach(), self._engine.connect().execution_options(takes_turn=False) as connection:
            yield connection

    def _reach(self) -> AbstractContextManager[None]:
        return database.reaching(f"the ledger at {self.where}")


def open_ledger(state: Path) -> Ledger:
    """The ledger of HALLMARK_LEDGER_URL, else `state/ledger.db`, made if absent.

    Raises Unavailable, saying what to do, where it cannot be opened and written; InputError for a wrong URL.
    """
    ledger = reach_ledger(state)
    ledger.prepare()
    return ledger


def reach_ledger(state: Path) -> Ledger:
    """The same ledger, whether or not it is there: each use of it says so. `Ledger.prepare` makes its tables.

    Raises InputError for a wrong URL.
    """
    configured = os.environ.get("HALLMARK_LEDGER_URL")
    if configured:
        engine = database.postgres(database.postgres_url(configured, "HALLMARK_LEDGER_URL"), ADVISORY_LOCK)
    else:
        engine = database.sqlite(state / "ledger.db", keep_open=True)
    return Ledger(engine)


def _frontier(connection: Connection) -> Frontier:
    stored = [tuple(row) for row in connection.execute(select(TREE.c.size, TREE.c.peaks))]
    try:
        ((size, peaks),) = stored
        return Frontier(size, tuple(map(bytes.fromhex, peaks.split())))
    except (ValueError, AttributeError):
        raise Refused(f"{TREE.name} in the ledger's database was changed by hand: it holds {stored}") from None
