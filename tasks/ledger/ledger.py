"""Append-only ledger: a table of entries, and a table of the documents attached to them.

The tables are in SQLite (`.hallmark/ledger.db`), or in Postgres if HALLMARK_LEDGER_URL names a database.

Only one process writes at a time (tasks/core/databases/database.py), so `seq` has no gaps, and everything that a
transaction has read is still true when it appends. Triggers block UPDATE and DELETE, but the owner of the database can
drop them. Documents that must not be forged, such as decisions, are therefore signed as well, and entries are leaves of
a Merkle tree whose signed heads are published elsewhere (heads/).
"""

import os
import threading
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tasks.core.databases.addresses import LEDGER_URL_VARIABLE
from tasks.core.errors import Refused, Unavailable
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json
from tasks.ledger import attachments
from tasks.ledger import entry as ledger_entry
from tasks.ledger.entry import Entry, Row, RowWithDocument
from tasks.ledger.head_files import parse_tree_size
from tasks.ledger.tree.merkle import Frontier
from tasks.ledger.tree.subtrees import completed_subtrees

if TYPE_CHECKING:  # importing SQLAlchemy is slow; most modules need only the names of these types
    from sqlalchemy.engine import Connection, Engine

    from tasks.ledger.tables import Tables

T = TypeVar("T")

__all__ = ["Entry", "Ledger", "Row", "open_ledger"]

ADVISORY_LOCK = 0x68616C6C6D61726B  # "hallmark"
PAGE_ROWS = 4000
DATABASE_FILE = "ledger.db"
"""Name of the SQLite file in `.hallmark/`, which is used if HALLMARK_LEDGER_URL is not set."""
HEADS_FOLDER = "heads"
LOWEST_SEQ = -(2**63)
"""Smallest integer that a database can store. A query that starts here also finds entries with negative numbers, which
somebody must have inserted by hand."""


