"""Texts of every record in its source, paired with the texts that `ingest` wrote."""

from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path

from tasks.core.layout import Layout
from tasks.core.records.record import read_table
from tasks.inquiry.planted_defects.ground_truth import RowLocation
from tasks.sources.resolved_sources import ResolvedSource, ResolvedSources
from tasks.stages.data.ingest.mapping import map_row_to_record
from tasks.stages.data.readers import content
from tasks.stages.data.readers.kinds import read_rows
from tasks.stages.data.readers.rows import MalformedRow

TurnPairs = list[tuple[str, str]]
"""Pair of texts for each turn: the source's text, normalised and repaired, and the record's text."""


def pair_texts(layout: Layout, resolved: ResolvedSources) -> Iterator[tuple[RowLocation, TurnPairs]]:
    """Yield the location and the text pairs of every record. A drill is small, so all records are loaded into memory.

    Raises:
        InputError: A source has changed since it was pinned.
    """
    records, rows = (
        read_table(layout.artefacts("ingest") / f"{name}.parquet").to_pylist() for name in ("records", "rows")
    )
    turns = {record["record_id"]: [turn["content"] for turn in record["messages"]] for record in records}
    protected = {RowLocation(row["source_id"], row["row"]): turns[row["record_id"]] for row in rows}
    for item in resolved.sources:
        for place, original in _read_original_texts(item, layout.root, protected):
            yield place, list(zip(original, protected[place], strict=True))


def _read_original_texts(
    item: ResolvedSource, root: Path, wanted: Container[RowLocation]
) -> Iterator[tuple[RowLocation, list[str]]]:
    source = item.source
    with content.open_pinned_content(item, root) as pinned:
        for row in read_rows(pinned.file, source, pinned.scratch):
            place = RowLocation(source.id, row.number)
            if place in wanted and not isinstance(row, MalformedRow):
                record = map_row_to_record(row.values, source, Counter())
                yield place, [turn["content"] for turn in record["messages"]]
