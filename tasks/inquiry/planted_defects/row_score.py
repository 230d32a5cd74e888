"""Score of planted defects that affect whole rows: the rule that removed each row, and the record kept in its place."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from tasks.core.documents.config import FrozenModel
from tasks.core.layout import Layout
from tasks.core.records.record import read_table
from tasks.inquiry.planted_defects.ground_truth import DEFECT_KINDS, PlantedRow, RowLocation
from tasks.sources.dataset import COUNTED_STAGES

RemovedRows = Mapping[RowLocation, tuple[str, RowLocation | None]]
"""Removed rows by location, each with the rule that removed it and the location of the row that was kept instead, if
any."""


class KindScore(FrozenModel):
    """Score of the stages on one kind of defect."""

    stage: str
    defect: str
    planted: int
    found: int
    """Number of planted rows that a rule for this kind removed."""
    copies: int
    """Number of found rows for which the ground truth names the row that should be kept."""
    cited: int
    """Number of rows in `copies` for which the stage kept the row that the ground truth names."""
    removed: int
    """Number of rows that the rules for this kind removed, planted or not."""
    right: int
    """Number of rows in `removed` that were planted as defects for these rules to find."""
    taken_for: dict[str, int]
    """Number of planted rows that were not found, by the other rule that removed them. The key `kept` is for rows that
    no rule removed."""

    @property
    def recall(self) -> float:
        return self.found / self.planted if self.planted else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.removed if self.removed else 1.0


def read_removed_rows(layout: Layout) -> RemovedRows:
    records = read_table(layout.artefacts("ingest") / "rows.parquet").to_pylist()
    place = {record["record_id"]: RowLocation(record["source_id"], record["row"]) for record in records}
    return {
        RowLocation(entry["source_id"], entry["row"]): (entry["rule"], place.get(entry["winner"]))
        for stage in COUNTED_STAGES[:-1]
        for entry in read_table(layout.artefacts(stage) / "quarantine.parquet").to_pylist()
    }


def score_rows(rows: Iterable[PlantedRow], removed_rows: RemovedRows) -> list[KindScore]:
    by_defect: dict[str, list[PlantedRow]] = defaultdict(list)
    for row in rows:
        by_defect[row.defect].append(row)
    right = {
        _removed_location(row, removed_rows)
        for own in by_defect.values()
        for row in own
        if _is_found(row, removed_rows)
    }
    return [_kind_score(name, by_defect[name], removed_rows, right) for name in DEFECT_KINDS if name in by_defect]


def _kind_score(name: str, rows: list[PlantedRow], gone: RemovedRows, right: set[RowLocation]) -> KindScore:
    kind = DEFECT_KINDS[name]
    hits = [row for row in rows if _is_found(row, gone)]
    copies = [(row, winner) for row in hits if (winner := gone[_removed_location(row, gone)][1]) and row.original]
    by_rules = [place for place, (rule, _) in gone.items() if rule in kind.rules]
    return KindScore(
        stage=kind.stage,
        defect=name,
        planted=len(rows),
        found=len(hits),
        copies=len(copies),
        cited=sum(winner in (row.original, row.location) for row, winner in copies),
        removed=len(by_rules),
        right=len(right.intersection(by_rules)),
        taken_for=dict(sorted(Counter(_removing_rule(row, gone) for row in rows if not _is_found(row, gone)).items())),
    )


def _is_found(row: PlantedRow, gone: RemovedRows) -> bool:
    return _removing_rule(row, gone) in DEFECT_KINDS[row.defect].rules


def _removing_rule(row: PlantedRow, gone: RemovedRows) -> str:
    return gone.get(_removed_location(row, gone), ("kept", None))[0]


def _removed_location(row: PlantedRow, gone: RemovedRows) -> RowLocation:
    """Return the location of the removed row: the planted row, or for some kinds of defects its original.

    If neither of two similar rows is better, the digest of their texts decides which one the stage keeps. It may then
    keep the planted row and remove the original.
    """
    if DEFECT_KINDS[row.defect].original_can_be_removed and row.original and row.location not in gone:
        _, kept = gone.get(row.original, ("", None))
        return row.original if kept == row.location else row.location
    return row.location
