"""Runs and datasets that have a record of a person.

The index of lineage has the datasets that passed their data gate. Of other runs, the records in the worktree are read.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.layout import Layout
from tasks.core.records.record import read_table
from tasks.erase.subject import SubjectRecord
from tasks.inquiry.lineage import queries
from tasks.inquiry.lineage.queries import Membership

KEY_DIGITS = 16
"""Number of leading hex digits of a record's id that the index of lineage stores."""


class Affected(NamedTuple):
    records: dict[str, SubjectRecord]
    """Records by the first digits of their id."""
    runs: list[str]
    """Ids of the runs, sorted."""
    datasets: list[str]
    """Digests of the datasets, sorted."""


def find_affected(state: Path, tokens: Collection[str], record_keys: Collection[str] = ()) -> Affected:
    """Find the runs and datasets with records that mention one of the tokens, or that are named by their key.

    Raises:
        Unavailable: The index of lineage is of an earlier version.
    """
    members = index_memberships(state, tokens, record_keys)
    known = {member.record for member in members} | set(record_keys)
    records = {
        each.record: SubjectRecord(record=each.record, source_id=each.source_id, row=each.row) for each in members
    }
    datasets = {each.dataset for each in members}
    runs = {run for sha256 in datasets for run in queries.runs_with_dataset(state, sha256)}
    for layout in runs_outside_index(state):
        own = _records_in(layout, tokens, known)
        records |= own
        runs |= {layout.root.name} if own else set()
    return Affected(records, sorted(runs), sorted(datasets))


def index_memberships(state: Path, tokens: Collection[str], record_keys: Collection[str]) -> set[Membership]:
    """Return what the index of lineage has about the records that mention one of the tokens, or have a key."""
    members = set(queries.memberships_of_subjects(state, sorted(tokens)))
    known = {member.record for member in members} | set(record_keys)
    return members | {each for key in known for each in queries.memberships_of_record(state, key)}


def runs_outside_index(state: Path) -> Iterator[Layout]:
    """Yield the worktrees with records that the index of lineage does not have."""
    indexed = queries.indexed_runs(state)
    for path in sorted((state / "runs").glob("*/artefacts/ingest/records.parquet")):
        layout = Layout(path.parents[2])
        if layout.root.name not in indexed:
            yield layout


def select_records(layout: Layout, columns: list[str], tokens: Collection[str], keys: Collection[str]) -> pa.Table:
    """Return the records of a run that mention a token or have a key, with the given columns."""
    table = read_table(layout.artefacts("ingest") / "records.parquet", list({"record_id", "subjects", *columns}))
    table = table.append_column("key", pc.utf8_slice_codeunits(table["record_id"], 0, KEY_DIGITS))
    subjects = table["subjects"].combine_chunks()
    named = pc.is_in(pc.list_flatten(subjects), pa.array(sorted(tokens), pa.string()))
    rows = pc.unique(pc.list_parent_indices(subjects).filter(named))
    mentions = pc.is_in(pa.array(np.arange(len(table))), rows.cast(pa.int64()))
    return table.filter(pc.or_(mentions, pc.is_in(table["key"], pa.array(sorted(keys), pa.string()))))


def _records_in(layout: Layout, tokens: Collection[str], keys: Collection[str]) -> dict[str, SubjectRecord]:
    own = set(select_records(layout, [], tokens, keys)["record_id"].to_pylist())
    if not own:
        return {}
    rows = read_table(layout.artefacts("ingest") / "rows.parquet")
    found = rows.filter(pc.is_in(rows["record_id"], pa.array(sorted(own), pa.string()))).to_pylist()
    return {
        key: SubjectRecord(record=key, source_id=each["source_id"], row=each["row"])
        for each in found
        if (key := each["record_id"][:KEY_DIGITS])
    }
