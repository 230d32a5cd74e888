"""What the stages of a run put aside, for who answers for the rows: which, by what rule, why, and what was kept.

Records that `split` did not draw are counted beside them: nothing is wrong with those, and they would hide the others.

Nothing of this holds a text or a value, so whoever sees the run may see it.
"""

import csv
import io
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.core.config import Frozen
from tasks.core.errors import InputError
from tasks.core.files import whole_file
from tasks.core.layout import Layout
from tasks.core.record import read_table
from tasks.core.shown import visible
from tasks.sources.dataset import NOT_DRAWN, STAGES
from tasks.sources.sources import load_resolved
from tasks.stages.data.validate.outcomes import NEAR, RULES, SPLIT

TOGETHER = 10_000
"""Rows of a file that are written at once."""
ORDER = [("source_id", "ascending"), ("row", "ascending")]
"""Of the rows: none is put aside twice."""


NAMED = frozenset((*RULES, *NEAR, *SPLIT))
"""Rules that stages of this version put rows aside by, whatever a file says."""


class Count(Frozen):
    source_id: str
    rule: str
    stage: str
    rows: int


class Entry(Frozen):
    """A row that was put aside, and a line of the file.

    No cell begins as a formula does: ids and rules begin with a letter or a digit, and so does every reason, whatever
    the columns are called that it names.
    """

    source_id: str
    row: int
    """1-based data row of its source."""
    stage: str
    rule: str
    reason: str
    record_id: str | None
    """None where the row never became a record."""
    winner: str | None
    """The record kept instead, if one was, and where that one came from."""
    winner_source: str | None
    winner_row: int | None


@dataclass(frozen=True)
class PutAside:
    """The rows that were asked for."""

    layout: Layout
    table: pa.Table
    """QUARANTINE, with the stage."""
    not_drawn: int
    """Records of the sources asked for that were merely not drawn."""

    @property
    def total(self) -> int:
        return self.table.num_rows

    def counts(self) -> list[Count]:
        """By source, rule and stage; of a source the most frequent first. They add up to `dataset.put_aside`."""
        named = ["source_id", "rule", "stage"]
        counted = self.table.group_by(named).aggregate([([], "count_all")]).rename_columns([*named, "rows"])
        counts = [Count(**row) for row in counted.to_pylist()]
        return sorted(counts, key=lambda count: (count.source_id, -count.rows, count.rule, count.stage))

    def first(self, most: int) -> list[Entry]:
        """The first rows, by source and row."""
        rows = self.table.take(pc.sort_indices(self.table, sort_keys=ORDER)[:most])
        return [Entry(**row) for row in _placed(rows, self.layout).to_pylist()]

    def write(self, path: Path) -> None:
        """All rows, by source and row, to a CSV file that appears whole or not at all."""
        rows = _placed(self.table, self.layout).sort_by(ORDER).combine_chunks()
        with whole_file(path) as file:
            file.write(_lines([rows.column_names]))
            for part in rows.to_batches(max_chunksize=TOGETHER):
                file.write(_lines(zip(*(column.to_pylist() for column in part.columns), strict=True)))


def read(layout: Layout, sources: Collection[str] = (), rules: Collection[str] = ()) -> PutAside:
    """What a run has put aside so far; with `sources` or `rules`, of those only.

    Raises InputError for a run that has not been through `ingest`, and for a source or rule that there is not.
    """
    if not _path(layout, STAGES[0]).exists():
        raise InputError(f"run {layout.root.name} has put nothing aside here; name one that has been through `ingest`")
    _refuse_unknown_sources(layout, sources)
    table = _table(layout, pc.field("source_id").isin(list(sources)) if sources else None)
    over = pc.field("rule") == NOT_DRAWN
    aside, not_drawn = table.filter(~over), table.filter(over).num_rows
    _refuse_unknown_rules(layout, rules, aside)
    return PutAside(layout, aside.filter(pc.field("rule").isin(list(rules))) if rules else aside, not_drawn)


def of_row(layout: Layout, source_id: str, row: int) -> list[Entry]:
    """Why a row was put aside or not drawn; empty where it is in the dataset."""
    wanted = (pc.field("source_id") == source_id) & (pc.field("row") == row)
    return PutAside(layout, _table(layout, wanted), 0).first(len(STAGES))


def _refuse_unknown_sources(layout: Layout, names: Collection[str]) -> None:
    known = [item.source.id for item in load_resolved(layout.sources).sources]
    if unknown := sorted(set(names) - set(known)):
        raise InputError(
            f"run {layout.root.name} has no source {', '.join(map(repr, unknown))}; it has {', '.join(known)}"
        )


def _refuse_unknown_rules(layout: Layout, names: Collection[str], table: pa.Table) -> None:
    used = sorted(table["rule"].unique().to_pylist())
    if unknown := sorted(set(names) - {*NAMED, *used}):
        raise InputError(
            f"there is no rule {', '.join(map(repr, unknown))}; run {layout.root.name} put rows aside by "
            f"{', '.join(used) or 'none'}"
        )


def _path(layout: Layout, stage: str, name: str = "quarantine") -> Path:
    return layout.stage(stage) / f"{name}.parquet"


def _table(layout: Layout, wanted: pc.Expression | None = None) -> pa.Table:
    """The rows that are in no dataset so far and for which an expression holds: QUARANTINE, and the stage."""
    files = [(stage, _path(layout, stage)) for stage in STAGES] + [("split", _path(layout, "split", NOT_DRAWN))]
    parts = []
    for stage, path in files:
        if path.exists():
            part = pq.read_table(path, filters=wanted)
            parts.append(part.append_column("stage", pa.repeat(stage, part.num_rows)))
    return pa.concat_tables(parts)


def _placed(rows: pa.Table, layout: Layout) -> pa.Table:
    """The fields of `Entry`: with the source and the row of each record that was kept instead."""
    kept = read_table(layout.stage("ingest") / "rows.parquet")
    places = pc.index_in(rows["winner"], value_set=kept["record_id"].combine_chunks())
    rows = rows.append_column("winner_source", kept["source_id"].take(places))
    return rows.append_column("winner_row", kept["row"].take(places)).select(list(Entry.model_fields))


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    shown = ([visible(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    csv.writer(text, lineterminator="\n").writerows(shown)
    return text.getvalue().encode()
