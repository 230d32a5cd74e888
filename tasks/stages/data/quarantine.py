"""Quarantine of a stage: the table of the records that it removed, and counts that must add up."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.documents.config import FrozenModel
from tasks.core.layout import Layout
from tasks.core.records.record import QUARANTINE_SCHEMA, read_table

REMOVED_SCHEMA = pa.schema([field for field in QUARANTINE_SCHEMA if field.name != "row"])
"""Schema of a table of removed records: QUARANTINE without the column `row`. The column `winner` has the id of the
record that was kept instead."""


class Counts(FrozenModel):
    """Row counts of a stage: rows read, records written, rows quarantined by rule, and rows not drawn."""

    rows: int
    records: int
    quarantined: dict[str, int]
    not_drawn: int = 0
    """Number of records that `split` left out because they exceed data.train_rows or data.test_rows."""

    @property
    def removed(self) -> int:
        return sum(self.quarantined.values())

    @property
    def quarantined_share(self) -> float:
        return self.removed / self.rows if self.rows else 0.0

    def with_quarantined(self, rules: Counter[str]) -> "Counts":
        """Return the counts after further records were quarantined by these rules."""
        quarantined = dict(sorted((Counter(self.quarantined) + rules).items()))
        return self.model_copy(update={"records": self.records - rules.total(), "quarantined": quarantined})


def quarantine_entry(source_id: str, row: int, rule: str, reason: str) -> dict[str, Any]:
    """Return the quarantine entry of a row that was rejected before it became a record.

    `reason` must not contain any value from the row.
    """
    return {"source_id": source_id, "row": row, "record_id": None, "rule": rule, "reason": reason, "winner": None}


def add_source_rows(removed: pa.Table, layout: Layout) -> pa.Table:
    """Add the column `row` to a table of removed records: the number of each record's row in its source."""
    rows = read_table(layout.artefacts("ingest") / "rows.parquet")
    places = pc.index_in(removed["record_id"], value_set=rows["record_id"].combine_chunks())
    return removed.append_column("row", rows["row"].take(places)).select(QUARANTINE_SCHEMA.names)


def to_quarantine_table(entries: Iterable[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(entries), schema=QUARANTINE_SCHEMA)


def stage_counts(stage: str, rows: int, records: int, rules: Iterable[str], not_drawn: int = 0) -> Counts:
    """Return the counts of a stage, after checking that they add up.

    `rules` has the rule of each quarantined row.

    Raises:
        AssertionError: The counts do not add up, which is a defect of the stage.
    """
    quarantined = dict(sorted(Counter(rules).items()))
    counts = Counts(rows=rows, records=records, quarantined=quarantined, not_drawn=not_drawn)
    if counts.rows != counts.records + counts.removed + counts.not_drawn:
        left = f" and {not_drawn} not drawn" if not_drawn else ""
        raise AssertionError(
            f"{stage}: {rows} rows in, but {records} records and {counts.removed} quarantined{left} out"
        )
    return counts
