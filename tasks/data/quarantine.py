"""What a stage took out: the table kept beside its records, and counts that must add up."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from tasks.config import Frozen
from tasks.record import QUARANTINE


class Counts(Frozen):
    """Rows into a stage, records out of it, and rows quarantined by rule."""

    rows: int
    records: int
    quarantined: dict[str, int]

    @property
    def removed(self) -> int:
        return sum(self.quarantined.values())

    @property
    def share(self) -> float:
        """Share of the rows that were quarantined."""
        return self.removed / self.rows if self.rows else 0.0


def entry(
    source_id: str, row: int | None, rule: str, reason: str, record_id: str | None = None, winner: str | None = None
) -> dict[str, Any]:
    """One row of quarantine. `reason` never holds a value of the row."""
    return {
        "source_id": source_id,
        "row": row,
        "record_id": record_id,
        "rule": rule,
        "reason": reason,
        "winner": winner,
    }


def to_table(entries: Iterable[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(entries), schema=QUARANTINE)


def count(stage: str, rows: int, records: int, rules: Iterable[str]) -> Counts:
    """The stage's counts. Raises AssertionError where rows went missing, which is a defect of the stage."""
    counts = Counts(rows=rows, records=records, quarantined=dict(sorted(Counter(rules).items())))
    if counts.rows != counts.records + counts.removed:
        raise AssertionError(f"{stage}: {rows} rows in, but {records} records and {counts.removed} quarantined out")
    return counts
