"""Overview of the records on the first page of Data Docs: labels, quarantined rows, sources without a suite.

It has counts, names of sources and names of rules alone. A label is a value of records, so no label is named.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.core.files import read_json
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.records.answer_label import NO_LABEL
from tasks.core.records.record import read_batches
from tasks.core.steps.data import FILTER_STAGE_NAMES
from tasks.sources.expectation_suites import Suites
from tasks.stages.data.record_labels import count_labels
from tasks.stages.data.similar_labels import MAX_LABELS, find_near_equal_labels
from tasks.stages.data.validate.two_sample import TaskComparison

BATCH = 5_000
ROW_RANGES = ((1, 1), (2, 4), (5, 19), (20, 99), (100, 999), (1000, None))
"""Numbers of rows by which labels are grouped: the smallest and the largest number, or None if there is no largest."""


@dataclass(frozen=True)
class LabelDistribution:
    labels: int
    """Number of different labels."""
    labels_by_rows: dict[str, int]
    """Number of labels by number of rows, such as `2 to 4`."""
    near_equal: int
    """Number of labels that nearly equal a more frequent label."""


@dataclass(frozen=True)
class QuarantinedRows:
    source: str
    stage: str
    rule: str
    rows: int


@dataclass(frozen=True)
class Overview:
    labels: LabelDistribution | None
    """Distribution of the labels; None if no answer has a label, or if there are more than MAX_LABELS of them."""
    quarantined: list[QuarantinedRows]
    """Rows that the stages before `validate` quarantined, the most frequent rule of a source first."""
    sources_without_suite: list[str]
    synthetic: list[TaskComparison]
    """Comparison of synthetic with real records, by task; empty if no record is synthetic."""


def read_overview(
    layout: Layout, records: Path, suites: Suites, evaluation: Evaluation, synthetic: list[TaskComparison]
) -> Overview:
    """Read the overview from the outputs of the stages before `validate`. `records` is the file of the last one."""
    ingested = read_json(layout.artefacts("ingest") / "result.json")["sources"]
    quarantined = {"ingest": {source["id"]: source["counts"]["quarantined"] for source in ingested}}
    for stage in FILTER_STAGE_NAMES[1:]:
        by_source = read_json(layout.artefacts(stage) / "result.json")["by_source"]
        quarantined[stage] = {name: counts["quarantined"] for name, counts in by_source.items()}
    rows = [
        QuarantinedRows(source, stage, rule, count)
        for stage, by_source in quarantined.items()
        for source, counts in by_source.items()
        for rule, count in counts.items()
    ]
    return Overview(
        _label_distribution(records, evaluation),
        sorted(rows, key=lambda each: (each.source, -each.rows, each.rule)),
        sorted({source["id"] for source in ingested} - suites.by_source.keys()),
        synthetic,
    )


def _label_distribution(records: Path, evaluation: Evaluation) -> LabelDistribution | None:
    counts: Counter[str] = Counter()
    for batch in read_batches(records, ["messages"], BATCH):
        counts.update(count_labels(batch["messages"], evaluation))
        if len(counts) > MAX_LABELS:
            return None
    del counts[NO_LABEL]
    if not counts:
        return None
    return LabelDistribution(len(counts), _group_by_rows(counts), len(find_near_equal_labels(counts)))


def _group_by_rows(counts: Mapping[str, int]) -> dict[str, int]:
    groups = {}
    for low, high in ROW_RANGES:
        name = f"{low:,}" if low == high else f"{low:,} or more" if high is None else f"{low:,} to {high:,}"
        groups[name] = sum(low <= rows and (high is None or rows <= high) for rows in counts.values())
    return {name: labels for name, labels in groups.items() if labels}
