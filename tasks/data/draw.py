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
    """Rows for each stratum, in proportion to its size by largest remainder, but one at least while rows suffice."""
    order = sorted(sizes, key=lambda stratum: (-sizes[stratum], stratum))
    if rows <= len(sizes):
        return {stratum: int(rank < rows) for rank, stratum in enumerate(order)}
    spare, rest = rows - len(sizes), sum(sizes.values()) - len(sizes)
    exact = {stratum: (sizes[stratum] - 1) * spare / rest for stratum in order}
    quotas = {stratum: 1 + int(exact[stratum]) for stratum in order}
    left = rows - sum(quotas.values())
    for stratum in sorted(order, key=lambda stratum: int(exact[stratum]) - exact[stratum])[:left]:
        quotas[stratum] += 1
    return quotas


def _order(record_id: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {record_id}".encode()).digest()
