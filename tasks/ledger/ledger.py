"""The ledger: an append-only table of entries, and one of what is attached to them.

It is in SQLite (`.hallmark/ledger.db`) or Postgres (HALLMARK_LEDGER_URL).

Writers take turns (`database`), so `seq` has no gaps, and what was read inside a transaction still holds when it
appends. Triggers block UPDATE and DELETE; whoever owns the database can drop them, so what must not be forged
(decisions) is signed besides, and entries are leaves of a Merkle tree whose signed heads stand elsewhere (`heads`).
"""

import os
import threading
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tasks.core.errors import Refused, Unavailable
from tasks.core.files import canonical_json, sha256_bytes
from tasks.ledger import attached
from tasks.ledger import entry as ledger_entry
from tasks.ledger.entry import Entry, Kept, Row
from tasks.ledger.head_files import size_of
from tasks.ledger.tree.merkle import Frontier
from tasks.ledger.tree.subtrees import finished

if TYPE_CHECKING:  # SQLAlchemy is for whoever opens a ledger; many a module only names one
    from sqlalchemy.engine import Connection, Engine

    from tasks.ledger.tables import Tables

T = TypeVar("T")

__all__ = ["Entry", "Ledger", "Row", "open_ledger"]

ADVISORY_LOCK = 0x68616C6C6D61726B  # "hallmark"
PAGE = 4000
"""Rows that `rows` holds in memory at once."""
VARIABLE = "HALLMARK_LEDGER_URL"
FILE = "ledger.db"
"""Below `.hallmark/`, where the variable names no Postgres database."""
HEADS = "heads"
"""Below `.hallmark/`: every head that was signed on this machine."""
LOWEST = -(2**63)
"""Below every seq that a database can hold."""


