"""The ledger's tables in SQLite or Postgres. Every SQL statement of the ledger is in this file."""

import re
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine, bindparam, func, inspect, select, text
from sqlalchemy.engine import Connection

from tasks.core.databases import database, migrations
from tasks.core.databases.migrations import Schema
from tasks.core.errors import Refused
from tasks.ledger import access_paths, attachments, earlier_format
from tasks.ledger.entry import Entry, Row, parse_time_and_body
from tasks.ledger.guards import foreign_triggers, guard_statements, missing_guards
from tasks.ledger.open_questions import ASKED, CLOSED, OpenQuestions
from tasks.ledger.schema import DOCUMENTS, ENTRIES, METADATA, OPEN_QUESTIONS, SUBTREES, TREE
from tasks.ledger.tree.merkle import Frontier
from tasks.ledger.tree.subtrees import BLOCK_SIZE, Subtree

# Built once: building a statement takes SQLAlchemy longer than executing it takes SQLite.
INSERT_ENTRY, UPDATE_TREE, INSERT_SUBTREES = ENTRIES.insert(), TREE.update(), SUBTREES.insert()
SELECT_LAST = select(func.max(ENTRIES.c.seq))
SELECT_FROM_SEQ = select(ENTRIES).where(ENTRIES.c.seq >= bindparam("first")).order_by(ENTRIES.c.seq).limit(2)
SELECT_COUNT = select(func.count()).select_from(ENTRIES)
SELECT_TREE = select(TREE.c.size, TREE.c.peaks)
SELECT_SUBTREE = select(SUBTREES.c.root).where(
    SUBTREES.c.stop == bindparam("stop"), SUBTREES.c.size == bindparam("size")
)
SELECT_KIND_AND_SUBJECT = select(ENTRIES.c.kind, ENTRIES.c.subject)
SELECT_DOCUMENT_COUNT = select(func.count()).select_from(DOCUMENTS)
Value = TypeVar("Value", int, str)
ROWS_PER_QUERY = 500
"""Maximum number of entry numbers or subjects in a query. Databases limit the parameters of a statement."""


def _create_tables(connection: Connection) -> None:
    METADATA.create_all(connection)
    connection.execute(TREE.insert().values(size=0, peaks=""))
    for statement in guard_statements(connection.dialect.name):
        connection.execute(text(statement))


def _require_current_format(connection: Connection, writers: Sequence[str]) -> None:
    if writers or not set(inspect(connection).get_table_names()) >= METADATA.tables.keys():
        return
    tables = Tables(connection.engine)
    first = tables.rows(connection, 0, BLOCK_SIZE)
    whole = tables.last_seq(connection) < BLOCK_SIZE
    root = tables.frontier(connection).root() if whole else tables.subtree_root(connection, BLOCK_SIZE, BLOCK_SIZE)
    earlier_format.require_current_format(first, root, tables.url)


SCHEMA = Schema("ledger", METADATA, _create_tables, check_before_writing=_require_current_format)


