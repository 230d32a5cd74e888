"""The ledger's tables in SQLite or Postgres, and every statement that is ever sent to them."""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import Connection

from tasks.errors import Refused
from tasks.govern import database
from tasks.govern.ledger.entry import Row
from tasks.govern.ledger.guards import guards, missing_guards
from tasks.govern.ledger.merkle import Frontier
from tasks.govern.ledger.subtrees import Subtree

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
SUBTREES = Table(
    "hallmark_ledger_subtrees",
    METADATA,
    Column("stop", BigInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", Text, nullable=False),  # hex
    comment="see subtrees.py. What it says can be computed from the entries, and is by `verify`",
)

# Made once: to put a statement together takes SQLAlchemy longer than to run it takes SQLite.
INSERT, UPDATE_TREE, INSERT_SUBTREES = ENTRIES.insert(), TREE.update(), SUBTREES.insert()
LAST = select(func.max(ENTRIES.c.seq))
COUNT = select(func.count()).select_from(ENTRIES)
STORED = select(TREE.c.size, TREE.c.peaks)
SUBTREE = select(SUBTREES.c.root).where(SUBTREES.c.stop == bindparam("stop"), SUBTREES.c.size == bindparam("size"))


class Tables:
    """The tables of one database. What takes a connection is part of whatever transaction that is in."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def where(self) -> str:
        """The database's URL without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    def reaching(self) -> AbstractContextManager[None]:
        """Says of a database that is away which one it is."""
        return database.reaching(f"the ledger at {self.where}")

    def close(self) -> None:
        """Let go of the file. Whatever is asked later opens it again."""
        self._engine.dispose()

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that other writers wait for."""
        return self._engine.begin()

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that waits for no writer."""
        return self._engine.connect().execution_options(takes_turn=False)

    def make(self, connection: Connection) -> None:
        """The tables and their triggers, where there are none yet."""
        there = inspect(connection)
        new = not there.has_table(ENTRIES.name)
        if not new and there.has_table(SUBTREES.name):
            return
        METADATA.create_all(connection)
        if new:
            connection.execute(TREE.insert().values(size=0, peaks=""))
            for statement in guards(self._engine.dialect.name, ENTRIES.name):
                connection.execute(text(statement))

    def put(self, connection: Connection, row: Row, after: Frontier, finished: Sequence[Subtree]) -> None:
        """The next row, and the tree with it."""
        connection.execute(INSERT, row._asdict())
        connection.execute(UPDATE_TREE, {"size": after.size, "peaks": " ".join(map(bytes.hex, after.peaks))})
        if finished:
            connection.execute(INSERT_SUBTREES, [one._asdict() | {"root": one.root.hex()} for one in finished])

    def find(
        self,
        connection: Connection,
        after: int,
        upto: int | None = None,
        kind: str | None = None,
        subject: str | None = None,
        most: int | None = None,
    ) -> list[Row]:
        """Rows with seq above `after`, and not above `upto`, oldest first, of one kind and subject where given."""
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

    def frontier(self, connection: Connection) -> Frontier:
        """The tree as the last append left it. Raises Refused where somebody changed it by hand."""
        stored = [tuple(row) for row in connection.execute(STORED)]
        try:
            ((size, peaks),) = stored
            return Frontier(size, tuple(map(bytes.fromhex, peaks.split())))
        except (ValueError, AttributeError):
            raise Refused(f"{TREE.name} in the ledger's database was changed by hand: it holds {stored}") from None

    def subtree(self, connection: Connection, stop: int, size: int) -> bytes | None:
        """Root of a subtree that is kept. Raises Refused where somebody changed it by hand."""
        found = connection.scalar(SUBTREE, {"stop": stop, "size": size})
        if found is None:
            return None
        if not isinstance(found, str) or not re.fullmatch("[0-9a-f]{64}", found):
            raise Refused(f"{SUBTREES.name} in the ledger's database was changed by hand: it holds {found!r:.80}")
        return bytes.fromhex(found)

    def subtrees(self, connection: Connection) -> list[tuple[int, int, str]]:
        """Every one that is kept, by its end and size, as it stands there."""
        return [(stop, size, root) for stop, size, root in connection.execute(select(SUBTREES))]

    def last(self, connection: Connection) -> int:
        """seq of the last row, 0 where there is none."""
        return connection.scalar(LAST) or 0

    def count(self, connection: Connection) -> int:
        return connection.scalar(COUNT) or 0

    def unguarded(self, connection: Connection) -> list[str]:
        """Names of the triggers that are missing."""
        return missing_guards(connection, ENTRIES.name)

    @property
    def on_this_machine(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    def now(self, connection: Connection) -> datetime:
        """The database server's clock, in UTC."""
        return connection.scalars(select(func.clock_timestamp())).one().astimezone(UTC)
