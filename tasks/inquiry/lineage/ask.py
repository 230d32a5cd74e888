"""Where a record is, where the records of a person are, and what is in a dataset.

Every question raises Unavailable where an earlier version wrote an index: without its datasets the answer would not be
whole.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, select

from tasks.core.errors import InputError
from tasks.core.files import tree_digest
from tasks.core.layout import Layout
from tasks.core.params.values import Sha256
from tasks.inquiry.lineage import tables
from tasks.inquiry.lineage.tables import DATASETS, MENTIONS, RECORDS, RUNS, Dataset
from tasks.sources.dataset import SIDES


@dataclass(frozen=True)
class Membership:
    """A record in a dataset, or put aside when it was made."""

    dataset: Sha256
    record: str
    """The first 16 hex digits of its id."""
    side: str
    """Of the dataset; ASIDE or NOT_DRAWN of a record that is on none."""
    source_id: str
    row: int
    """1-based data row of its source."""


NUMBERS = select(DATASETS.c.number)
"""Named where a key is looked for: SQLite takes one look for each of them, and else reads all rows."""
MEMBERS = (
    select(DATASETS.c.sha256, RECORDS.c.record, RECORDS.c.side, RECORDS.c.source, RECORDS.c.row)
    .join(DATASETS, RECORDS.c.dataset == DATASETS.c.number)
    .order_by(DATASETS.c.sha256, RECORDS.c.record)
)


def datasets(state: Path) -> list[Dataset]:
    """Every dataset that was indexed, sorted by digest."""
    return list(map(_dataset, _rows(state, select(DATASETS.c.about).order_by(DATASETS.c.sha256))))


def dataset(state: Path, sha256: str) -> Dataset | None:
    """The dataset of that digest; None for one that was never indexed here."""
    rows = _rows(state, select(DATASETS.c.about).where(DATASETS.c.sha256 == sha256))
    return _dataset(rows[0]) if rows else None


def runs(state: Path, sha256: str) -> list[str]:
    """The runs that made a dataset, oldest first."""
    named = _rows(
        state, select(RUNS.c.run).join(DATASETS, RUNS.c.dataset == DATASETS.c.number).where(DATASETS.c.sha256 == sha256)
    )
    return sorted((run for (run,) in named), key=lambda run: (Layout(state / "runs" / run).made, run))


def run_that_has(state: Path, sha256: str) -> Layout | None:
    """A run on this machine whose dataset is still there, byte by byte."""
    for run in runs(state, sha256):
        layout = Layout(state / "runs" / run)
        try:
            if layout.stage("split").is_dir() and tree_digest(layout.stage("split")) == sha256:
                return layout
        except (OSError, ValueError):
            continue
    return None


def of_record(state: Path, record_id: str) -> list[Membership]:
    """Where a record is."""
    here = RECORDS.c.dataset.in_(NUMBERS) & (RECORDS.c.record == tables.record_key(record_id))
    return _members(state, MEMBERS.where(here))


def of_subjects(state: Path, tokens: list[str]) -> list[Membership]:
    """Where the records are that mention any of the tokens."""
    keys = [tables.subject_key(token) for token in tokens]
    wanted = MENTIONS.c.dataset.in_(NUMBERS) & MENTIONS.c.subject.in_(keys)
    named = select(MENTIONS.c.dataset, MENTIONS.c.record).where(wanted).distinct().subquery()
    same = (RECORDS.c.dataset == named.c.dataset) & (RECORDS.c.record == named.c.record)
    return _members(state, MEMBERS.join(named, same))


def of_dataset(state: Path, sha256: str) -> list[Membership]:
    """Every record on a side of a dataset, by source and row. Raises InputError for one that was never indexed here."""
    if dataset(state, sha256) is None:
        raise InputError(f"there is no index of dataset {sha256[:12]} here; it is written when the data gate passes")
    members = _members(state, MEMBERS.where(DATASETS.c.sha256 == sha256, RECORDS.c.side.in_(SIDES)))
    return sorted(members, key=lambda member: (member.source_id, member.row))


def _members(state: Path, query: Select[Any]) -> list[Membership]:
    return [Membership(row.sha256, row.record.hex(), row.side, row.source, row.row) for row in _rows(state, query)]


def _rows(state: Path, query: Select[Any]) -> list[Row[Any]]:
    tables.require_none_older(state)
    with tables.reading(state) as connection:
        return [] if connection is None else list(connection.execute(query))


def _dataset(row: Row[Any]) -> Dataset:
    return Dataset.model_validate_json(row.about)