class Ledger:
    """Every method raises Unavailable where the database is away, and then nothing has happened.

    Reading raises Refused at an entry that Hallmark cannot have written.
    """

    def __init__(self, tables: "Tables", heads: Path | None = None) -> None:
        """`heads` is the folder of those that were signed on this machine."""
        self._tables = tables
        self._heads = heads
        self._open = threading.local()

    @property
    def where(self) -> str:
        """The database's URL without its password."""
        return self._tables.where

    def prepare(self) -> None:
        """Make the tables where there are none yet, and bring those of an earlier version forward.

        Raises Unavailable for those of a newer one, and where a ledger that was here is lost.
        """
        if lost := self.lost():
            raise Unavailable(lost)
        with self._tables.reaching():
            self._tables.prepare()

    def lost(self) -> str:
        """Why no tables may be made here: there are none, and heads that were signed here speak of entries."""
        names = [path.name for path in self._heads.iterdir()] if self._heads and self._heads.is_dir() else []
        entries = max((size_of(name) or 0 for name in names), default=0)
        if not entries:
            return ""
        with self._tables.reaching():
            if self._tables.are_there():
                return ""
        return (
            f"the ledger at {self.where} is lost: nothing is there, and a head that was signed here speaks of "
            f"{entries:,} entries. Put the database back; or move .hallmark/ away, and `hallmark restore BACKUP` "
            "brings back what the backup holds, `hallmark init` begins anew"
        )

    def close(self) -> None:
        """Let go of the file. Whatever is asked later opens it again."""
        self._tables.close()

    @contextmanager
    def reading(self) -> Iterator["Ledger"]:
        """Everything that is read in the block is read from one connection and sees one state. Nothing is written."""
        if getattr(self._open, "connection", None) is not None:
            yield self
            return
        with self._reading() as connection:
            self._open.connection, self._open.only_reads, self._open.once = connection, True, {}
            try:
                yield self
            finally:
                self._open.connection, self._open.only_reads, self._open.ahead = None, False, {}
                self._open.once = None

    def once(self, key: Hashable, made: Callable[[], T]) -> T:
        """What `made` makes of the ledger. Within `reading`, where nothing changes, that is made once for a key."""
        kept: dict[Hashable, T] | None = getattr(self._open, "once", None)
        if kept is None:
            return made()
        if key not in kept:
            kept[key] = made()
        return kept[key]

    def read_ahead(self, wanted: Mapping[str, Collection[str]]) -> None:
        """Within `reading`, read entries of some kinds about many subjects at once; `entries` has each then."""
        assert self._open.only_reads, "what is read ahead would not show what is written"
        ahead: dict[tuple[str | None, str | None], list[Entry]] = {}
        for kind, subjects in wanted.items():
            ahead |= {(kind, subject): [] for subject in subjects}
            for row in self._tables.about(self._open.connection, kind, subjects):
                ahead[kind, row.subject].append(ledger_entry.read(row))
        self._open.ahead = ahead

    @contextmanager
    def transaction(self) -> Iterator["Ledger"]:
        """Everything in the block sees one state and lands together or not at all; other writers wait.

        Inside, the ledger's own methods join the transaction; a nested `transaction()` does too.
        """
        if getattr(self._open, "connection", None) is not None:
            assert not getattr(self._open, "only_reads", False), "what only reads the ledger writes to it"
            yield self
            return
        with self._tables.reaching(), self._tables.writing() as connection:
            self._open.connection = connection
            try:
                yield self
            finally:
                self._open.connection = None

    def append(self, kind: str, subject: str, body: dict[str, Any], document: bytes | None = None) -> Entry:
        """Record `body` (JSON-ready) as the next entry. It is durable when the outermost transaction ends.

        A `document` is attached to it, and `body` gets its SHA-256. Raises Refused where the table and its tree differ,
        which takes somebody who changed the database by hand.
        """
        if document is not None:
            attached.require_fits(document)
            body = body | {attached.NAMED: sha256_bytes(document)}
        spelled = canonical_json(body).decode()
        with self.transaction(), self._reading() as connection:
            before, last = self._tables.frontier(connection), self._tables.last(connection)
            if last != before.size:
                raise Refused(
                    f"the ledger at {self.where} was changed by hand: its last entry is {last}, its tree has "
                    f"{before.size}; nothing was recorded. `hallmark ledger verify` says what is wrong"
                )
            row = Row(before.size + 1, ledger_entry.spell_time(self.now()), kind, subject, spelled)
            ledger_entry.require_fits(row)
            leaf = row.leaf_hash()
            self._tables.put(connection, row, before.append(leaf), finished(before, leaf))
            if document is not None:
                self._tables.attach(connection, row.seq, document)
            entry = ledger_entry.read(row)
            self._tables.keep_open(connection, entry)
        return entry

    def entries(
        self, kind: str | None = None, subject: str | None = None, after: int = 0, upto: int | None = None
    ) -> list[Entry]:
        """Entries with seq above `after`, and not above `upto`, oldest first, of one kind and subject where given."""
        ahead = getattr(self._open, "ahead", {})
        if (after, upto) == (0, None) and (kind, subject) in ahead:
            return list(ahead[kind, subject])
        with self._reading() as connection:
            rows = self._tables.find(connection, after, upto, kind, subject)
        return [ledger_entry.read(row) for row in rows]

    def subjects(self, kind: str) -> list[str]:
        """What the entries of one kind are about, each once, sorted."""
        with self._reading() as connection:
            return self._tables.subjects(connection, kind)

    def rows_about(self, kind: str, subject: str) -> list[Row]:
        """The rows of the entries of one kind and subject, oldest first, as they lie there and unread."""
        with self._reading() as connection:
            return self._tables.find(connection, 0, None, kind, subject)

    def newest_first(self, *kinds: str, below: int | None = None) -> Iterator[Entry]:
        """Entries, of some kinds and with seq below a number where these are given, the last first; whoever stops early
        has read few."""
        before = 2**63 - 1 if below is None else below
        while True:
            with self._reading() as connection:
                page = self._tables.newest(connection, kinds, before, PAGE)
            yield from map(ledger_entry.read, page)
            if len(page) < PAGE:
                return
            before = page[-1].seq

    def news(self, after: int) -> set[tuple[str, str]]:
        """Kind and subject of the entries with seq above `after`."""
        with self._reading() as connection:
            return self._tables.news(connection, after)

    def questions(self) -> list[Entry]:
        """Entries that ask what none has closed, oldest first; it takes no more time in a ledger of many entries."""
        with self._reading() as connection:
            rows = self._tables.rows_of(connection, self._tables.open_seqs(connection))
        return list(map(ledger_entry.read, rows))

    def documents(self, entries: Sequence[Entry]) -> list[bytes]:
        """What is attached to each of the entries. Raises Refused where it is missing or not what the entry names."""
        documents = self.documents_or_why(entries)
        if wrong := next((each for each in documents if isinstance(each, Refused)), None):
            raise wrong
        return [each for each in documents if isinstance(each, bytes)]

    def documents_or_why(self, entries: Sequence[Entry]) -> list[bytes | Refused]:
        """The same, with what would be raised in the place of each that cannot be had."""
        with self._reading() as connection:
            documents = self._tables.documents(connection, [entry.seq for entry in entries])
        return [_document(entry, documents.get(entry.seq)) for entry in entries]

    def kept(self, upto: int) -> Iterator[Kept]:
        """As `rows`, each with what is attached to it."""
        page: list[Row] = []
        for row in self.rows(upto=upto):
            page.append(row)
            if len(page) == PAGE:
                yield from self._kept(page)
                page = []
        yield from self._kept(page)

    def rows(self, after: int = LOWEST, upto: int | None = None) -> Iterator[Row]:
        """Rows with seq above `after`, and not above `upto` where that is given, oldest first, letter for letter."""
        while True:
            with self._reading() as connection:
                page = self._tables.find(connection, after, upto, most=PAGE)
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].seq

    def frontier(self) -> Frontier:
        """The tree as it was at the last append."""
        with self._reading() as connection:
            return self._tables.frontier(connection)

    def subtree(self, stop: int, size: int) -> bytes | None:
        """Root over `size` entries up to number `stop`, where it is kept."""
        with self._reading() as connection:
            return self._tables.subtree(connection, stop, size)

    def subtrees(self) -> dict[tuple[int, int], str]:
        """Every root that is kept, in hex, by the number of its last entry and its size."""
        with self._reading() as connection:
            return {(stop, size): root for stop, size, root in self._tables.subtrees(connection)}

    def last(self) -> int:
        """seq of the last row, 0 where there is none."""
        with self._reading() as connection:
            return self._tables.last(connection)

    def count(self) -> int:
        """How many rows there are."""
        with self._reading() as connection:
            return self._tables.count(connection)

    def count_attached(self) -> int:
        """To how many entries something is attached."""
        with self._reading() as connection:
            return self._tables.count_attached(connection)

    def open_seqs(self) -> set[int]:
        """seq of each entry that `questions` reads, as it is kept beside the entries."""
        with self._reading() as connection:
            return self._tables.open_seqs(connection)

    def unguarded(self) -> list[str]:
        """Names of the triggers that are missing."""
        with self._reading() as connection:
            return self._tables.unguarded(connection)

    def now(self) -> datetime:
        """The one clock, in UTC: the database server's, or this machine's for SQLite."""
        if self._tables.on_this_machine:
            return datetime.now(UTC)
        with self._reading() as connection:
            return self._tables.now(connection)

    def _kept(self, page: list[Row]) -> Iterator[Kept]:
        if not page:
            return
        with self._reading() as connection:
            documents = self._tables.documents_between(connection, page[0].seq, page[-1].seq)
        for row in page:
            yield Kept(row, documents.get(row.seq))

    @contextmanager
    def _reading(self) -> "Iterator[Connection]":
        """The open transaction's connection, else one that waits for no writer."""
        if getattr(self._open, "connection", None) is not None:
            yield self._open.connection
            return
        with self._tables.reaching(), self._tables.reading() as connection:
            yield connection


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
    from tasks.ledger.tables import Tables

    return Ledger(Tables(engine(state)), state / HEADS)


def engine(state: Path) -> "Engine":
    """The database that the ledger is in. Raises InputError for a wrong URL."""
    from tasks.core import database

    if configured := os.environ.get(VARIABLE):
        return database.postgres(database.postgres_url(configured, VARIABLE), ADVISORY_LOCK)
    return database.sqlite(state / FILE, keep_open=True)


def is_there(state: Path) -> bool:
    """Whether one was made here, or is named elsewhere."""
    return bool(os.environ.get(VARIABLE)) or (state / FILE).exists()


def _document(entry: Entry, document: bytes | None) -> bytes | Refused:
    if wrong := attached.problem(entry.seq, entry.body, document):
        return Refused(wrong)
    if document is None:
        return Refused(f"entry {entry.seq} of the ledger was changed: nothing is attached to it")
    return document