class Tables:
    """Tables of one database. Methods that take a connection run in the transaction of that connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle_connection: sqlite3.Connection | None = None

    @property
    def url(self) -> str:
        return self._engine.url.render_as_string(hide_password=True)

    def translating_errors(self) -> AbstractContextManager[None]:
        return database.translate_database_errors(f"the ledger at {self.url}")

    def close(self) -> None:
        self._engine.dispose()
        if self._idle_connection:
            self._idle_connection.close()
            self._idle_connection = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            self._keep_file_open()
            yield connection

    def reading(self) -> AbstractContextManager[Connection]:
        connection = self._engine.connect()
        self._keep_file_open()
        return connection.execution_options(takes_turn=False)

    def _keep_file_open(self) -> None:
        """Keep a SQLite file open until `close`, which makes its transactions faster."""
        file = self._engine.url.database if self.on_this_machine else None
        if file and self._idle_connection is None:
            with suppress(sqlite3.Error):
                self._idle_connection = database.open_idle_connection(Path(file))

    def create_or_migrate(self) -> None:
        migrations.migrate(self._engine, SCHEMA)
        self._keep_file_open()  # on a disk that is full later, an open file can still be read

    def exist(self) -> bool:
        file = self._engine.url.database if self.on_this_machine else None
        if file and (not Path(file).exists() or not Path(file).stat().st_size):
            return False
        with self.reading() as connection:
            return migrations.read_schema_version(connection, SCHEMA) is not None

    def insert_row(self, connection: Connection, row: Row, tree: Frontier, completed: Sequence[Subtree]) -> None:
        """Insert the next row, and update the stored tree and subtrees.

        Raises:
            Refused: The database did not store the row as written.
        """
        connection.execute(INSERT_ENTRY, row._asdict())
        connection.execute(UPDATE_TREE, {"size": tree.size, "peaks": " ".join(map(bytes.hex, tree.peaks))})
        if completed:
            connection.execute(
                INSERT_SUBTREES, [subtree._asdict() | {"root": subtree.root.hex()} for subtree in completed]
            )
        stored = [tuple(it) for it in connection.execute(SELECT_FROM_SEQ, {"first": row.seq})]
        roots = {self.subtree_root(connection, each.stop, each.size) == each.root for each in completed}
        self._require_stored(stored == [tuple(row)] and self.frontier(connection) == tree and False not in roots)

    def rows(
        self,
        connection: Connection,
        after: int,
        upto: int | None = None,
        kind: str | None = None,
        subject: str | None = None,
        most: int | None = None,
    ) -> list[Row]:
        query = select(ENTRIES).where(ENTRIES.c.seq > after).order_by(ENTRIES.c.seq)
        if upto is not None:
            query = query.where(ENTRIES.c.seq <= upto)
        if kind is not None:
            query = query.where(ENTRIES.c.kind == kind)
        if subject is not None:
            query = query.where(ENTRIES.c.subject == subject)
        if most is not None:
            query = query.limit(most)
        return list(map(Row._make, connection.execute(query).fetchall()))

    def newest_rows(self, connection: Connection, kinds: Collection[str], before: int, most: int) -> list[Row]:
        query = select(ENTRIES).where(ENTRIES.c.seq < before, *[ENTRIES.c.kind.in_(kinds)] * bool(kinds))
        return list(map(Row._make, connection.execute(query.order_by(ENTRIES.c.seq.desc()).limit(most)).fetchall()))

    def subjects(self, connection: Connection, kind: str) -> list[str]:
        return sorted(connection.scalars(select(ENTRIES.c.subject).where(ENTRIES.c.kind == kind).distinct()))

    def rows_about(self, connection: Connection, kind: str, subjects: Collection[str]) -> list[Row]:
        rows: list[Row] = []
        for some in _chunks(sorted(subjects)):
            query = select(ENTRIES).where(ENTRIES.c.kind == kind, ENTRIES.c.subject.in_(some))
            rows += map(Row._make, connection.execute(query).fetchall())
        return sorted(rows, key=lambda row: row.seq)

    def changed_subjects_after(self, connection: Connection, after: int) -> set[tuple[str, str]]:
        return {
            (kind, subject)
            for kind, subject in connection.execute(SELECT_KIND_AND_SUBJECT.where(ENTRIES.c.seq > after))
        }

    def attach_document(self, connection: Connection, seq: int, document: bytes) -> None:
        """Store the document attached to an entry.

        Raises:
            Refused: The database did not store the document.
        """
        connection.execute(DOCUMENTS.insert().values(seq=seq, data=attachments.compress_document(document)))
        self._require_stored(self.read_documents(connection, [seq]) == {seq: document})

    def read_documents(self, connection: Connection, seqs: Sequence[int]) -> dict[int, bytes]:
        """Return the attached documents by seq. Entries without a document are left out.

        A document that cannot be decompressed is returned as empty bytes.
        """
        documents: dict[int, bytes] = {}
        for some in _chunks(seqs):
            rows = connection.execute(select(DOCUMENTS).where(DOCUMENTS.c.seq.in_(some)))
            documents |= {seq: attachments.decompress_document(data) for seq, data in rows}
        return documents

    def documents_between(self, connection: Connection, first: int, last: int) -> dict[int, bytes]:
        rows = connection.execute(select(DOCUMENTS).where(DOCUMENTS.c.seq.between(first, last)))
        return {seq: attachments.decompress_document(data) for seq, data in rows}

    def count_documents(self, connection: Connection) -> int:
        return connection.scalar(SELECT_DOCUMENT_COUNT) or 0

    def open_question_seqs(self, connection: Connection) -> set[int]:
        return set(connection.scalars(select(OPEN_QUESTIONS.c.seq)))

    def rows_by_seq(self, connection: Connection, seqs: Collection[int]) -> list[Row]:
        """Return the rows with these numbers, oldest first.

        The numbers are passed as parameters, because a join could be executed as a scan of all entries.
        """
        rows: list[Row] = []
        for some in _chunks(sorted(seqs)):
            query = select(ENTRIES).where(ENTRIES.c.seq.in_(some)).order_by(ENTRIES.c.seq)
            rows += map(Row._make, connection.execute(query).fetchall())
        return rows

    def update_open_questions(self, connection: Connection, entry: Entry) -> None:
        """Update the stored open questions of gates for an entry that is being recorded.

        Raises:
            Refused: The database did not store the change.
        """
        if entry.kind not in (ASKED, CLOSED):
            return
        stored = select(OPEN_QUESTIONS.c.seq).where(OPEN_QUESTIONS.c.subject == entry.subject)
        before = connection.scalars(stored).all()
        standing = OpenQuestions()
        for row in self.rows_by_seq(connection, before):
            standing.apply(row.seq, row.kind, row.subject, parse_time_and_body(row)[1])
        already = standing.seqs
        standing.apply(entry.seq, entry.kind, entry.subject, entry.body)
        for seq in already - standing.seqs:
            connection.execute(OPEN_QUESTIONS.delete().where(OPEN_QUESTIONS.c.seq == seq))
        for seq in standing.seqs - already:
            connection.execute(OPEN_QUESTIONS.insert().values(seq=seq, subject=entry.subject))
        self._require_stored(set(connection.scalars(stored)) == standing.seqs)

    def _require_stored(self, stored: bool) -> None:
        if not stored:
            raise Refused(
                f"the database of the ledger at {self.url} did not store what was written, so nothing was recorded: a "
                "trigger or rule that is not Hallmark's changes it; `hallmark doctor` names them, and the database's "
                "owner can drop them"
            )

    def frontier(self, connection: Connection) -> Frontier:
        """Return the tree as stored by the last append.

        Raises:
            Refused: The stored tree was changed by hand.
        """
        stored = [tuple(row) for row in connection.execute(SELECT_TREE)]
        try:
            ((size, peaks),) = stored
            return Frontier(size, tuple(map(bytes.fromhex, peaks.split())))
        except (ValueError, AttributeError):
            raise Refused(f"{TREE.name} in the ledger's database was changed by hand: it holds {stored}") from None

    def subtree_root(self, connection: Connection, stop: int, size: int) -> bytes | None:
        """Return the root hash of a stored subtree, or None if it is not stored.

        Raises:
            Refused: The stored root was changed by hand.
        """
        root = connection.scalar(SELECT_SUBTREE, {"stop": stop, "size": size})
        if root is None:
            return None
        if not isinstance(root, str) or not re.fullmatch("[0-9a-f]{64}", root):
            raise Refused(f"{SUBTREES.name} in the ledger's database was changed by hand: it holds {root!r:.80}")
        return bytes.fromhex(root)

    def subtree_roots(self, connection: Connection) -> list[tuple[int, int, str]]:
        return [(stop, size, root) for stop, size, root in connection.execute(select(SUBTREES))]

    def last_seq(self, connection: Connection) -> int:
        return connection.scalar(SELECT_LAST) or 0

    def count_entries(self, connection: Connection) -> int:
        return connection.scalar(SELECT_COUNT) or 0

    def missing_guards(self, connection: Connection) -> list[str]:
        return missing_guards(connection)

    def foreign_triggers(self, connection: Connection) -> list[str]:
        return foreign_triggers(connection)

    def access_problems(self, connection: Connection) -> list[str]:
        return access_paths.access_problems(connection)

    @property
    def on_this_machine(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    def now(self, connection: Connection) -> datetime:
        return connection.scalars(select(func.clock_timestamp())).one().astimezone(UTC)


def _chunks(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    return (values[start : start + ROWS_PER_QUERY] for start in range(0, len(values), ROWS_PER_QUERY))
