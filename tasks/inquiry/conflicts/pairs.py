"""The pairs of records that contradict each other, as far as a person may see them, and what decided between them.

Texts are as `clean` left them: tokens stand in the place of what was found about people. So nothing is read from the
vault, and a look leaves no entry on the ledger, where it would bury those at readable values. They are customers'
words all the same, so only who may see single records of both sources gets them.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.config import Frozen
from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.core.record import FEW, batches, read_table
from tasks.inquiry.access import Access
from tasks.sources.sources import Source, load_resolved
from tasks.stages.data.conversations import prompts, targets
from tasks.stages.data.deduplicate.verdicts import KEPT

DECIDED = "conflict"
"""The rule of a pair of which one is kept."""
READ = ("record_id", "source_id", "messages", "effective_from", "retired_at")


class Side(Frozen):
    """A record of a pair."""

    record_id: str
    source_id: str
    row: int
    """1-based data row of its source."""
    owner: str
    authority: int
    effective_from: date | None
    retired_at: date | None
    prompt: str
    target: str
    kept: bool


class Pair(Frozen):
    """Two records that ask the same and have different targets."""

    went: Side
    other: Side
    """Kept instead; where nothing decided, both stay or both went, as `kept` of the two says."""
    jaccard: float
    """Of their prompts."""
    decided_by: str
    """What the other has over the one that went; empty where nothing decided."""


class Conflicts(Frozen):
    run: str
    total: int
    """Pairs that the person may see, of those asked for."""
    withheld: int
    """Pairs of which they may not."""
    pairs: list[Pair]
    """The first of them, undecided ones before the others."""


def path(layout: Layout) -> Path:
    return layout.stage("deduplicate") / "conflicts.parquet"


def find(layout: Layout, access: Access, most: int, undecided: bool = False) -> Conflicts:
    """At most `most` pairs of a run, with `undecided` of those only where nothing decided.

    Raises InputError for a run without records, Refused where there are pairs and the person may see none.
    """
    if not path(layout).exists():
        raise InputError(f"run {layout.root.name} has no conflicts here; name one that has been through `deduplicate`")
    resolved = load_resolved(layout.sources)
    sources = {item.source.id: item.source for item in resolved.sources}
    entries = [entry for entry in named(layout) if not undecided or entry["rule"] != DECIDED]
    places = _places(layout, entries)
    looker = access.to(layout)
    allowed = {name for name, source in sources.items() if looker.sees(source)}
    shown = [entry for entry in entries if _sources(entry, places) <= allowed]
    if entries and not shown:
        needed = sorted(set.union(*(_sources(entry, places) for entry in entries)) - allowed)
        raise Refused(
            f"{access.person.id} may see none of the {len(entries):,} conflicts of run {layout.root.name}: "
            + (looker.closed or f"that takes owner, steward or a role in `access` of {', '.join(needed)}")
        )
    sides = _sides(layout, shown[:most], sources, places)
    return Conflicts(
        run=layout.root.name,
        total=len(shown),
        withheld=len(entries) - len(shown),
        pairs=[_pair(entry, sides) for entry in shown[:most]],
    )


def named(layout: Layout) -> list[dict[str, Any]]:
    """The pairs of a run, without their texts."""
    return _once(read_table(path(layout)))


def _once(table: pa.Table) -> list[dict[str, Any]]:
    """Each pair one time, though both of an undecided one cite each other; undecided ones first."""
    pairs = {frozenset((entry["record_id"], entry["other"])): entry for entry in reversed(table.to_pylist())}
    return sorted(pairs.values(), key=lambda entry: (entry["rule"] == DECIDED, entry["record_id"]))


def _ids(entries: Iterable[Mapping[str, Any]]) -> pa.Array:
    return pa.array(sorted({entry[end] for entry in entries for end in ("record_id", "other")}), pa.string())


def _places(layout: Layout, entries: list[dict[str, Any]]) -> dict[str, tuple[str, int]]:
    """Source and row of the records in pairs."""
    rows = read_table(layout.stage("ingest") / "rows.parquet")
    named = rows.filter(pc.is_in(rows["record_id"], value_set=_ids(entries))).to_pylist()
    return {row["record_id"]: (row["source_id"], row["row"]) for row in named}


def _sources(entry: Mapping[str, Any], places: dict[str, tuple[str, int]]) -> set[str]:
    """Of the two records of a pair."""
    return {places[entry[end]][0] for end in ("record_id", "other")}


def _sides(
    layout: Layout, entries: list[dict[str, Any]], sources: dict[str, Source], places: dict[str, tuple[str, int]]
) -> dict[str, Side]:
    """Raises Refused for a record that is of another source than its row: who may see it would be told wrongly."""
    kept = {entry["other"] for entry in entries if entry["rule"] in (DECIDED, KEPT)}
    kept |= {entry["record_id"] for entry in entries if entry["rule"] == KEPT}
    return {
        record["record_id"]: Side(
            record_id=record["record_id"],
            source_id=_agreed(record, places),
            row=places[record["record_id"]][1],
            owner=sources[record["source_id"]].owner,
            authority=sources[record["source_id"]].authority,
            effective_from=record["effective_from"],
            retired_at=record["retired_at"],
            prompt=record["prompt"],
            target=record["target"],
            kept=record["record_id"] in kept,
        )
        for record in _records(layout, _ids(entries))
    }


def _agreed(record: Mapping[str, Any], places: dict[str, tuple[str, int]]) -> str:
    source_id = str(record["source_id"])
    if places[record["record_id"]][0] != source_id:
        raise Refused(f"files of the run disagree about the source of record {record['record_id']}; nothing is shown")
    return source_id


def _records(layout: Layout, ids: pa.Array) -> Iterator[dict[str, Any]]:
    for batch in batches(layout.stage("clean") / "records.parquet", READ, FEW):
        records = batch.filter(pc.is_in(batch["record_id"], value_set=ids))
        halves = (half(records["messages"]).to_pylist() for half in (prompts, targets))
        for record, prompt, target in zip(records.to_pylist(), *halves, strict=True):
            yield record | {"prompt": prompt, "target": target}


def _pair(entry: dict[str, Any], sides: dict[str, Side]) -> Pair:
    went, other = sides[entry["record_id"]], sides[entry["other"]]
    decided_by = _reason(went, other) if entry["rule"] == DECIDED else ""
    return Pair(went=went, other=other, jaccard=entry["jaccard"], decided_by=decided_by)


def _reason(went: Side, other: Side) -> str:
    """Which rule of precedence told them apart; a retired record is an older edition there (`deduplicate.verdicts`)."""
    if other.authority != went.authority:
        return f"higher authority, {other.authority} over {went.authority}"
    return f"newer date, {other.effective_from} over {went.effective_from or 'none'}"
