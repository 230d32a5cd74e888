"""Rows that the stages of a run quarantined, each with the rule, the reason, and the record that was kept instead.

Records that `split` did not draw are only counted: nothing is wrong with them, and a list of them would hide the
others. No text or value is included, so everybody who may see the run may see its quarantine.
"""

import csv
import io
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.escaping import escape_hidden
from tasks.core.files import atomic_file
from tasks.core.layout import Layout
from tasks.core.records.record import read_table
from tasks.sources.dataset import COUNTED_STAGES, NOT_SAMPLED_RULE
from tasks.sources.resolved_sources import load_resolved
from tasks.stages.data.validate.outcomes import GENERAL_RULES, NEAR_DUPLICATE_RULES, SPLIT_RULES

ROWS_PER_WRITE = 10_000
SORT_ORDER = [("source_id", "ascending"), ("row", "ascending")]
"""Sort order of quarantined rows. It is unambiguous, because a row is quarantined at most once."""


KNOWN_RULES = frozenset((*GENERAL_RULES, *NEAR_DUPLICATE_RULES, *SPLIT_RULES))


class RuleCount(FrozenModel):
    source_id: str
    rule: str
    stage: str
    rows: int


class QuarantinedRow(FrozenModel):
    """Quarantined row, with the columns of the CSV file.

    No cell can be mistaken for a spreadsheet formula, because ids, rules and reasons begin with a letter or a digit.
    """

    source_id: str
    row: int
    """Number of the data row in the source, counted from 1."""
    stage: str
    rule: str
    reason: str
    record_id: str | None
    """Id of the record; null if the row did not become a record."""
    winner: str | None
    """Id of the record that was kept in place of this one, if any. `winner_source` and `winner_row` are its source and
    row."""
    winner_source: str | None
    winner_row: int | None


CSV_HEADER = f"{','.join(QuarantinedRow.model_fields)}\n".encode()


@dataclass(frozen=True)
class QuarantinedRows:
    layout: Layout
    table: pa.Table
    not_drawn: int
    """Number of records of the selected sources that `split` did not draw."""

    @property
    def total(self) -> int:
        return self.table.num_rows

    def count_by_rule(self) -> list[RuleCount]:
        """Return the number of rows by source, rule and stage. Within a source, the largest number comes first."""
        named = ["source_id", "rule", "stage"]
        counted = self.table.group_by(named).aggregate([([], "count_all")]).rename_columns([*named, "rows"])
        counts = [RuleCount(**row) for row in counted.to_pylist()]
        return sorted(counts, key=lambda count: (count.source_id, -count.rows, count.rule, count.stage))

    def first_rows(self, max_rows: int) -> list[QuarantinedRow]:
        rows = self.table.take(pc.sort_indices(self.table, sort_keys=SORT_ORDER)[:max_rows])
        return [QuarantinedRow(**row) for row in _with_winner_location(rows, self.layout).to_pylist()]

    def write_csv(self, path: Path) -> None:
        rows = _with_winner_location(self.table, self.layout).sort_by(SORT_ORDER).combine_chunks()
        with atomic_file(path) as file:
            file.write(CSV_HEADER)
            for part in rows.to_batches(max_chunksize=ROWS_PER_WRITE):
                file.write(_csv_lines(zip(*(column.to_pylist() for column in part.columns), strict=True)))


def read_quarantine(
    layout: Layout, sources: Collection[str] = (), rules: Collection[str] = (), stages: Collection[str] = ()
) -> QuarantinedRows:
    """Return the rows that a run has quarantined so far, limited to the given sources, rules and stages if any.

    Raises:
        InputError: Stage `ingest` has not finished, or a source, rule or stage does not exist.
    """
    if not _quarantine_path(layout, COUNTED_STAGES[0]).exists():
        raise InputError(f"run {layout.root.name} has put nothing aside here; name one that has been through `ingest`")
    _refuse_unknown_sources(layout, sources)
    table = _read_quarantine_tables(layout, pc.field("source_id").isin(list(sources)) if sources else None)
    over = pc.field("rule") == NOT_SAMPLED_RULE
    aside, not_drawn = table.filter(~over), table.filter(over).num_rows
    _refuse_unknown_rules(layout, rules, aside)
    if unknown := sorted(set(stages) - set(COUNTED_STAGES)):
        raise InputError(
            f"stage {', '.join(map(repr, unknown))} quarantines no rows; these do: {', '.join(COUNTED_STAGES)}"
        )
    for column, wanted in (("rule", rules), ("stage", stages)):
        aside = aside.filter(pc.field(column).isin(list(wanted))) if wanted else aside
    return QuarantinedRows(layout, aside, not_drawn)


def reasons_for_row(layout: Layout, source_id: str, row: int) -> list[QuarantinedRow]:
    wanted = (pc.field("source_id") == source_id) & (pc.field("row") == row)
    return QuarantinedRows(layout, _read_quarantine_tables(layout, wanted), 0).first_rows(len(COUNTED_STAGES))


def _refuse_unknown_sources(layout: Layout, names: Collection[str]) -> None:
    known = [item.source.id for item in load_resolved(layout.sources_path).sources]
    if unknown := sorted(set(names) - set(known)):
        raise InputError(
            f"run {layout.root.name} has no source {', '.join(map(repr, unknown))}; it has {', '.join(known)}"
        )


def _refuse_unknown_rules(layout: Layout, names: Collection[str], table: pa.Table) -> None:
    used = sorted(table["rule"].unique().to_pylist())
    if unknown := sorted(set(names) - {*KNOWN_RULES, *used}):
        raise InputError(
            f"there is no rule {', '.join(map(repr, unknown))}; run {layout.root.name} quarantined rows by "
            f"{', '.join(used) or 'none'}"
        )


def _quarantine_path(layout: Layout, stage: str, name: str = "quarantine") -> Path:
    return layout.artefacts(stage) / f"{name}.parquet"


def _read_quarantine_tables(layout: Layout, wanted: pc.Expression | None = None) -> pa.Table:
    files = [(stage, _quarantine_path(layout, stage)) for stage in COUNTED_STAGES] + [
        ("split", _quarantine_path(layout, "split", NOT_SAMPLED_RULE))
    ]
    parts = []
    for stage, path in files:
        if path.exists():
            part = pq.read_table(path, filters=wanted)
            parts.append(part.append_column("stage", pa.repeat(stage, part.num_rows)))
    return pa.concat_tables(parts)


def _with_winner_location(rows: pa.Table, layout: Layout) -> pa.Table:
    kept = read_table(layout.artefacts("ingest") / "rows.parquet")
    places = pc.index_in(rows["winner"], value_set=kept["record_id"].combine_chunks())
    rows = rows.append_column("winner_source", kept["source_id"].take(places))
    return rows.append_column("winner_row", kept["row"].take(places)).select(list(QuarantinedRow.model_fields))


def _csv_lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    shown = ([escape_hidden(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    csv.writer(text, lineterminator="\n").writerows(shown)
    return text.getvalue().encode()
