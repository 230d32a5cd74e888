"""What the report says of each source: who answers for it, under which terms, and how fresh it is."""

from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.layout import Layout
from tasks.core.record import read_table
from tasks.sources.sources import Source, load_resolved

SIDES = ("train", "test")


@dataclass(frozen=True)
class Holding:
    source: Source
    rows: int
    """Of the dataset."""
    newest: date | None
    """`effective_from` of its newest record in the dataset; None where it has no dates."""
    as_of: date
    """The first of the run's month, since the report reads no clock."""

    @property
    def stale(self) -> bool:
        """Whether that record is older than the source promises."""
        return self.newest is not None and (self.as_of - self.newest).days > self.source.refresh_days


def read(layout: Layout) -> tuple[Holding, ...]:
    """Every source of the run; none where it was not resolved."""
    if not layout.sources.is_file():
        return ()
    resolved = load_resolved(layout.sources)
    tables = [read_table(layout.stage("split") / f"{side}.parquet") for side in SIDES]
    table = pa.concat_tables([part.select(["source_id", "effective_from"]) for part in tables])
    return tuple(_holding(item.source, table, resolved.as_of) for item in resolved.sources)


def _holding(source: Source, table: pa.Table, as_of: date) -> Holding:
    own = table.filter(pc.equal(table["source_id"], source.id))
    return Holding(source, own.num_rows, pc.max(own["effective_from"]).as_py(), as_of)
