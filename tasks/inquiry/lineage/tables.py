"""Tables of the lineage index, in `.hallmark/lineage.db` (SQLite).

The index includes records that a stage quarantined or that `split` did not draw: no model was trained on them, but the
run still has them. The key of a record is the first 8 bytes of its id. The key of a person is the first 8 bytes of the
SHA-256 of their token. Rows are stored in the order of dataset and key, so a query takes one lookup per dataset,
however many records the dataset has. Each row names its source and partition in full. An earlier design stored
positions in a list instead, which once led to wrong sources.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sqlalchemy import Column, Engine, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.engine import Connection

from tasks.core.databases import database, migrations, secure_removal
from tasks.core.databases.migrations import Schema
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Unavailable
from tasks.core.files import sha256_bytes
from tasks.core.params.values import Sha256

DATABASE_FILE = "lineage.db"
QUARANTINED = "put aside"
NOT_DRAWN = "not drawn"
"""Value of `side` for a record that `split` did not draw, because the parameters limit the number of records."""
KEY_BYTES = 8

METADATA = MetaData()
DATASETS = Table(
    "hallmark_lineage",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("sha256", Text, nullable=False, unique=True),
    Column("about", Text, nullable=False),  # JSON of `IndexedDataset`
)
RUNS = Table(
    "hallmark_lineage_runs",
    METADATA,
    Column("dataset", Integer, primary_key=True),
    Column("run", Text, primary_key=True),  # its id
    sqlite_with_rowid=False,
)
RECORDS = Table(
    "hallmark_lineage_records",
    METADATA,
    Column("dataset", Integer, primary_key=True),
    Column("record", LargeBinary, primary_key=True),
    Column("source", Text, primary_key=True),  # its id
    Column("row", Integer, primary_key=True),  # 1-based data row of the source
    Column("side", Text, nullable=False),
    sqlite_with_rowid=False,
)
MENTIONS = Table(
    "hallmark_lineage_mentions",
    METADATA,
    Column("dataset", Integer, primary_key=True),
    Column("subject", LargeBinary, primary_key=True),
    Column("record", LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)
SCHEMA = Schema("lineage", METADATA, METADATA.create_all)


class IndexedSource(FrozenModel):
    id: str
    sha256: Sha256
    """SHA-256 of the content that the run read."""
    owner: str
    steward: str


class IndexedDataset(FrozenModel):
    sha256: Sha256
    """Digest of the folder artefacts/split (`tasks.core.files.tree_digest`), which the data gate approves."""
    use_case: str
    sources: tuple[IndexedSource, ...]
    """Sources of the dataset, from the run's inputs/sources.json."""
    rows: dict[str, int]
    """Number of records by partition, including QUARANTINED and NOT_DRAWN."""

    @property
    def source_digests(self) -> dict[str, Sha256]:
        return {source.id: source.sha256 for source in self.sources}


@contextmanager
def open_for_writing(state: Path) -> Iterator[Connection]:
    engine = _open_engine(state)
    with _translating_errors(state):
        migrations.migrate(engine, SCHEMA)
        with engine.begin() as connection:
            yield connection


@contextmanager
def open_for_reading(state: Path) -> Iterator[Connection | None]:
    """Yield a read-only connection to one snapshot of the index, or None if nothing has been indexed yet."""
    if not (state / DATABASE_FILE).exists():
        yield None
        return
    engine = _open_engine(state)
    with _translating_errors(state):
        if not migrations.is_schema_current(engine, SCHEMA):
            migrations.migrate(engine, SCHEMA)
        with engine.connect().execution_options(takes_turn=False) as connection:
            yield connection


def empty_log(state: Path) -> None:
    """Move the write-ahead log, which has the earlier bytes of removed rows, to the database file."""
    with _translating_errors(state):
        secure_removal.empty_log(_open_engine(state))


def require_no_earlier_index(state: Path) -> None:
    """Raise Unavailable if there is an index of an earlier version.

    Results without the datasets of that index would be incomplete.
    """
    if (old := state / "lineage").is_dir():
        raise Unavailable(
            f"{old}: an earlier version of Hallmark wrote this index, and this version cannot read it. Delete the "
            "folder; the datasets in it are then not looked in"
        )


def subject_key(token: str) -> bytes:
    return bytes.fromhex(sha256_bytes(token.encode()))[:KEY_BYTES]


def record_key(record_id: str) -> bytes:
    return bytes.fromhex(record_id[: 2 * KEY_BYTES])


def _open_engine(state: Path) -> Engine:
    return database.sqlite_engine(state / DATABASE_FILE)


def _translating_errors(state: Path) -> AbstractContextManager[None]:
    return database.translate_database_errors(f"the index of lineage at {state / DATABASE_FILE}")
