"""Segments of a dataset that have fewer refusals, handovers or questions back than `data.coverage` requires."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from tasks.core.params.coverage import CoverageRule
from tasks.gates.dataset_profile.profile import format_noted_value
from tasks.gates.dataset_profile.reading import Cell
from tasks.sources.dataset import PARTITIONS


def coverage_gaps(rules: Sequence[CoverageRule], cells: Counter[Cell]) -> Iterator[str]:
    """Yield a line for each segment that lacks records of a kind: partition, number there and number required."""
    for rule in rules:
        for partition in PARTITIONS:
            rows, covered = _count_segments(rule, partition, cells)
            if not rows:
                yield f"{partition}, task {rule.task}: no record, so no {rule.kind}"
            for value, total in sorted(rows.items()):
                required = max(1, math.ceil(rule.at_least * total - 1e-9))  # 0.07 * 100 is 7.000000000000001
                judged = rule.by is None or total >= rule.min_segment_rows
                if judged and covered[value] < required:
                    segment = f", {rule.by} {format_noted_value(value)}" if rule.by else ""
                    yield (
                        f"{partition}, task {rule.task}{segment}: {covered[value]:,} of {total:,} records are "
                        f"{rule.kind}, required {required:,}"
                    )


def _count_segments(rule: CoverageRule, partition: str, cells: Counter[Cell]) -> tuple[Counter[str], Counter[str]]:
    """Count the records of the rule's task by segment: all of them, and those of the rule's kind."""
    rows, covered = Counter[str](), Counter[str]()
    for cell, count in cells.items():
        if (cell.partition, cell.task, cell.field) == (partition, rule.task, rule.by or ""):
            rows[cell.value] += count
            covered[cell.value] += count * (cell.kind == rule.kind)
    return rows, covered