class Ledger:
    """Append-only ledger of an installation.

    If the database cannot be reached, every method raises Unavailable and leaves the ledger unchanged. Methods that
    read entries raise Refused if an entry is malformed, because Hallmark cannot have written it.
    """

    def __init__(self, tables: "Tables", heads: Path | None = None) -> None:
        """Create a ledger without connecting to its database.

        Args:
            tables: Tables of the database.
            heads: Folder with the heads that were signed on this machine.
        """
        self._tables = tables
        self._heads = heads
        self._open = threading.local()

    @property
    def url(self) -> str:
        return self._tables.url

    def prepare_tables(self) -> None:
        """Create the tables if there are none, or migrate the tables of an earlier version.

        Raises:
            Unavailable: The tables belong to a newer version, or the database was lost (`loss_reason`).
        """
        if lost := self.loss_reason():
            raise Unavailable(lost)
        with self._tables.translating_errors():
            self._tables.create_or_migrate()

    def loss_reason(self) -> str:
        """Return an error message if the database was lost; otherwise an empty string.

        The database counts as lost if it has no tables although a head that was signed on this machine covers entries.
        """
        names = [path.name for path in self._heads.iterdir()] if self._heads and self._heads.is_dir() else []
        entries = max((parse_tree_size(name) or 0 for name in names), default=0)
        if not entries:
            return ""
        with self._tables.translating_errors():
            if self._tables.exist():
                return ""
        return (
            f"the ledger at {self.url} is lost: nothing is there, and a head that was signed here speaks of "
            f"{entries:,} entries. Put the database back; or move .hallmark/ away, and `hallmark restore BACKUP` "
            "brings back what the backup holds, `hallmark init` begins anew"
        )

    def close(self) -> None:
        self._tables.close()

    @contextmanager
    def reading(self) -> Iterator["Ledger"]:
        """Use one connection and one snapshot for everything that is read in the block. The block must not write."""
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

    def cached(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the result of calling the function. In a `reading` block, the result is cached under `key`."""
        kept: dict[Hashable, T] | None = getattr(self._open, "once", None)
        if kept is None:
            return compute()
        if key not in kept:
            kept[key] = compute()
        return kept[key]

    def preload(self, subjects_by_kind: Mapping[str, Collection[str]]) -> None:
        """Load entries by kind and subject with few queries, so that `entries` returns them from memory.

        Call it in a `reading` block. The entries are dropped when the block ends.

        Args:
            subjects_by_kind: Subjects to load, by kind.
        """
        assert self._open.only_reads, "what is read ahead would not show what is written"
        ahead: dict[tuple[str | None, str | None], list[Entry]] = {}
        for kind, subjects in subjects_by_kind.items():
            ahead |= {(kind, subject): [] for subject in subjects}
            for row in self._tables.rows_about(self._open.connection, kind, subjects):
                ahead[kind, row.subject].append(ledger_entry.entry_from_row(row))
        self._open.ahead = ahead

    @contextmanager
    def transaction(self) -> Iterator["Ledger"]:
        """Run the block in one transaction on one snapshot. Other writers wait until the transaction ends.

        Calls of the ledger's methods in the block, including nested calls of `transaction`, join the transaction.
        """
        if getattr(self._open, "connection", None) is not None:
            assert not getattr(self._open, "only_reads", False), "what only reads the ledger writes to it"
            yield self
            return
        with self._tables.translating_errors(), self._tables.writing() as connection:
            self._open.connection = connection
            try:
                yield self
            finally:
                self._open.connection = None

    def append(self, kind: str, subject: str, body: dict[str, Any], document: bytes | None = None) -> Entry:
        """Record an entry. It is durable once the outermost transaction ends.

        Args:
            kind: Kind of entry, as listed in tasks/ledger/kinds.py.
            subject: Identifier of the object that the entry is about, such as a run or a digest.
            body: Content that can be written as JSON.
            document: Document to attach. Its SHA-256 is added to `body`.

        Raises:
            Refused: The table and its tree differ, so the database was changed by hand; the entry is too long; or the
                database did not store the entry as written.
            InputError: The document is too long.
        """
        if document is not None:
            attachments.require_document_size(document)
            body = body | {attachments.DIGEST_KEY: sha256_bytes(document)}
        spelled = canonical_json(body).decode()
        with self.transaction(), self._reading() as connection:
            before, last = self._tables.frontier(connection), self._tables.last_seq(connection)
            if last != before.size:
                raise Refused(
                    f"the ledger at {self.url} was changed by hand: its last entry is {last}, its tree has "
                    f"{before.size}; nothing was recorded. `hallmark ledger verify` says what is wrong"
                )
            row = Row(before.size + 1, ledger_entry.format_time(self.now()), kind, subject, spelled)
            ledger_entry.require_leaf_size(row)
            leaf = row.leaf_hash()
            self._tables.insert_row(connection, row, before.append(leaf), completed_subtrees(before, leaf))
            if document is not None:
                self._tables.attach_document(connection, row.seq, document)
            entry = ledger_entry.entry_from_row(row)
            self._tables.update_open_questions(connection, entry)
        return entry

    def entries(
        self, kind: str | None = None, subject: str | None = None, after: int = 0, upto: int | None = None
    ) -> list[Entry]:
        """Return the entries with `after` < seq <= `upto`, oldest first, filtered by kind and subject if given."""
        ahead = getattr(self._open, "ahead", {})
        if (after, upto) == (0, None) and (kind, subject) in ahead:
            return list(ahead[kind, subject])
        with self._reading() as connection:
            rows = self._tables.rows(connection, after, upto, kind, subject)
        return [ledger_entry.entry_from_row(row) for row in rows]

    def readable_entries(self, kind: str) -> list[Entry]:
        """Return the entries of a kind, oldest first, without the malformed ones, which Hallmark cannot have written.

        For readers that verify each entry anyway, so that one malformed entry does not hide the others.
        """
        entries = []
        for row in self.rows_about(kind):
            with suppress(Refused):
                entries.append(ledger_entry.entry_from_row(row))
        return entries

    def subjects(self, kind: str) -> list[str]:
        with self._reading() as connection:
            return self._tables.subjects(connection, kind)

    def rows_about(self, kind: str, subject: str | None = None) -> list[Row]:
        with self._reading() as connection:
            return self._tables.rows(connection, 0, None, kind, subject)

    def newest_first(self, *kinds: str, below: int | None = None) -> Iterator[Entry]:
        """Yield entries from the newest to the oldest. Pages are read on demand.

        Args:
            kinds: Kinds to yield; all if empty.
            below: Upper limit of seq, exclusive; None for no limit.
        """
        before = 2**63 - 1 if below is None else below
        while True:
            with self._reading() as connection:
                page = self._tables.newest_rows(connection, kinds, before, PAGE_ROWS)
            yield from map(ledger_entry.entry_from_row, page)
            if len(page) < PAGE_ROWS:
                return
            before = page[-1].seq

    def changed_subjects_after(self, after: int) -> set[tuple[str, str]]:
        with self._reading() as connection:
            return self._tables.changed_subjects_after(connection, after)

    def open_questions(self) -> list[Entry]:
        """Return the `gate.asked` entry of each open gate, oldest first.

        The duration of this query does not depend on the length of the ledger.
        """
        with self._reading() as connection:
            rows = self._tables.rows_by_seq(connection, self._tables.open_question_seqs(connection))
        return list(map(ledger_entry.entry_from_row, rows))

    def documents(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return the document attached to each entry.

        Raises:
            Refused: A document is missing, or its digest is not the one that its entry names.
        """
        documents = self.documents_or_errors(entries)
        if wrong := next((each for each in documents if isinstance(each, Refused)), None):
            raise wrong
        return [each for each in documents if isinstance(each, bytes)]

    def documents_or_errors(self, entries: Sequence[Entry]) -> list[bytes | Refused]:
        with self._reading() as connection:
            documents = self._tables.read_documents(connection, [entry.seq for entry in entries])
        return [_verified_document(entry, documents.get(entry.seq)) for entry in entries]

    def rows_with_documents(self, upto: int) -> Iterator[RowWithDocument]:
        page: list[Row] = []
        for row in self.rows(upto=upto):
            page.append(row)
            if len(page) == PAGE_ROWS:
                yield from self._with_documents(page)
                page = []
        yield from self._with_documents(page)

    def rows(self, after: int = LOWEST_SEQ, upto: int | None = None) -> Iterator[Row]:
        """Yield the rows with `after` < seq <= `upto` as stored, oldest first."""
        while True:
            with self._reading() as connection:
                page = self._tables.rows(connection, after, upto, most=PAGE_ROWS)
            yield from page
            if len(page) < PAGE_ROWS:
                return
            after = page[-1].seq

    def frontier(self) -> Frontier:
        with self._reading() as connection:
            return self._tables.frontier(connection)

    def subtree_root(self, stop: int, size: int) -> bytes | None:
        """Return the root hash over the `size` entries that end with entry `stop`, or None if it is not stored."""
        with self._reading() as connection:
            return self._tables.subtree_root(connection, stop, size)

    def subtree_roots(self) -> dict[tuple[int, int], str]:
        """Return the stored root hashes of all subtrees in hex, by number of the last entry and number of entries."""
        with self._reading() as connection:
            return {(stop, size): root for stop, size, root in self._tables.subtree_roots(connection)}

    def last_seq(self) -> int:
        with self._reading() as connection:
            return self._tables.last_seq(connection)

    def count_entries(self) -> int:
        with self._reading() as connection:
            return self._tables.count_entries(connection)

    def count_documents(self) -> int:
        with self._reading() as connection:
            return self._tables.count_documents(connection)

    def open_question_seqs(self) -> set[int]:
        with self._reading() as connection:
            return self._tables.open_question_seqs(connection)

    def missing_guards(self) -> list[str]:
        with self._reading() as connection:
            return self._tables.missing_guards(connection)

    def foreign_triggers(self) -> list[str]:
        with self._reading() as connection:
            return self._tables.foreign_triggers(connection)

    def access_problems(self) -> list[str]:
        with self._reading() as connection:
            return self._tables.access_problems(connection)

    def now(self) -> datetime:
        """Return the current time in UTC, by the clock of the database server or, with SQLite, of this machine."""
        if self._tables.on_this_machine:
            return datetime.now(UTC)
        with self._reading() as connection:
            return self._tables.now(connection)

    def _with_documents(self, page: list[Row]) -> Iterator[RowWithDocument]:
        if not page:
            return
        with self._reading() as connection:
            documents = self._tables.documents_between(connection, page[0].seq, page[-1].seq)
        for row in page:
            yield RowWithDocument(row, documents.get(row.seq))

    @contextmanager
    def _reading(self) -> "Iterator[Connection]":
        if getattr(self._open, "connection", None) is not None:
            yield self._open.connection
            return
        with self._tables.translating_errors(), self._tables.reading() as connection:
            yield connection


def open_ledger(state: Path) -> Ledger:
    """Open the ledger at HALLMARK_LEDGER_URL or, if that is not set, `state/ledger.db`, and create missing tables.

    Raises:
        Unavailable: The database cannot be opened or written; the message says what to do.
        InputError: The URL is not valid.
    """
    ledger = get_ledger(state)
    ledger.prepare_tables()
    return ledger


def get_ledger(state: Path) -> Ledger:
    """Return the ledger without connecting to it or creating tables.

    Raises:
        InputError: The URL is not valid.
    """
    from tasks.ledger.tables import Tables

    return Ledger(Tables(ledger_engine(state)), state / HEADS_FOLDER)


def ledger_engine(state: Path) -> "Engine":
    from tasks.core.databases import database
    from tasks.ledger.schema import TREE

    if configured := os.environ.get(LEDGER_URL_VARIABLE):
        return database.postgres_engine(
            database.parse_postgres_url(configured, LEDGER_URL_VARIABLE), TREE.name, ADVISORY_LOCK
        )
    return database.sqlite_engine(state / DATABASE_FILE)


def ledger_exists(state: Path) -> bool:
    """Return whether a ledger was created in `state`, or is configured by HALLMARK_LEDGER_URL."""
    return bool(os.environ.get(LEDGER_URL_VARIABLE)) or (state / DATABASE_FILE).exists()


def _verified_document(entry: Entry, document: bytes | None) -> bytes | Refused:
    if wrong := attachments.find_mismatch(entry.seq, entry.body, document):
        return Refused(wrong)
    if document is None:
        return Refused(f"entry {entry.seq} of the ledger was changed: nothing is attached to it")
    return document
