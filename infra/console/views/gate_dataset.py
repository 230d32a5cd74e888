"""Dataset in the evidence of a data gate: each source, distributions, and changes since the gate last passed."""

from collections import Counter

from tasks.core.documents.config import FrozenModel
from tasks.gates import decision_summary, evidence_text
from tasks.gates.checks.dataset_diff import DatasetChange
from tasks.gates.evidence import Evidence
from tasks.gates.evidence_diff import EvidenceDiff
from tasks.sources.dataset import Dataset


class GateSource(FrozenModel):
    name: str
    owner: str
    people: str
    """Sentence that says how many distinct values each category that identifies a person has."""
    terms: dict[str, str]
    """Terms that the owner has declared, keyed by title."""
    content: str
    """Result of the comparison with the dataset approved last: `new`, `changed` or `same`; empty if no dataset was
    approved."""
    rows: int
    aside: int
    """Number of quarantined rows."""
    aside_share: float
    """Fraction of rows that was quarantined, from 0 to 1."""
    by_rule: dict[str, int]
    protected: dict[str, int]
    """Number of occurrences of protected values, by category."""
    actions: dict[str, str]
    """Action taken on protected values, by category."""
    detectors: list[str]
    """Text for each detector that the owner has added: what it is, and how much it found."""
    train: int
    test: int


SEGMENTS = ("department", "language", "kind")


class SegmentValue(FrozenModel):
    """Number and fraction of the records that have one value of a segment, in both partitions together."""

    value: str
    rows: int
    share: float
    before: float | None
    """Fraction in the dataset approved last; null if no dataset was approved."""


class Distribution(FrozenModel):
    segment: str
    parts: list[SegmentValue]
    """Values of the segment, most frequent first. A value that no longer occurs has 0 rows."""


def segment_distributions(evidence: Evidence) -> list[Distribution]:
    """Return the distribution of each segment, now and in the dataset approved last.

    The list is empty if the evidence has no dataset.
    """
    if evidence.dataset is None:
        return []
    return [
        Distribution(segment=name, parts=_segment_values(evidence.dataset, evidence.change, name)) for name in SEGMENTS
    ]


def _segment_values(dataset: Dataset, change: DatasetChange | None, segment: str) -> list[SegmentValue]:
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
        SegmentValue(
            value=value, rows=rows, share=rows / all_now, before=before[value] / all_before if change else None
        )
        for value, rows in now.most_common()
    ]


def gate_sources(evidence: Evidence) -> list[GateSource]:
    """Return the sources of the dataset, sorted by owner. The list is empty if the evidence has no dataset."""
    if evidence.dataset is None:
        return []
    change = evidence.change
    return [
        GateSource(
            name=name,
            owner=origin.owner,
            people=decision_summary.people_counts_text([origin]),
            terms=decision_summary.source_terms(origin),
            content=change.sources[name].content if change else "",
            rows=origin.rows_read,
            aside=sum(origin.quarantined.values()),
            aside_share=origin.quarantined_share,
            by_rule=origin.quarantined,
            protected={str(key): count for key, count in origin.protected.items() if count},
            actions={str(key): str(action) for key, action in origin.actions.items()},
            detectors=decision_summary.source_detector_texts(origin),
            train=origin.rows["train"],
            test=origin.rows["test"],
        )
        for name, origin in sorted(evidence.dataset.sources.items(), key=lambda item: (item[1].owner, item[0]))
    ]


def changes_in_words(evidence: Evidence, before: EvidenceDiff | None) -> list[str]:
    if evidence.dataset is not None:
        return list(evidence_text.dataset_lines(evidence.dataset, evidence.change))
    return [evidence_text.changed_files_text(before)]
