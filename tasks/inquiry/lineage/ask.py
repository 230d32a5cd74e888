"""Where a record is, where the records of a person are, and what is in a dataset.

Every question raises Unavailable where an earlier version wrote an index that it would have to read: without that
dataset the answer would not be whole. `tasks.inquiry.lineage.build.renew` writes such an index anew where it can.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.core.errors import InputError
from tasks.core.files import tree_digest
from tasks.core.layout import Layout
from tasks.core.params.values import Sha256
from tasks.inquiry.lineage import form
from tasks.inquiry.lineage.form import Dataset, Keys
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


def datasets(state: Path) -> list[Dataset]:
    """Every dataset that was indexed, sorted by digest."""
    return [form.about(path) for path in form.paths(state)]


def dataset(state: Path, sha256: str) -> Dataset | None:
    """The dataset of that digest; None for one that was never indexed here."""
    path = form.folder(state) / sha256
    return form.about(path) if (path / form.ABOUT).exists() else None


def runs(state: Path, sha256: str) -> list[str]:
    """The runs that made a dataset, oldest first."""
    named = [path.name for path in (form.folder(state) / sha256 / "runs").glob("*")]
    return sorted(named, key=lambda run: (Layout(state / "runs" / run).made, run))


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
    return [found for one in datasets(state) for found in _members(state, one, [form.record_key(record_id)])]


def of_subjects(state: Path, tokens: list[str]) -> list[Membership]:
    """Where the records are that mention any of the tokens."""
    wanted = [form.subject_key(token) for token in tokens]
    found = []
    for one in datasets(state):
        subjects, records = (form.load(state, one, name) for name in ("subjects", "about"))
        keys = {int(key) for want in wanted for key in records[slice(*_range(subjects, want))]}
        found += _members(state, one, sorted(keys))
    return found


def of_dataset(state: Path, sha256: str) -> list[Membership]:
    """Every record on a side of a dataset, by source and row. Raises InputError for one that was never indexed here."""
    indexed = dataset(state, sha256)
    if indexed is None:
        raise InputError(f"there is no index of dataset {sha256[:12]} here; it is written when the data gate passes")
    found = _at(state, indexed, range(sum(indexed.rows.values())))
    on_a_side = (member for member in found if member.side in SIDES)
    return sorted(on_a_side, key=lambda member: (member.source_id, member.row))


def _members(state: Path, indexed: Dataset, keys: list[int]) -> list[Membership]:
    records = form.load(state, indexed, "records")
    places = [place for key in keys for place in range(*_range(records, key))]
    return _at(state, indexed, places) if places else []


def _at(state: Path, indexed: Dataset, places: Sequence[int]) -> list[Membership]:
    records, sides, sources, rows = (
        form.load(state, indexed, name) for name in ("records", "sides", "sources", "rows")
    )
    return [
        Membership(
            dataset=indexed.sha256,
            record=f"{int(records[place]):016x}",
            side=indexed.sides[sides[place]],
            source_id=indexed.sources[sources[place]].id,
            row=int(rows[place]),
        )
        for place in places
    ]


def _range(keys: Keys, key: int) -> tuple[int, int]:
    low, high = (int(np.searchsorted(keys, np.uint64(key), side)) for side in ("left", "right"))
    return low, high
