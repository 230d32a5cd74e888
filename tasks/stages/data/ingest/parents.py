"""Parents of synthetic records: their references are resolved, and children of records that are not there are rejected.

A synthetic record is about the people that its parents are about, so it gets their `subjects`. Searches for a person
and erasures find it by them. A record that was made from an erased person's record is left out with it.
"""

from collections import Counter, defaultdict
from collections.abc import Set
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.records.record import QUARANTINE_SCHEMA, RECORD_SCHEMA, read_batches, read_table, write_batches
from tasks.core.records.synthetic import SYNTHETIC_FILE, SYNTHETIC_SCHEMA, find_descendants
from tasks.stages.data.ingest.batch_processor import ROWS_SCHEMA
from tasks.stages.data.ingest.inherited_subjects import MAX_SUBJECTS, InheritedSubjects
from tasks.stages.data.quarantine import quarantine_entry, to_quarantine_table

UNKNOWN, REJECTED, EXCESSIVE = "unknown_parent", "parent_rejected", "bad_parents"
REASONS = {
    UNKNOWN: "is synthetic, and a parent that it names is no row of the run's sources",
    REJECTED: "is synthetic, and a record that it was made from was quarantined or leads back to it",
    EXCESSIVE: f"is synthetic, and its parents and theirs are about more than {MAX_SUBJECTS:,} people",
}
RowKey = tuple[str, int]


class _Family(NamedTuple):
    parents: dict[str, list[str]]
    """Ids of the parents of each accepted synthetic record, with parents before their children."""
    rejected: dict[str, str]
    """Rule by id of each other synthetic record."""


def link_parents(folder: Path) -> dict[str, Counter[str]]:
    """Resolve the parents of the synthetic records in the tables of `ingest`, and move rejected ones to the quarantine.

    Returns:
        Number of newly rejected rows by rule, by source.
    """
    table = read_table(folder / SYNTHETIC_FILE)
    if not len(table):
        return {}
    family = _resolve_family(table, folder)
    subjects = InheritedSubjects(family.parents, folder / "records.parquet")
    family = _without(family, subjects.excessive)
    gone = pa.array(sorted(family.rejected), pa.string())
    rejected = _take_rows(folder, gone)
    _rewrite_records(folder, gone, subjects)
    _rewrite(folder / "rows.parquet", ROWS_SCHEMA, gone)
    _write_accepted(table, family, folder / SYNTHETIC_FILE)
    entries = [
        quarantine_entry(row["source_id"], row["row"], rule, REASONS[rule])
        for row in rejected
        if (rule := family.rejected[row["record_id"]])
    ]
    _append_quarantine(folder, entries)
    counts = defaultdict[str, Counter[str]](Counter)
    for entry in entries:
        counts[entry["source_id"]][entry["rule"]] += 1
    return dict(counts)


def _resolve_family(synthetic: pa.Table, folder: Path) -> _Family:
    """Accept each synthetic record after all of its parents, so that records in a circle are never accepted."""
    references = dict(zip(synthetic["record_id"].to_pylist(), synthetic["parents"].to_pylist(), strict=True))
    named = {reference for own in references.values() for reference in own}
    ids, quarantined = _find_rows(named, folder)
    left = {child: list(dict.fromkeys(ids.get(each, each) for each in own)) for child, own in references.items()}
    accepted: dict[str, list[str]] = {}
    children = defaultdict[str, list[str]](list)
    waiting: dict[str, int] = {}
    records = set(ids.values())
    for child, own in left.items():
        waiting[child] = sum(each in left or each not in records for each in own)
        for parent in own:
            children[parent].append(child)
    ready = [child for child, count in waiting.items() if not count]
    while ready:
        child = ready.pop()
        accepted[child] = left[child]
        for grandchild in children[child]:
            waiting[grandchild] -= 1
            if not waiting[grandchild]:
                ready.append(grandchild)
    known = ids.keys() | quarantined
    rejected = {
        child: REJECTED if known.issuperset(references[child]) else UNKNOWN for child in left.keys() - accepted.keys()
    }
    return _Family(accepted, rejected)


