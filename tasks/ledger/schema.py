"""Names and columns of the ledger's tables.

Entries and attached documents are append-only (guards.py). The other tables hold values that could also be computed
from all entries, which would take longer.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

METADATA = MetaData()
ENTRIES = Table(
    "hallmark_ledger",
    METADATA,
    # SQLite's 64-bit type is INTEGER, and only a column of that type can be the row's own number.
    Column(
        "seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    ),  # 1, 2, 3, … without gaps
    Column("time", Text, nullable=False),  # UTC, ISO 8601 with microseconds and Z
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),  # canonical JSON as text: these bytes are hashed
    Index("hallmark_ledger_by_subject", "subject", "kind"),
    Index("hallmark_ledger_by_kind", "kind"),
)
TREE = Table(
    "hallmark_ledger_tree",
    METADATA,
    Column("size", BigInteger, nullable=False),
    Column("peaks", Text, nullable=False),  # digests in hex, separated by spaces
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
DOCUMENTS = Table(
    "hallmark_ledger_attached",
    METADATA,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),  # the entry's
    Column("data", LargeBinary, nullable=False),  # compressed by attachments.pack
)
OPEN_QUESTIONS = Table(
    "hallmark_ledger_open",
    METADATA,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("subject", Text, nullable=False),
    comment="what stands open (open_questions.py). What it says can be computed from the entries, and is by `verify`",
)
