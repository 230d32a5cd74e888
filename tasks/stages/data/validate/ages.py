"""Ages of records in days, and the days left of the periods that their sources declare.

Days are counted to the first day of the run's month. The days left of retention are counted to the first day of the
next month, because a record is removed at the beginning of the month in which its retention ends
(`tasks.runs.requests.source_resolution`).
"""

from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from tasks.sources.resolved_sources import ResolvedSources

AGE_COLUMNS = {
    "age_days": ("effective_from",),
    "refresh_days_left": ("effective_from", "source_id"),
    "retention_days_left": ("effective_from", "source_id"),
    "retirement_days_left": ("retired_at",),
}
"""Columns that expectations can use, each with the columns from which it is computed.

age_days               days since `effective_from`
refresh_days_left      days until the source is stale, if it has no newer record than this one
retention_days_left    days from the first of the next month to the end of the source's retention; negative if past
retirement_days_left   days until `retired_at`; 0 or negative if the record is retired

A value is null if the record has no date.
"""
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class AgeColumns:
    resolved: ResolvedSources

    def compute_column(self, name: str, batch: pa.RecordBatch) -> pa.Array:
        if name == "retirement_days_left":
            return pc.subtract(_days(batch["retired_at"]), self._today)
        effective = _days(batch["effective_from"])
        if name == "retention_days_left":
            cutoffs = [None if item.cutoff is None else (item.cutoff - EPOCH).days for item in self.resolved.sources]
            return pc.subtract(effective, self._by_source(cutoffs, batch))
        age = pc.subtract(self._today, effective)
        if name == "age_days":
            return age
        return pc.subtract(self._by_source([item.source.refresh_days for item in self.resolved.sources], batch), age)

    @property
    def _today(self) -> int:
        return (self.resolved.as_of - EPOCH).days

    def _by_source(self, values: list[int | None] | list[int], batch: pa.RecordBatch) -> pa.Array:
        names = pa.array([item.source.id for item in self.resolved.sources], pa.string())
        return pa.array(values, pa.int32()).take(pc.index_in(batch["source_id"], value_set=names))


def _days(dates: pa.Array) -> pa.Array:
    return dates.cast(pa.int32())