def _without(family: _Family, excessive: Set[str]) -> _Family:
    """Reject further records, and all records that were made from them."""
    below = find_descendants(family.parents, excessive)
    rules = {child: EXCESSIVE if child in excessive else REJECTED for child in excessive | below}
    accepted = {child: own for child, own in family.parents.items() if child not in rules}
    return _Family(accepted, family.rejected | rules)


def _write_accepted(table: pa.Table, family: _Family, path: Path) -> None:
    kept = table.filter(pc.is_in(table["record_id"], pa.array(list(family.parents), pa.string())))
    own = [family.parents[child] for child in kept["record_id"].to_pylist()]
    place = SYNTHETIC_SCHEMA.get_field_index("parents")
    linked = kept.set_column(place, "parents", pa.array(own, SYNTHETIC_SCHEMA.field(place).type))
    write_batches(linked.cast(SYNTHETIC_SCHEMA).to_batches(), SYNTHETIC_SCHEMA, path)


def _find_rows(references: set[str], folder: Path) -> tuple[dict[str, str], set[str]]:
    """Return the record id by reference, and the references to rows that `ingest` quarantined."""
    ids: dict[str, str] = {}
    for batch in read_batches(folder / "rows.parquet"):
        names = _row_references(batch)
        for name, record_id in zip(names, batch["record_id"].to_pylist(), strict=True):
            if name in references:
                ids[name] = record_id
            if record_id in references:
                ids[record_id] = record_id
    quarantined: set[str] = set()
    for batch in read_batches(folder / "quarantine.parquet", ["source_id", "row"]):
        quarantined.update(references.intersection(_row_references(batch)))
    return ids, quarantined


def _row_references(batch: pa.RecordBatch) -> list[str]:
    names: list[str] = pc.binary_join_element_wise(batch["source_id"], batch["row"].cast(pa.string()), ":").to_pylist()
    return names


def _take_rows(folder: Path, record_ids: pa.Array) -> list[dict[str, Any]]:
    rows = read_table(folder / "rows.parquet")
    taken: list[dict[str, Any]] = rows.filter(pc.is_in(rows["record_id"], record_ids)).to_pylist()
    return taken


def _rewrite_records(folder: Path, gone: pa.Array, subjects: InheritedSubjects) -> None:
    place = RECORD_SCHEMA.get_field_index("subjects")

    def inherit(batch: pa.RecordBatch) -> pa.RecordBatch:
        inherited = [subjects.subjects_of(name) for name in batch["record_id"].to_pylist()]
        if not any(inherited):
            return batch
        own = [new or old for new, old in zip(inherited, batch["subjects"].to_pylist(), strict=True)]
        return batch.set_column(place, RECORD_SCHEMA.field(place), pa.array(own, RECORD_SCHEMA.field(place).type))

    _rewrite(folder / "records.parquet", RECORD_SCHEMA, gone, inherit)


def _rewrite(path: Path, schema: pa.Schema, gone: pa.Array, change: Any = lambda batch: batch) -> None:
    aside = path.with_suffix(".linked")
    write_batches(
        (change(batch.filter(pc.invert(pc.is_in(batch["record_id"], gone)))) for batch in read_batches(path)),
        schema,
        aside,
    )
    aside.replace(path)


def _append_quarantine(folder: Path, entries: list[dict[str, Any]]) -> None:
    path = folder / "quarantine.parquet"
    table = pa.concat_tables([read_table(path), to_quarantine_table(entries)])
    order = {name: place for place, name in enumerate(dict.fromkeys(table["source_id"].to_pylist()))}
    turn = pa.array([order[name] for name in table["source_id"].to_pylist()], pa.int64())
    rows = table.append_column("turn", turn).sort_by([("turn", "ascending"), ("row", "ascending")])
    write_batches(rows.select(QUARANTINE_SCHEMA.names).to_batches(), QUARANTINE_SCHEMA, path)
