"""Ground truth of a drill: a table of the defects that were planted in its sources.

The table is a CSV file with columns source_id, row (data row of the source, counted from 1), defect, original and
value:

    tickets,57,duplicate,tickets:12,          row 57 is a copy of row 12, which should be kept
    tickets,90,cut_off,,                      row 90 is malformed
    tickets,12,name,,Grace Hopper             row 12 contains a name

Values are given as text rather than by offset, because offsets change when `ingest` repairs texts. The table is
therefore as confidential as its sources, and nothing except numbers may be derived from it.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast, get_args

from tasks.core.errors import InputError
from tasks.core.files import sha256_bytes
from tasks.core.layout import Layout
from tasks.sources.protection import Category
from tasks.sources.resolved_sources import ResolvedTruth

GROUND_TRUTH_COLUMNS = ["source_id", "row", "defect", "original", "value"]
PROTECTED_CATEGORIES = get_args(Category)


class RowLocation(NamedTuple):
    source_id: str
    row: int


class DefectKind(NamedTuple):
    stage: str
    rules: tuple[str, ...]
    original_can_be_removed: bool = False
    """Whether the stage may remove the original instead of the planted row, because neither is better."""


DEFECT_KINDS: Mapping[str, DefectKind] = {
    "cut_off": DefectKind("ingest", ("field_count", "not_json")),
    "no_target": DefectKind("ingest", ("missing_target",)),
    "past_retention": DefectKind("ingest", ("past_retention",)),
    "retired": DefectKind("ingest", ("retired",)),
    **{name: DefectKind("ingest", (f"holds_{name}",)) for name in PROTECTED_CATEGORIES},
    "empty_prompt": DefectKind("clean", ("empty_prompt",)),
    "duplicate": DefectKind("deduplicate", ("exact_duplicate",), original_can_be_removed=True),
    "duplicate_across": DefectKind("deduplicate", ("exact_duplicate",)),
    "near_duplicate": DefectKind("deduplicate", ("near_duplicate",), original_can_be_removed=True),
    "superseded": DefectKind("deduplicate", ("superseded",)),
    "conflict": DefectKind("deduplicate", ("conflict",)),
    "conflict_of_sources": DefectKind("deduplicate", ("conflict",)),
    "conflict_undecided": DefectKind("deduplicate", ("conflict_undecided",)),
    "in_test": DefectKind("deduplicate", ("near_test",)),
}
"""Kinds of defects by name. Each category of personal data is also a kind, because a source can drop rows that contain
it."""


@dataclass(frozen=True)
class PlantedRow:
    location: RowLocation
    defect: str
    original: RowLocation | None


@dataclass(frozen=True)
class PlantedValue:
    location: RowLocation
    category: Category
    value: str


@dataclass(frozen=True)
class GroundTruth:
    rows: tuple[PlantedRow, ...]
    values: tuple[PlantedValue, ...]


def read_ground_truth(resolved: ResolvedTruth, root: Path) -> GroundTruth:
    """Read the ground truth of a run.

    Raises:
        InputError: The file has changed since it was pinned, or does not have the expected columns and defects. The
            message does not quote the file, which is confidential.
    """
    file = Layout(root).resolve_path(resolved.path)
    data = file.read_bytes() if file.is_file() else b""
    if sha256_bytes(data) != resolved.sha256:
        raise InputError(f"truth: {resolved.path} is not what it was when the run was resolved; restore it")
    table = csv.DictReader(io.StringIO(data.decode("utf-8", errors="replace"), newline=""))
    if table.fieldnames != GROUND_TRUTH_COLUMNS:
        raise InputError(f"truth: the first line of {resolved.path} is not {','.join(GROUND_TRUTH_COLUMNS)}")
    read = [_parse_line(line, f"{resolved.path} line {table.line_num}") for line in table]
    return GroundTruth(
        rows=tuple(item for item in read if isinstance(item, PlantedRow)),
        values=tuple(item for item in read if isinstance(item, PlantedValue)),
    )


def _parse_line(line: dict[str, str], where: str) -> PlantedRow | PlantedValue:
    place, defect, value = _parse_location(f"{line['source_id']}:{line['row']}", where), line["defect"], line["value"]
    if defect in PROTECTED_CATEGORIES and value:
        return PlantedValue(place, cast(Category, defect), value)
    if defect in DEFECT_KINDS.keys() - PROTECTED_CATEGORIES and not value:
        return PlantedRow(place, defect, _parse_location(line["original"], where) if line["original"] else None)
    raise InputError(
        f"truth: {where}: expected a defect of {', '.join(DEFECT_KINDS)}; classes of text, and only they, a value"
    )


def _parse_location(text: str, where: str) -> RowLocation:
    source_id, _, row = text.rpartition(":")
    if not source_id or not row.isdecimal():
        raise InputError(f"truth: {where}: expected a source and a row, such as tickets:12")
    return RowLocation(source_id, int(row))
