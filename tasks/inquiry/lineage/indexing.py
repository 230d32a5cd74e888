"""Addition of a dataset to the lineage index."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from tasks.core.files import read_stage_json, tree_digest
from tasks.core.layout import Layout
from tasks.core.records.record import read_batches, read_table
from tasks.inquiry.lineage import tables
from tasks.inquiry.lineage.tables import (
    DATASETS,
    MENTIONS,
    NOT_DRAWN,
    QUARANTINED,
    RECORDS,
    RUNS,
    IndexedDataset,
    IndexedSource,
)
from tasks.sources.dataset import PARTITIONS
from tasks.sources.resolved_sources import load_resolved

ROWS_PER_BATCH = 50_000


class IndexedRecord(NamedTuple):
    key: bytes
    source: str
    row: int
    side: str


class Mention(NamedTuple):
    subject: bytes
    record: bytes


def add_dataset(layout: Layout, use_case: str) -> IndexedDataset:
    """Add a run's dataset to the index. If an earlier run made the same dataset, only the run is added."""
    sha256 = tree_digest(layout.artefacts("split"))
    about = _indexed_dataset(layout.state, sha256)
    if about is None:
        records = _records_by_partition(layout)
        about = _describe_dataset(layout, sha256, use_case, records)
        write_index(layout.state, about, _indexed_records(records), _read_mentions(layout))
    with tables.open_for_writing(layout.state) as connection:
        of_run = {"dataset": _dataset_number(connection, sha256), "run": layout.root.name}
        connection.execute(insert(RUNS).prefix_with("OR IGNORE"), of_run)
    return about


def _indexed_dataset(state: Path, sha256: str) -> IndexedDataset | None:
    with tables.open_for_reading(state) as connection:
        about = connection and connection.scalar(select(DATASETS.c.about).where(DATASETS.c.sha256 == sha256))
    return IndexedDataset.model_validate_json(about) if about else None


def write_index(
    state: Path, about: IndexedDataset, records: Iterable[IndexedRecord], mentions: Iterable[Mention]
) -> None:
    """Write the index entries of a dataset in one transaction.

    Writing is fastest if records and mentions are sorted by key.
    """
    with tables.open_for_writing(state) as connection:
        if _dataset_number(connection, about.sha256) is not None:
            return  # another run has made the same dataset meanwhile
        connection.execute(insert(DATASETS), {"sha256": about.sha256, "about": about.model_dump_json()})
        number = _dataset_number(connection, about.sha256)
        _insert_rows(connection, RECORDS.name, 5, ((number, *record) for record in records))
        _insert_rows(connection, MENTIONS.name, 3, ((number, *mention) for mention in mentions))


def _dataset_number(connection: Connection, sha256: str) -> int | None:
    return connection.scalar(select(DATASETS.c.number).where(DATASETS.c.sha256 == sha256))


def _insert_rows(connection: Connection, table: str, columns: int, rows: Iterator[tuple[Any, ...]]) -> None:
    """Insert rows through the SQLite driver directly.

    SQLAlchemy spends more time on each row than SQLite does.
    """
    statement = f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"
    while some := list(islice(rows, ROWS_PER_BATCH)):
        connection.exec_driver_sql(statement, some)


def _describe_dataset(layout: Layout, sha256: str, use_case: str, records: pa.Table) -> IndexedDataset:
    pairs = Counter(zip(records["source_id"].to_pylist(), records["side"].to_pylist(), strict=True))
    _require_manifest_counts(pairs, layout)
    rows = {
        side: sum(n for (_, other), n in pairs.items() if other == side)
        for side in (*PARTITIONS, QUARANTINED, NOT_DRAWN)
    }
    return IndexedDataset(sha256=sha256, use_case=use_case, sources=tuple(_indexed_sources(layout)), rows=rows)


def _indexed_sources(layout: Layout) -> Iterator[IndexedSource]:
    for item in load_resolved(layout.sources_path).sources:
        yield IndexedSource(id=item.source.id, sha256=item.sha256, owner=item.source.owner, steward=item.source.steward)


def _records_by_partition(layout: Layout) -> pa.Table:
    records = read_table(layout.artefacts("ingest") / "rows.parquet", ["record_id", "source_id", "row"])
    sides = pa.array([QUARANTINED] * len(records))
    for side, name in (*zip(PARTITIONS, PARTITIONS, strict=True), (NOT_DRAWN, "not_drawn")):
        held = read_table(layout.artefacts("split") / f"{name}.parquet", ["record_id"])["record_id"]
        sides = pc.if_else(pc.is_in(records["record_id"], held), side, sides)
    return records.append_column("side", sides).sort_by("record_id")


def _indexed_records(records: pa.Table) -> Iterator[IndexedRecord]:
    for batch in records.to_batches(ROWS_PER_BATCH):
        columns: Sequence[list[Any]] = [batch[name].to_pylist() for name in ("record_id", "source_id", "row", "side")]
        for record_id, source, row, side in zip(*columns, strict=True):
            yield IndexedRecord(tables.record_key(record_id), source, row, side)


def _read_mentions(layout: Layout) -> list[Mention]:
    mentions: set[Mention] = set()
    for batch in read_batches(layout.artefacts("ingest") / "records.parquet", ["record_id", "subjects"]):
        for record_id, tokens in zip(batch["record_id"].to_pylist(), batch["subjects"].to_pylist(), strict=True):
            mentions |= {Mention(tables.subject_key(token), tables.record_key(record_id)) for token in tokens}
    return sorted(mentions)


def _require_manifest_counts(rows: Counter[tuple[str, str]], layout: Layout) -> None:
    """Require the numbers of records to equal those in the manifest, which the dataset's owners have signed.

    Raises:
        AssertionError: A number differs.
    """
    origins = read_stage_json(layout.artefacts("split") / "manifest.json")["sources"]
    signed = {(name, side): origin["rows"][side] for name, origin in origins.items() for side in PARTITIONS}
    if wrong := [(pair, signed[pair], rows[pair]) for pair in signed if signed[pair] != rows[pair]]:
        (name, side), said, counted = wrong[0]
        raise AssertionError(f"lineage: the manifest has {said} {side} records of {name}, and the index {counted}")
