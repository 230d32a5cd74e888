"""Manifest of a dataset, from the results of the stages and the files that `split` has written."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from tasks.core.files import read_json, sha256_file
from tasks.core.layout import Layout
from tasks.core.params.data import Data
from tasks.core.records.record import SYNTHETIC, read_batches
from tasks.sources.dataset import (
    COUNTED_STAGES,
    PARTITIONS,
    SEGMENT_FIELDS,
    Dataset,
    DatasetSource,
    SettingValue,
    StageCounts,
    declared_fields,
)
from tasks.sources.resolved_sources import load_resolved
from tasks.stages.data.quarantine import Counts

EARLIER_STAGES = COUNTED_STAGES[:-1]
Segments = dict[str, dict[str, Counter[str]]]


def build_manifest(layout: Layout, folder: Path, counts: Counts, data: Data) -> Dataset:
    """Return the manifest of the dataset in `folder`, given the counts and parameters of stage `split`."""
    results = {stage: read_json(layout.artefacts(stage) / "result.json") for stage in EARLIER_STAGES}
    segments = _count_segments(folder)
    passed = {stage: results[stage]["counts"] for stage in EARLIER_STAGES} | {"split": counts.model_dump()}
    return Dataset(
        sources=dict(_dataset_sources(layout, results, segments, folder)),
        counts={stage: StageCounts.model_validate(passage) for stage, passage in passed.items()},
        rows={side: segments["source_id"][side].total() for side in PARTITIONS},
        digests={side: sha256_file(folder / f"{side}.parquet") for side in PARTITIONS},
        segments={
            name: {side: dict(sorted(tally.items())) for side, tally in s.items()} for name, s in segments.items()
        },
        settings=dict(
            _flatten(data.model_dump(mode="json", exclude={"coverage"}) | {"coverage": _coverage_settings(data)})
        ),
    )


def _dataset_sources(
    layout: Layout, results: Mapping[str, Any], segments: Segments, folder: Path
) -> Iterator[tuple[str, DatasetSource]]:
    people, synthetic = _count_people(folder), _count_synthetic(folder)
    put_aside, not_drawn = (_count_rules_by_source(folder / f"{name}.parquet") for name in ("quarantine", "not_drawn"))
    ingested = {source["id"]: source for source in results["ingest"]["sources"]}
    for item in load_resolved(layout.sources_path).sources:
        name, source = item.source.id, ingested[item.source.id]
        rows = {side: segments["source_id"][side][name] for side in PARTITIONS}
        passages = {"ingest": source["counts"]}
        passages |= {stage: results[stage]["by_source"].get(name, NO_ROWS) for stage in EARLIER_STAGES[1:]}
        left, quarantined, over = (
            sum(rows.values()),
            put_aside.get(name, Counter()),
            not_drawn.get(name, Counter()).total(),
        )
        passages["split"] = {
            "rows": left + quarantined.total() + over,
            "records": left,
            "quarantined": dict(sorted(quarantined.items())),
            "not_drawn": over,
        }
        yield (
            name,
            DatasetSource(
                **declared_fields(item),
                passages=passages,
                rows=rows,
                protected=source["protected"],
                people=people.get(name, {}),
                synthetic=synthetic[name] or None,
                detected=source.get("detected", {}),
            ),
        )


NO_ROWS = {"rows": 0, "records": 0, "quarantined": {}}


def _count_segments(folder: Path) -> Segments:
    segments: Segments = {name: {side: Counter() for side in PARTITIONS} for name in SEGMENT_FIELDS}
    for side in PARTITIONS:
        for batch in read_batches(folder / f"{side}.parquet", SEGMENT_FIELDS):
            for name in SEGMENT_FIELDS:
                counts = batch[name].fill_null("null").value_counts().to_pylist()
                segments[name][side].update({item["values"]: item["counts"] for item in counts})
    return segments


def _count_people(folder: Path) -> dict[str, Any]:
    tokens: defaultdict[str, set[str]] = defaultdict(set)
    for side in PARTITIONS:
        for batch in read_batches(folder / f"{side}.parquet", ["source_id", "subjects"]):
            for source, subjects in zip(batch["source_id"].to_pylist(), batch["subjects"].to_pylist(), strict=True):
                tokens[source].update(subjects)
    counts = {source: Counter(token.partition(":")[0] for token in found) for source, found in tokens.items()}
    return {source: dict(sorted(count.items())) for source, count in counts.items()}


def _count_synthetic(folder: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    for side in PARTITIONS:
        for batch in read_batches(folder / f"{side}.parquet", ["source_id", "origin"]):
            counts.update(batch["source_id"].filter(pc.equal(batch["origin"], SYNTHETIC)).to_pylist())
    return counts


def _count_rules_by_source(path: Path) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for batch in read_batches(path, ("source_id", "rule")):
        for source, rule in zip(batch["source_id"].to_pylist(), batch["rule"].to_pylist(), strict=True):
            counts.setdefault(source, Counter())[rule] += 1
    return counts


def _coverage_settings(data: Data) -> dict[str, SettingValue]:
    return {rule.name: f"{rule.at_least:g} of segments from {rule.min_segment_rows} rows" for rule in data.coverage}


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, SettingValue]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
