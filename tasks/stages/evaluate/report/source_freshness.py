"""Owner, terms and freshness of each source of the dataset, for the report."""

from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.layout import Layout
from tasks.core.records.record import read_table
from tasks.sources.resolved_sources import load_resolved
from tasks.sources.sources import Source

PARTITIONS = ("train", "test")


@dataclass(frozen=True)
class DatasetSource:
    source: Source
    rows: int
    newest: date | None
    """Date `effective_from` of the source's newest record in the dataset; None if the records have no dates."""
    as_of: date
    """First day of the month in which the run's inputs were resolved. It replaces the current date, so that the report
    does not depend on the clock."""

    @property
    def stale(self) -> bool:
        """Return whether the newest record is older than the source's `refresh_days`."""
        return self.newest is not None and (self.as_of - self.newest).days > self.source.refresh_days


def read_dataset_sources(layout: Layout) -> tuple[DatasetSource, ...]:
    """Return the sources of the run with their row counts and dates; empty if the sources were not resolved."""
    if not layout.sources_path.is_file():
        return ()
    resolved = load_resolved(layout.sources_path)
    tables = [read_table(layout.artefacts("split") / f"{side}.parquet") for side in PARTITIONS]
    table = pa.concat_tables([part.select(["source_id", "effective_from"]) for part in tables])
    return tuple(_dataset_source(item.source, table, resolved.as_of) for item in resolved.sources)


def _dataset_source(source: Source, table: pa.Table, as_of: date) -> DatasetSource:
    own = table.filter(pc.equal(table["source_id"], source.id))
    return DatasetSource(source, own.num_rows, pc.max(own["effective_from"]).as_py(), as_of)
