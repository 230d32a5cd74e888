"""Stratified draw of records, which preserves the proportions of sources and kinds."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from tasks.stages.data.split.record_columns import Positions, SplitRecords

Stratum = tuple[str, str]


def draw_stratified(records: SplitRecords, positions: Positions, row_count: int | None) -> Positions:
    """Draw `row_count` records from the ascending positions `positions`, stratified by source and kind.

    Each stratum is drawn in proportion to its size, starting with its first records. All records are drawn if
    `row_count` is None or not smaller than their number. The returned positions are ascending.
    """
    if row_count is None or row_count >= len(positions):
        return positions
    strata: dict[Stratum, list[int]] = defaultdict(list)
    columns = (column.take(positions).to_pylist() for column in (records.source_id, records.kind))
    for position, source_id, kind in zip(positions.tolist(), *columns, strict=True):
        strata[source_id, kind].append(position)
    quotas = allocate_rows({stratum: len(items) for stratum, items in strata.items()}, row_count)
    drawn = [position for stratum, items in strata.items() for position in items[: quotas[stratum]]]
    return np.array(sorted(drawn), np.int64)


def allocate_rows(sizes: Mapping[Stratum, int], row_count: int) -> dict[Stratum, int]:
    """Distribute `row_count` over the strata in proportion to their sizes, by largest remainder.

    Every stratum gets at least one row if there are as many rows as strata.
    """
    total = sum(sizes.values())
    quotas = {stratum: row_count * size // total for stratum, size in sizes.items()}
    remainder = sorted(sizes, key=lambda stratum: (-(row_count * sizes[stratum] % total), stratum))
    for stratum in remainder[: row_count - sum(quotas.values())]:
        quotas[stratum] += 1
    for stratum in sorted(sizes):
        if quotas[stratum] == 0 and row_count >= len(sizes):
            quotas[max(quotas, key=lambda other: (quotas[other], other))] -= 1
            quotas[stratum] = 1
    return quotas
