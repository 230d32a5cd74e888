"""Location in its source of each record in a table of a run. The source determines who may see the record."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.core.records.record import read_table


def locate_rows(layout: Layout, table: pa.Table) -> list[dict[str, Any]]:
    """Return the entries of a table, each with its row in the source, counted from 1.

    Args:
        layout: Run to which the table belongs.
        table: Table with the columns `record_id` and `source_id`.

    Raises:
        Refused: Files of the run disagree about the source of a record.
    """
    rows = read_table(layout.artefacts("ingest") / "rows.parquet")
    places = pc.index_in(table["record_id"], value_set=rows["record_id"].combine_chunks())
    located = table.append_column("row", rows["row"].take(places))
    sources = rows["source_id"].take(places).to_pylist()
    entries: list[dict[str, Any]] = located.to_pylist()
    for entry, source in zip(entries, sources, strict=True):
        if entry["source_id"] != source:
            raise Refused(f"files of run {layout.root.name} disagree about the source of a record; nothing is shown")
    return entries
