"""Stratified draw of records, in which sources and kinds keep their shares."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from tasks.stages.data.split.record_columns import Positions, SplitRecords

Stratum = tuple[str, str]


def draw(records: SplitRecords, there: Positions, rows: int | None) -> Positions:
    """Draw `rows` records from the ascending positions `there`, stratified by source and kind.

    Each stratum is drawn in proportion to its size, starting with its first records. All records are drawn if `rows` is
    None or if there are not more records than that. The returned positions are ascending.
    """
    if rows is None or rows >= len(there):
        return there
    strata: dict[Stratum, list[int]] = defaultdict(list)
    columns = (column.take(there).to_pylist() for column in (records.source_id, records.kind))
    for position, source_id, kind in zip(there.tolist(), *columns, strict=True):
        strata[source_id, kind].append(position)
    quotas = allocate_rows({stratum: len(items) for stratum, items in strata.items()}, rows)
    drawn = [position for stratum, items in strata.items() for position in items[: quotas[stratum]]]
    return np.array(sorted(drawn), np.int64)


def allocate_rows(sizes: Mapping[Stratum, int], rows: int) -> dict[Stratum, int]:
    """Distribute `rows` over the strata in proportion to their sizes, by largest remainder.

    Every stratum gets at least one row if there are as many rows as strata.
    """
    total = sum(sizes.values())
    quotas = {stratum: rows * size // total for stratum, size in sizes.items()}
    remainder = sorted(sizes, key=lambda stratum: (-(rows * sizes[stratum] % total), stratum))
    for stratum in remainder[: rows - sum(quotas.values())]:
        quotas[stratum] += 1
    for stratum in sorted(sizes):
        if quotas[stratum] == 0 and rows >= len(sizes):
            quotas[max(quotas, key=lambda other: (quotas[other], other))] -= 1
            quotas[stratum] = 1
    return quotas
