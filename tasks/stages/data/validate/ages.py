"""How old records are, in days, against what their sources promise.

Days count to the first of the run's month; those of retention to the first of the next one, since a record leaves at
the beginning of the month in which its time ends (`tasks.runs.pin`).
"""

from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from tasks.sources.sources import ResolvedSources

AGES = {
    "age_days": ("effective_from",),
    "refresh_days_left": ("effective_from", "source_id"),
    "retention_days_left": ("effective_from", "source_id"),
    "retirement_days_left": ("retired_at",),
}
"""Columns that expectations may ask for, by what they are made of; null where a record has no date.

age_days               since `effective_from`
refresh_days_left      until the source is stale, had it no newer record than this one
retention_days_left    from the first of the next month until the retention of its source ends; less than 0: it is past
retirement_days_left   until `retired_at`; 0 or less: it is retired
"""
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Ages:
    resolved: ResolvedSources

    def of(self, name: str, batch: pa.RecordBatch) -> pa.Array:
        """One of AGES of each record."""
        if name == "retirement_days_left":
            return pc.subtract(_days(batch["retired_at"]), self._today)
        begun = _days(batch["effective_from"])
        if name == "retention_days_left":
            cutoffs = [None if item.cutoff is None else (item.cutoff - EPOCH).days for item in self.resolved.sources]
            return pc.subtract(begun, self._by_source(cutoffs, batch))
        age = pc.subtract(self._today, begun)
        if name == "age_days":
            return age
        return pc.subtract(self._by_source([item.source.refresh_days for item in self.resolved.sources], batch), age)

    @property
    def _today(self) -> int:
        return (self.resolved.as_of - EPOCH).days

    def _by_source(self, values: list[int | None] | list[int], batch: pa.RecordBatch) -> pa.Array:
        """The value of each record's source."""
        names = pa.array([item.source.id for item in self.resolved.sources], pa.string())
        return pa.array(values, pa.int32()).take(pc.index_in(batch["source_id"], value_set=names))


def _days(dates: pa.Array) -> pa.Array:
    return dates.cast(pa.int32())
