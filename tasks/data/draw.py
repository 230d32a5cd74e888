"""Drawing some records of many, so that sources and kinds keep their shares."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

Stratum = tuple[str, str]


def draw(records: Sequence[Mapping[str, Any]], rows: int | None, seed: int) -> set[str]:
    """record_ids of `rows` records, stratified by source and kind in proportion; of all where there are no more.

    Depends on the records and the seed, not on their order.
    """
    if rows is None or rows >= len(records):
        return {record["record_id"] for record in records}
    strata: dict[Stratum, list[str]] = {}
    for record in records:
        strata.setdefault((record["source_id"], record["kind"]), []).append(record["record_id"])
    quotas = allocate({stratum: len(ids) for stratum, ids in strata.items()}, rows)
    return {
        record_id
        for stratum, ids in strata.items()
        for record_id in sorted(ids, key=lambda record_id: _order(record_id, seed))[: quotas[stratum]]
    }


def allocate(sizes: Mapping[Stratum, int], rows: int) -> dict[Stratum, int]:
    """`rows` over the strata in proportion to their sizes, by largest remainder; none left out while rows suffice."""
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


def _order(record_id: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {record_id}".encode()).digest()
