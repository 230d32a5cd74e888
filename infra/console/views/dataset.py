"""What a data gate looked at, source by source, and what changed since it passed last."""

from collections import Counter

from tasks.core.config import Frozen
from tasks.gates import glance, words
from tasks.gates.checks.change import Change
from tasks.gates.evidence import Evidence
from tasks.gates.since import Since
from tasks.sources.dataset import Dataset


class SourceRow(Frozen):
    """A source as its owner looks at it."""

    name: str
    owner: str
    people: str
    """How many different values of each class that stands for a person, in words."""
    terms: dict[str, str]
    """Name and text of each term that its owner has declared."""
    content: str
    """new, changed or same since the dataset approved last; empty where there is none."""
    rows: int
    aside: int
    aside_share: float
    by_rule: dict[str, int]
    protected: dict[str, int]
    """How often text of each class was found."""
    actions: dict[str, str]
    """What is done with it."""
    train: int
    test: int


SHOWN = ("department", "language", "kind")
"""Segments of records whose shares are shown."""


class Part(Frozen):
    """The records of one value, on both sides together."""

    value: str
    rows: int
    share: float
    before: float | None
    """Its share in the dataset approved last; null where none was."""


class Distribution(Frozen):
    segment: str
    parts: list[Part]
    """The most frequent first; those that are gone have no rows."""


def distributions(evidence: Evidence) -> list[Distribution]:
    """Of each segment, now and in the dataset approved last; none at other gates."""
    if evidence.dataset is None:
        return []
    return [Distribution(segment=name, parts=_parts(evidence.dataset, evidence.change, name)) for name in SHOWN]


def _parts(dataset: Dataset, change: Change | None, segment: str) -> list[Part]:
    now: Counter[str] = Counter()
    for counts in dataset.segments.get(segment, {}).values():
        now.update(counts)
    moved = change.segments.get(segment, {}) if change else {}
    before: Counter[str] = Counter(now)
    for value, it in moved.items():
        before[value] = it.before if isinstance(it.before, int) else 0
        now.setdefault(value, 0)
    all_now, all_before = max(now.total(), 1), max(before.total(), 1)
    return [
        Part(value=value, rows=rows, share=rows / all_now, before=before[value] / all_before if change else None)
        for value, rows in now.most_common()
    ]


def sources(evidence: Evidence) -> list[SourceRow]:
    """By owner; none at other gates."""
    if evidence.dataset is None:
        return []
    change = evidence.change
    return [
        SourceRow(
            name=name,
            owner=origin.owner,
            people=glance.people([origin]),
            terms=glance.terms(origin),
            content=change.sources[name].content if change else "",
            rows=origin.taken,
            aside=sum(origin.aside.values()),
            aside_share=origin.aside_share,
            by_rule=origin.aside,
            protected={str(key): count for key, count in origin.protected.items() if count},
            actions={str(key): str(action) for key, action in origin.actions.items()},
            train=origin.rows["train"],
            test=origin.rows["test"],
        )
        for name, origin in sorted(evidence.dataset.sources.items(), key=lambda item: (item[1].owner, item[0]))
    ]


def changes(evidence: Evidence, before: Since | None) -> list[str]:
    """In words."""
    if evidence.dataset is not None:
        return list(words.dataset(evidence.dataset, evidence.change))
    return [words.changed(before)]
