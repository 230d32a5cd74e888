"""Pairs of contradictory records, with the rule that decided which record of each pair was kept.

The texts are those that `clean` wrote, with tokens in place of personal values. The vault is therefore not read. No
ledger entry is written either, because entries about masked texts would hide those about access to values. The texts
are still customers' words, so they are shown only to people with access to single records of both sources.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.core.records.record import SMALL_BATCH_ROWS, read_batches, read_table
from tasks.inquiry.access import Access
from tasks.sources.resolved_sources import load_resolved
from tasks.sources.sources import Source
from tasks.stages.data.conversations import prompts, targets
from tasks.stages.data.deduplicate.verdicts import CONFLICT_KEPT, CONFLICT_PARAPHRASED, CONFLICT_UNDECIDED

DECIDED_RULE = "conflict"
Kind = Literal["all", "undecided", "paraphrased"]
"""Kinds of contradictions to list: all, those that no rule decided, and possible ones between paraphrases."""
RULES_LEFT_OUT: Mapping[Kind, frozenset[str]] = {
    "all": frozenset(),
    "undecided": frozenset({DECIDED_RULE, CONFLICT_PARAPHRASED}),
    "paraphrased": frozenset({DECIDED_RULE, CONFLICT_UNDECIDED, CONFLICT_KEPT}),
}
RECORD_COLUMNS = ("record_id", "source_id", "messages", "effective_from", "retired_at")


class PairRecord(FrozenModel):
    record_id: str
    source_id: str
    row: int
    """Number of the data row in the source, counted from 1."""
    owner: str
    authority: int
    effective_from: date | None
    retired_at: date | None
    prompt: str
    target: str
    kept: bool


class Pair(FrozenModel):
    """Contradiction: two records that ask the same and have different targets."""

    went: PairRecord
    other: PairRecord
    """Record that was kept in place of the one in `went`. In an undecided pair, either both records were kept or
    neither."""
    jaccard: float | None
    """Jaccard similarity of the prompts; None for paraphrases."""
    likeness: float | None = None
    """Likeness of the prompts' meanings, from 0 to 1, for a possible contradiction between paraphrases. None for a
    contradiction by the words."""
    decided_by: str
    """Reason why the other record was kept; empty if the pair is undecided."""


class Conflicts(FrozenModel):
    run: str
    total: int
    """Number of contradictions that the person has access to."""
    withheld: int
    """Number of contradictions that the person has no access to."""
    pairs: list[Pair]
    """Pairs to show: undecided pairs, then decided ones, then paraphrases, those most alike first. There can be fewer
    than `total`."""


def conflicts_path(layout: Layout) -> Path:
    return layout.artefacts("deduplicate") / "conflicts.parquet"


def find_conflicts(layout: Layout, access: Access, max_pairs: int, kind: Kind = "all") -> Conflicts:
    """Return the contradictions of a run to which a person has access.

    Args:
        layout: Worktree of the run.
        access: Access of the person.
        max_pairs: Maximum number of pairs in the result.
        kind: Kind of contradictions to list.

    Raises:
        InputError: Stage `deduplicate` of the run has not finished.
        Refused: The run has contradictions, but the person has access to none of them.
    """
    if not conflicts_path(layout).exists():
        raise InputError(f"run {layout.root.name} has no conflicts here; name one that has been through `deduplicate`")
    resolved = load_resolved(layout.sources_path)
    sources = {item.source.id: item.source for item in resolved.sources}
    left_out = RULES_LEFT_OUT[kind]
    entries = [entry for entry in list_conflict_entries(layout) if entry["rule"] not in left_out]
    places = _record_locations(layout, entries)
    looker = access.limit_to_run(layout)
    allowed = {name for name, source in sources.items() if looker.may_read(source)}
    shown = [entry for entry in entries if _source_ids(entry, places) <= allowed]
    if entries and not shown:
        needed = sorted(set.union(*(_source_ids(entry, places) for entry in entries)) - allowed)
        raise Refused(
            f"{access.person.id} may see none of the {len(entries):,} conflicts of run {layout.root.name}: "
            + (looker.denial_reason or f"that takes owner, steward or a role in `access` of {', '.join(needed)}")
        )
    sides = _pair_records(layout, shown[:max_pairs], sources, places)
    return Conflicts(
        run=layout.root.name,
        total=len(shown),
        withheld=len(entries) - len(shown),
        pairs=[_make_pair(entry, sides) for entry in shown[:max_pairs]],
    )


def list_conflict_entries(layout: Layout) -> list[dict[str, Any]]:
    return _unique_pairs(read_table(conflicts_path(layout)))


def _unique_pairs(table: pa.Table) -> list[dict[str, Any]]:
    """Return each pair once, in the order of `Conflicts.pairs`.

    The table contains an undecided pair twice, once for each record.
    """
    pairs = {frozenset((entry["record_id"], entry["other"])): entry for entry in reversed(table.to_pylist())}
    last = (DECIDED_RULE, CONFLICT_PARAPHRASED)
    return sorted(
        pairs.values(),
        key=lambda entry: (
            last.index(entry["rule"]) if entry["rule"] in last else -1,
            -(entry.get("likeness") or 0),
            entry["record_id"],
        ),
    )


def _record_ids(entries: Iterable[Mapping[str, Any]]) -> pa.Array:
    return pa.array(sorted({entry[end] for entry in entries for end in ("record_id", "other")}), pa.string())


def _record_locations(layout: Layout, entries: list[dict[str, Any]]) -> dict[str, tuple[str, int]]:
    rows = read_table(layout.artefacts("ingest") / "rows.parquet")
    named = rows.filter(pc.is_in(rows["record_id"], value_set=_record_ids(entries))).to_pylist()
    return {row["record_id"]: (row["source_id"], row["row"]) for row in named}


def _source_ids(entry: Mapping[str, Any], places: dict[str, tuple[str, int]]) -> set[str]:
    return {places[entry[end]][0] for end in ("record_id", "other")}


def _pair_records(
    layout: Layout, entries: list[dict[str, Any]], sources: dict[str, Source], places: dict[str, tuple[str, int]]
) -> dict[str, PairRecord]:
    """Return the records of the given pairs by id.

    Raises:
        Refused: Files of the run disagree about the source of a record. The source determines who has access.
    """
    both = (CONFLICT_KEPT, CONFLICT_PARAPHRASED)
    kept = {entry["other"] for entry in entries if entry["rule"] in (DECIDED_RULE, *both)}
    kept |= {entry["record_id"] for entry in entries if entry["rule"] in both}
    return {
        record["record_id"]: PairRecord(
            record_id=record["record_id"],
            source_id=_require_same_source(record, places),
            row=places[record["record_id"]][1],
            owner=sources[record["source_id"]].owner,
            authority=sources[record["source_id"]].authority,
            effective_from=record["effective_from"],
            retired_at=record["retired_at"],
            prompt=record["prompt"],
            target=record["target"],
            kept=record["record_id"] in kept,
        )
        for record in _read_records(layout, _record_ids(entries))
    }


def _require_same_source(record: Mapping[str, Any], places: dict[str, tuple[str, int]]) -> str:
    source_id = str(record["source_id"])
    if places[record["record_id"]][0] != source_id:
        raise Refused(f"files of the run disagree about the source of record {record['record_id']}; nothing is shown")
    return source_id


def _read_records(layout: Layout, ids: pa.Array) -> Iterator[dict[str, Any]]:
    for batch in read_batches(layout.artefacts("clean") / "records.parquet", RECORD_COLUMNS, SMALL_BATCH_ROWS):
        records = batch.filter(pc.is_in(batch["record_id"], value_set=ids))
        halves = (half(records["messages"]).to_pylist() for half in (prompts, targets))
        for record, prompt, target in zip(records.to_pylist(), *halves, strict=True):
            yield record | {"prompt": prompt, "target": target}


def _make_pair(entry: dict[str, Any], sides: dict[str, PairRecord]) -> Pair:
    went, other = sides[entry["record_id"]], sides[entry["other"]]
    decided_by = _precedence_reason(went, other) if entry["rule"] == DECIDED_RULE else ""
    likeness = entry.get("likeness")  # earlier versions of Hallmark looked for no paraphrases
    return Pair(went=went, other=other, jaccard=entry["jaccard"], likeness=likeness, decided_by=decided_by)


def _precedence_reason(went: PairRecord, other: PairRecord) -> str:
    if other.authority != went.authority:
        return f"higher authority, {other.authority} over {went.authority}"
    return f"newer date, {other.effective_from} over {went.effective_from or 'none'}"
