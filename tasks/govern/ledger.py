"""The ledger: one append-only table in SQLite (`.hallmark/ledger.db`) or Postgres (HALLMARK_LEDGER_URL).

Writers take turns (`database`), so `seq` has no gaps, and what was read inside a transaction still holds when it
appends. Triggers block UPDATE and DELETE; whoever owns the database can drop them, so what must not be forged
(decisions) is signed besides.
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Engine, Index, Integer, MetaData, Table, Text, func, inspect, select, text
from sqlalchemy.engine import Connection

from tasks.config import Frozen
from tasks.errors import Refused
from tasks.files import canonical_json
from tasks.govern import database
from tasks.govern.ledger_guards import guards

ADVISORY_LOCK = 0x68616C6C6D61726B  # "hallmark"

METADATA = MetaData()
ENTRIES = Table(
    "hallmark_ledger",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=False),  # 1, 2, 3 … without gaps
    Column("time", Text, nullable=False),  # UTC, ISO 8601 with microseconds and Z
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),  # canonical JSON, kept as text: its bytes are what gets hashed
    Index("hallmark_ledger_by_subject", "subject", "kind"),
    Index("hallmark_ledger_by_kind", "kind"),
)


class Entry(Frozen):
    """One row."""

    seq: int
    time: datetime
    kind: str
    """What happened, `NOUN.VERB`, e.g. gate.asked."""
    subject: str
    """What it is about: usually a SHA-256."""
    body: dict[str, Any]


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
                for statement in guards(self._engine.dialect.name, ENTRIES.name):
                    connection.execute(text(statement))

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
        """Record `body` (JSON-ready) as the next entry. It is durable when the outermost transaction ends."""
        spelled = canonical_json(body).decode()
        with self.transaction(), self._reading() as connection:
            last = connection.scalar(select(func.coalesce(func.max(ENTRIES.c.seq), 0)))
            row = {"seq": int(last or 0) + 1, "time": _spell(self.now()), "kind": kind, "subject": subject}
            connection.execute(ENTRIES.insert().values(**row, body=spelled))
        return _entry((*row.values(), spelled))

    def entries(self, kind: str | None = None, subject: str | None = None, after: int = 0) -> list[Entry]:
        """Entries with seq above `after`, oldest first, of one kind and subject where these are given."""
        query = select(ENTRIES).where(ENTRIES.c.seq > after).order_by(ENTRIES.c.seq)
        if kind is not None:
            query = query.where(ENTRIES.c.kind == kind)
        if subject is not None:
            query = query.where(ENTRIES.c.subject == subject)
        with self._reading() as connection:
            return [_entry(tuple(row)) for row in connection.execute(query)]

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
    configured = os.environ.get("HALLMARK_LEDGER_URL")
    if configured:
        engine = database.postgres(database.postgres_url(configured, "HALLMARK_LEDGER_URL"), ADVISORY_LOCK)
    else:
        engine = database.sqlite(state / "ledger.db")
    ledger = Ledger(engine)
    ledger.prepare()
    return ledger


def _spell(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _entry(row: tuple[Any, ...]) -> Entry:
    seq, time, kind, subject, body = row
    try:
        moment = datetime.fromisoformat(time)
        if _spell(moment.astimezone(UTC)) != time:
            raise ValueError(f"time {time!r} is not UTC with microseconds")
        return Entry(seq=seq, time=moment, kind=kind, subject=subject, body=json.loads(body))
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused(f"entry {seq} of the ledger was changed: it cannot be read ({error})") from None
