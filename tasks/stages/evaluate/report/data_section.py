"""Contents of the report's data section: rows by stage, protected text by category, duplicates by rule."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.stages.evaluate.report.stage_results import ProtectedText, RowCounts, StageResults

RULE_DESCRIPTIONS = {
    "exact_duplicate": "the same conversation and target",
    "near_duplicate": "the same words but for slips of typing and courtesies, the same target",
    "superseded": "an older edition of another record",
    "conflict": "the same question and another target than a record of higher authority, or newer",
    "conflict_undecided": "the same question and another target than a record of the same authority and date, or than "
    "one in dispute, for an owner to decide",
    "synthetic_copy": "synthetic, and near-identical to a real record",
    "parent_quarantined": "synthetic, and made from a record that was quarantined",
    "near_test": "training text that a fixed test set holds",
}


@dataclass(frozen=True)
class StageBar:
    """Bar that shows the row counts of a stage, for all sources together. Widths are in percent of the longest bar."""

    flow: RowCounts
    kept: float
    """Width of the part that stands for the records that the stage wrote."""
    aside: float
    """Width of the part that stands for the quarantined rows."""


def stage_bars(account: StageResults) -> tuple[StageBar, ...]:
    stages = list(dict.fromkeys(flow.stage for flow in account.flows))
    together = [_sum_over_sources([flow for flow in account.flows if flow.stage == stage]) for stage in stages]
    widest = max((flow.rows for flow in together), default=0) or 1
    return tuple(StageBar(flow, flow.records / widest * 100, flow.removed / widest * 100) for flow in together)


def _sum_over_sources(flows: Sequence[RowCounts]) -> RowCounts:
    rules = Counter[str]()
    for flow in flows:
        rules.update(dict(flow.quarantined))
    most_first = sorted(rules.items(), key=lambda item: (-item[1], item[0]))
    return RowCounts(
        stage=flows[0].stage,
        source="",
        rows=sum(flow.rows for flow in flows),
        records=sum(flow.records for flow in flows),
        quarantined=tuple(most_first),
        not_drawn=sum(flow.not_drawn for flow in flows),
    )


@dataclass(frozen=True)
class ProtectedClass:
    name: str
    actions: tuple[str, ...]
    """Actions that are configured for this category; more than one if the sources differ."""
    counts: tuple[int, ...]
    """Number of protected text spans in each source, in the order of the sources."""

    @property
    def total(self) -> int:
        return sum(self.counts)


def protected_classes(sources: Sequence[ProtectedText]) -> tuple[ProtectedClass, ...]:
    named = {name for source in sources for name, _, _ in source.classes}
    return tuple(sorted((_protected_class(name, sources) for name in named), key=lambda row: (-row.total, row.name)))


def _protected_class(name: str, sources: Sequence[ProtectedText]) -> ProtectedClass:
    own = [[(action, count) for category, action, count in source.classes if category == name] for source in sources]
    return ProtectedClass(
        name=name,
        actions=tuple(sorted({action for source in own for action, _ in source})),
        counts=tuple(sum(count for _, count in source) for source in own),
    )


@dataclass(frozen=True)
class RemovedRows:
    rule: str
    words: str
    rows: int


def removed_by_rule(flows: Sequence[RowCounts]) -> tuple[RemovedRows, ...]:
    """Count the rows that `deduplicate` removed, by rule. Rules that removed no rows are omitted."""
    rows = Counter[str]()
    for flow in flows:
        if flow.stage == "deduplicate":
            rows.update(dict(flow.quarantined))
    return tuple(RemovedRows(rule, words, rows[rule]) for rule, words in RULE_DESCRIPTIONS.items() if rows[rule])
