"""Differences between a dataset and the one that was approved before it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import Sha256
from tasks.sources.dataset import (
    COUNTED_STAGES,
    PARTITIONS,
    SEGMENT_FIELDS,
    SIGNED_FIELDS,
    Dataset,
    DatasetSource,
    SettingValue,
)


class ValueChange(FrozenModel):
    """Earlier and current value of a metric or setting; null if the value does not exist."""

    before: SettingValue
    now: SettingValue

    @property
    def unchanged(self) -> bool:
        return self.before == self.now


class SourceChange(FrozenModel):
    content: Literal["added", "removed", "changed", "same"]
    taken: ValueChange
    """Number of rows read from the source."""
    rows: ValueChange
    """Number of the source's rows in the dataset."""
    aside_share: ValueChange
    """Fraction of the read rows that were quarantined before the split, from 0 to 1."""
    terms: dict[str, ValueChange]
    """Declared terms that differ: owner, licence, lawful basis, classification, detectors, and the action of `protect`
    for each category."""


class DatasetChange(FrozenModel):
    """Differences between the dataset that was approved last for the use case and the run's dataset."""

    run: str
    """Id of the run in which the earlier dataset was approved."""
    subject_sha256: Sha256
    """Digest of the earlier dataset's folder artefacts/split, computed by `tasks.core.files.tree_digest`."""
    rows: dict[str, ValueChange]
    """Number of rows in each partition, training and test."""
    quarantined: dict[str, ValueChange]
    """Fraction of rows that each stage quarantined, from 0 to 1, by stage name."""
    sources: dict[str, SourceChange]
    segments: dict[str, dict[str, ValueChange]]
    """Number of rows in both partitions together, by segment and segment value. Unchanged numbers are left out."""
    settings: dict[str, ValueChange]
    """Settings in section `data` of params.yaml that differ."""


def compare_datasets(before: Dataset, now: Dataset, run: str, subject_sha256: str) -> DatasetChange:
    """Compare two datasets.

    Args:
        before: Dataset that was approved last.
        now: Dataset of the run.
        run: Id of the run in which `before` was approved.
        subject_sha256: Digest of the stage output that was approved in that run.
    """
    return DatasetChange(
        run=run,
        subject_sha256=subject_sha256,
        rows={side: ValueChange(before=before.rows[side], now=now.rows[side]) for side in PARTITIONS},
        quarantined={
            stage: ValueChange(before=_quarantined_share(before, stage), now=_quarantined_share(now, stage))
            for stage in COUNTED_STAGES
        },
        sources={
            name: _source_change(before.sources.get(name), now.sources.get(name))
            for name in _all_names(before.sources, now.sources)
        },
        segments={
            name: changed_values(_segment_counts(before, name), _segment_counts(now, name)) for name in SEGMENT_FIELDS
        },
        settings=changed_values(before.settings, now.settings),
    )


def changed_values(before: Mapping[str, SettingValue], now: Mapping[str, SettingValue]) -> dict[str, ValueChange]:
    pairs = {name: ValueChange(before=before.get(name), now=now.get(name)) for name in _all_names(before, now)}
    return {name: pair for name, pair in pairs.items() if not pair.unchanged}


def _source_change(before: DatasetSource | None, now: DatasetSource | None) -> SourceChange:
    return SourceChange(
        content=_content_change(before, now),
        taken=_figure_change(before, now, lambda source: source.rows_read),
        rows=_figure_change(before, now, lambda source: sum(source.rows.values())),
        aside_share=_figure_change(before, now, lambda source: round(source.quarantined_share_before_split, 6)),
        terms=changed_values(_declared_terms(before), _declared_terms(now)) if before and now else {},
    )


def _figure_change(
    before: DatasetSource | None, now: DatasetSource | None, figure: Callable[[DatasetSource], SettingValue]
) -> ValueChange:
    return ValueChange(before=None if before is None else figure(before), now=None if now is None else figure(now))


def _content_change(
    before: DatasetSource | None, now: DatasetSource | None
) -> Literal["added", "removed", "changed", "same"]:
    if before is None:
        return "added"
    if now is None:
        return "removed"
    return "same" if before.sha256 == now.sha256 else "changed"


def _declared_terms(source: DatasetSource) -> dict[str, SettingValue]:
    said = {name: getattr(source, name) for name in SIGNED_FIELDS}
    terms: dict[str, SettingValue] = {name: ", ".join(v) if isinstance(v, list) else v for name, v in said.items()}
    terms |= {f"detector.{name}": f"{it.kind} {it.sha256[:12]}" for name, it in source.detectors.items()}
    return terms | {f"protect.{category}": action for category, action in source.actions.items()}


def _quarantined_share(dataset: Dataset, stage: str) -> float | None:
    """Return the fraction of rows that a stage quarantined; None if the dataset's Hallmark version lacked the stage."""
    passage = dataset.counts.get(stage)
    if passage is None:
        return None
    return round(sum(passage.quarantined.values()) / passage.rows, 6) if passage.rows else 0.0


def _segment_counts(dataset: Dataset, name: str) -> dict[str, int]:
    sides = dataset.segments[name]
    return {value: sum(sides[side].get(value, 0) for side in PARTITIONS) for value in _all_names(*sides.values())}


def _all_names(*names: Iterable[str]) -> list[str]:
    return sorted({name for some in names for name in some})
