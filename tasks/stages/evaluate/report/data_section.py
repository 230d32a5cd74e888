"""What the report's data section says, worked out before any template: rows by stage, protected text by class."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.stages.evaluate.report.account import Account, Flow, Protected

REPEATS = {
    "exact_duplicate": "the same conversation and target",
    "near_duplicate": "the same words but for slips of typing and courtesies, the same target",
    "superseded": "an older edition of another record",
    "conflict": "the same question and another target than a record of higher authority, or newer",
    "conflict_undecided": "the same question and another target than a record of the same authority and date, or than "
    "one in dispute, for an owner to decide",
    "near_test": "training text that a fixed test set holds",
}
"""Rules of `deduplicate` in the reader's words."""


@dataclass(frozen=True)
class Bar:
    """One stage, all sources together."""

    flow: Flow
    kept: float
    """Percent of the rows that came in first."""
    aside: float


def bars(account: Account) -> tuple[Bar, ...]:
    """A bar a stage, each as long as the rows that it got."""
    stages = list(dict.fromkeys(flow.stage for flow in account.flows))
    together = [_together([flow for flow in account.flows if flow.stage == stage]) for stage in stages]
    widest = max((flow.rows for flow in together), default=0) or 1
    return tuple(Bar(flow, flow.records / widest * 100, flow.removed / widest * 100) for flow in together)


def _together(flows: Sequence[Flow]) -> Flow:
    rules = Counter[str]()
    for flow in flows:
        rules.update(dict(flow.quarantined))
    most_first = sorted(rules.items(), key=lambda item: (-item[1], item[0]))
    return Flow(
        stage=flows[0].stage,
        source="",
        rows=sum(flow.rows for flow in flows),
        records=sum(flow.records for flow in flows),
        quarantined=tuple(most_first),
        not_drawn=sum(flow.not_drawn for flow in flows),
    )


@dataclass(frozen=True)
class ClassFound:
    """One class of protected text."""

    name: str
    actions: tuple[str, ...]
    """What sources do with it; more than one where they differ."""
    counts: tuple[int, ...]
    """Stretches of text, source by source."""

    @property
    def total(self) -> int:
        return sum(self.counts)


def protected(sources: Sequence[Protected]) -> tuple[ClassFound, ...]:
    """Every class that was found, most first."""
    named = {name for source in sources for name, _, _ in source.classes}
    return tuple(sorted((_class(name, sources) for name in named), key=lambda row: (-row.total, row.name)))


def _class(name: str, sources: Sequence[Protected]) -> ClassFound:
    own = [[(action, count) for category, action, count in source.classes if category == name] for source in sources]
    return ClassFound(
        name=name,
        actions=tuple(sorted({action for source in own for action, _ in source})),
        counts=tuple(sum(count for _, count in source) for source in own),
    )


@dataclass(frozen=True)
class Repeat:
    rule: str
    words: str
    rows: int


def repeats(flows: Sequence[Flow]) -> tuple[Repeat, ...]:
    """What `deduplicate` took out, by rule."""
    rows = Counter[str]()
    for flow in flows:
        if flow.stage == "deduplicate":
            rows.update(dict(flow.quarantined))
    return tuple(Repeat(rule, words, rows[rule]) for rule, words in REPEATS.items() if rows[rule])
