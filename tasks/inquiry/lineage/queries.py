"""Queries of the lineage index: for a record, for the records of a person, and for a dataset.

Every query raises Unavailable if there is an index that an earlier version wrote in another format, because results
without the datasets of that index would be incomplete.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, select

from tasks.core.errors import InputError
from tasks.core.files import tree_digest
from tasks.core.layout import Layout
from tasks.core.params.values import Sha256
from tasks.inquiry.lineage import tables
from tasks.inquiry.lineage.tables import DATASETS, KEY_BYTES, MENTIONS, RECORDS, RUNS, IndexedDataset
from tasks.sources.dataset import PARTITIONS


@dataclass(frozen=True)
class Membership:
    """Partition of a record in a dataset. Records that were quarantined or not drawn have a membership too."""

    dataset: Sha256
    record: str
    """First 16 hex digits of the record's id."""
    side: str
    """Partition of the dataset; QUARANTINED or NOT_DRAWN if the record is in neither."""
    source_id: str
    row: int
    """Number of the data row in the source, counted from 1."""


KEYS_PER_QUERY = 500
DATASET_NUMBERS = select(DATASETS.c.number)
"""Subquery for the numbers of all datasets.

A condition with this subquery lets SQLite look up a key in each dataset, instead of scanning all rows.
"""
SELECT_MEMBERSHIPS = (
    select(DATASETS.c.sha256, RECORDS.c.record, RECORDS.c.side, RECORDS.c.source, RECORDS.c.row)
    .join(DATASETS, RECORDS.c.dataset == DATASETS.c.number)
    .order_by(DATASETS.c.sha256, RECORDS.c.record)
)


def list_datasets(state: Path) -> list[IndexedDataset]:
    return list(map(_parse_dataset, _query_rows(state, select(DATASETS.c.about).order_by(DATASETS.c.sha256))))


def find_dataset(state: Path, sha256: str) -> IndexedDataset | None:
    rows = _query_rows(state, select(DATASETS.c.about).where(DATASETS.c.sha256 == sha256))
    return _parse_dataset(rows[0]) if rows else None


def runs_with_dataset(state: Path, sha256: str) -> list[str]:
    named = _query_rows(
        state, select(RUNS.c.run).join(DATASETS, RUNS.c.dataset == DATASETS.c.number).where(DATASETS.c.sha256 == sha256)
    )
    return sorted((run for (run,) in named), key=lambda run: (Layout(state / "runs" / run).resolved_at, run))


def indexed_runs(state: Path) -> set[str]:
    """Return the ids of all runs whose dataset is in the index."""
    return {run for (run,) in _query_rows(state, select(RUNS.c.run).distinct())}


def local_run_with_dataset(state: Path, sha256: str) -> Layout | None:
    """Return a run on this machine that still has the unchanged dataset, or None if there is none."""
    for run in runs_with_dataset(state, sha256):
        layout = Layout(state / "runs" / run)
        try:
            if layout.artefacts("split").is_dir() and tree_digest(layout.artefacts("split")) == sha256:
                return layout
        except (OSError, ValueError):
            continue
    return None


def memberships_of_record(state: Path, record_id: str) -> list[Membership]:
    """Return the memberships of the records whose id begins with `record_id`."""
    low, high = (tables.record_key(record_id.ljust(2 * KEY_BYTES, digit)) for digit in "0f")
    here = RECORDS.c.dataset.in_(DATASET_NUMBERS) & RECORDS.c.record.between(low, high)
    return _query_memberships(state, SELECT_MEMBERSHIPS.where(here))


def memberships_of_subjects(state: Path, tokens: list[str]) -> list[Membership]:
    keys = [tables.subject_key(token) for token in tokens]
    wanted = MENTIONS.c.dataset.in_(DATASET_NUMBERS) & MENTIONS.c.subject.in_(keys)
    named = select(MENTIONS.c.dataset, MENTIONS.c.record).where(wanted).distinct().subquery()
    same = (RECORDS.c.dataset == named.c.dataset) & (RECORDS.c.record == named.c.record)
    return _query_memberships(state, SELECT_MEMBERSHIPS.join(named, same))


def subjects_of_records(state: Path, record_ids: Collection[str]) -> dict[str, set[bytes]]:
    """Return the keys of all people that records mention, by the first 16 hex digits of the record's id.

    The query reads all mentions, because they are stored in the order of people.
    """
    keys = [tables.record_key(record_id) for record_id in sorted(record_ids)]
    found: dict[str, set[bytes]] = {}
    for start in range(0, len(keys), KEYS_PER_QUERY):
        part = keys[start : start + KEYS_PER_QUERY]
        wanted = select(MENTIONS.c.record, MENTIONS.c.subject).where(MENTIONS.c.record.in_(part)).distinct()
        for row in _query_rows(state, wanted):
            found.setdefault(row.record.hex(), set()).add(row.subject)
    return found


def memberships_of_dataset(state: Path, sha256: str) -> list[Membership]:
    if find_dataset(state, sha256) is None:
        raise InputError(f"there is no index of dataset {sha256[:12]} here; it is written when the data gate passes")
    members = _query_memberships(
        state, SELECT_MEMBERSHIPS.where(DATASETS.c.sha256 == sha256, RECORDS.c.side.in_(PARTITIONS))
    )
    return sorted(members, key=lambda member: (member.source_id, member.row))


def _query_memberships(state: Path, query: Select[Any]) -> list[Membership]:
    return [
        Membership(row.sha256, row.record.hex(), row.side, row.source, row.row) for row in _query_rows(state, query)
    ]


def _query_rows(state: Path, query: Select[Any]) -> list[Row[Any]]:
    tables.require_no_earlier_index(state)
    with tables.open_for_reading(state) as connection:
        return [] if connection is None else list(connection.execute(query))


def _parse_dataset(row: Row[Any]) -> IndexedDataset:
    return IndexedDataset.model_validate_json(row.about)
