"""Inventory of sources: owner, quality in past runs, and contribution to the last dataset."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from pydantic import computed_field

from tasks.core.documents.config import FrozenModel
from tasks.core.files import read_stage_bytes, read_stage_json
from tasks.core.formatting import format_share
from tasks.core.layout import Layout
from tasks.core.records.record import read_table
from tasks.core.steps.data import FILTER_STAGE_NAMES
from tasks.sources.dataset import PARTITIONS, Dataset, StageCounts, count_quarantined_by_rule
from tasks.sources.sources import Source, Sources

COMPARED_COLUMNS = ("department", "language", "kind")
IngestResults = list[tuple[Layout, dict[str, Any]]]
"""Runs that have finished `ingest`, oldest first, each with its results by source id."""


class SourceQuality(FrozenModel):
    run: str
    rows: int
    records: int
    quarantined_share: float
    """Fraction of the source's rows that stages have quarantined so far."""
    protected: int
    """Number of personal or secret values found in the source's texts."""


class SourceShare(FrozenModel):
    """Contribution of a source to the last dataset, which would be lost without the source."""

    rows: dict[str, int]
    """Number of rows from the source, by partition of the dataset."""
    share: float
    """Fraction of the dataset's rows that come from the source."""
    only_here: dict[str, list[str]]
    """Values of department, language and kind that no other source has, by column."""


class InventoryItem(FrozenModel):
    source: Source
    newest: date | None
    """Latest `effective_from` of the source's records in the last run; null if they have no dates or no run has read
    the source."""
    age_days: int | None
    trend: list[SourceQuality]
    """Quality in each run, oldest first."""
    loss: SourceShare | None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def stale(self) -> bool:
        return self.age_days is not None and self.age_days > self.source.refresh_days

    @property
    def last(self) -> SourceQuality | None:
        return self.trend[-1] if self.trend else None

    @property
    def loss_text(self) -> str:
        if self.loss is None:
            return ""
        only = "; ".join(f"{name} {', '.join(values)}" for name, values in self.loss.only_here.items() if values)
        return f"{format_share(self.loss.share)} of the rows{f'; alone has {only}' if only else ''}"


def read_inventory(inventory: Sources, runs: Iterable[Path], today: date) -> list[InventoryItem]:
    ran = _governed_results(runs)
    return [_inventory_item(source, ran, today) for source in inventory.sources]


def quality_trend(source_id: str, runs: Iterable[Path]) -> list[SourceQuality]:
    """Return the quality of a source in each run, even if the source is no longer in sources.yaml."""
    return [
        _source_quality(layout, ingested[source_id])
        for layout, ingested in _governed_results(runs)
        if source_id in ingested
    ]


def _governed_results(runs: Iterable[Path]) -> IngestResults:
    """Return the results of `ingest` of all runs except experiments, whose code is not reviewed."""
    own = (layout for layout in map(Layout, runs) if not layout.is_experiment)
    return [(layout, ingested) for layout in own if (ingested := _ingest_results(layout)) is not None]


def _ingest_results(layout: Layout) -> dict[str, Any] | None:
    path = layout.artefacts("ingest") / "result.json"
    return {source["id"]: source for source in read_stage_json(path)["sources"]} if path.exists() else None


def _inventory_item(source: Source, ran: IngestResults, today: date) -> InventoryItem:
    having = [(layout, ingested[source.id]) for layout, ingested in ran if source.id in ingested]
    last = having[-1][0] if having else None
    newest = _newest(source.id, last) if last else None
    return InventoryItem(
        source=source,
        newest=newest,
        age_days=(today - newest).days if newest else None,
        trend=[_source_quality(layout, entry) for layout, entry in having],
        loss=_source_share(source.id, last) if last else None,
    )


def _source_quality(layout: Layout, entry: dict[str, Any]) -> SourceQuality:
    rows, records = entry["counts"]["rows"], entry["counts"]["records"]
    aside = sum(count_quarantined_by_rule(_stage_counts(layout, entry)).values())
    return SourceQuality(
        run=layout.root.name,
        rows=rows,
        records=records,
        quarantined_share=round(aside / rows, 4) if rows else 0.0,
        protected=sum(entry.get("protected", {}).values()),
    )


def _stage_counts(layout: Layout, entry: dict[str, Any]) -> dict[str, StageCounts]:
    manifest = layout.artefacts("split") / "manifest.json"
    if manifest.exists():
        return Dataset.from_bytes(read_stage_bytes(manifest)).sources[entry["id"]].passages
    said = {"ingest": entry["counts"]}
    for stage in FILTER_STAGE_NAMES[1:]:
        path = layout.artefacts(stage) / "result.json"
        of_source = read_stage_json(path)["by_source"].get(entry["id"]) if path.exists() else None
        said |= {stage: of_source} if of_source else {}
    return {stage: StageCounts.model_validate(passage) for stage, passage in said.items()}


def _newest(source_id: str, layout: Layout) -> date | None:
    table = read_table(layout.artefacts("ingest") / "records.parquet", ["source_id", "effective_from"])
    own = table.filter(pc.equal(table["source_id"], source_id))
    newest: date | None = pc.max(own["effective_from"]).as_py() if own.num_rows else None
    return newest


def _source_share(source_id: str, layout: Layout) -> SourceShare | None:
    paths = {side: layout.artefacts("split") / f"{side}.parquet" for side in PARTITIONS}
    if not all(path.exists() for path in paths.values()):
        return None
    tables = {side: read_table(path, ["source_id", *COMPARED_COLUMNS]) for side, path in paths.items()}
    own = {side: table.filter(pc.equal(table["source_id"], source_id)) for side, table in tables.items()}
    others = {side: table.filter(pc.not_equal(table["source_id"], source_id)) for side, table in tables.items()}
    rows = {side: table.num_rows for side, table in own.items()}
    every = sum(table.num_rows for table in tables.values())
    return SourceShare(
        rows=rows,
        share=round(sum(rows.values()) / every, 4) if every else 0.0,
        only_here={
            name: lost
            for name in COMPARED_COLUMNS
            if (lost := sorted(_distinct_values(own.values(), name) - _distinct_values(others.values(), name)))
        },
    )


def _distinct_values(tables: Iterable[Any], column: str) -> set[str]:
    return {value for table in tables for value in pc.unique(table[column]).to_pylist()}
