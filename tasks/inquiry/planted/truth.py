"""The table beside a drill's sources that says what was planted in them.

A CSV file with columns source_id, row (1-based data row of the source), defect, original and value:

    tickets,57,duplicate,tickets:12,          row 57 is a copy of row 12, which is to be kept
    tickets,90,cut_off,,                      row 90 is no row
    tickets,12,name,,Grace Hopper             in row 12 stands a name

A value stands there as itself, since ingest repairs texts and moves whatever is counted in characters. So the table is
as confidential as its sources: nothing but figures may be made of it.
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
from tasks.sources.sources import ResolvedTruth

COLUMNS = ["source_id", "row", "defect", "original", "value"]
CLASSES = get_args(Category)


class Place(NamedTuple):
    source_id: str
    row: int


class Kind(NamedTuple):
    """A kind of defect, and who ought to find it."""

    stage: str
    rules: tuple[str, ...]
    """Of quarantine."""
    either: bool = False
    """Whether the original may go instead, citing the planted row: nothing says which of the two is better."""


KINDS: Mapping[str, Kind] = {
    "cut_off": Kind("ingest", ("field_count", "not_json")),
    "no_target": Kind("ingest", ("missing_target",)),
    "past_retention": Kind("ingest", ("past_retention",)),
    "retired": Kind("ingest", ("retired",)),
    **{name: Kind("ingest", (f"holds_{name}",)) for name in CLASSES},
    "empty_prompt": Kind("clean", ("empty_prompt",)),
    "duplicate": Kind("deduplicate", ("exact_duplicate",), either=True),
    "duplicate_across": Kind("deduplicate", ("exact_duplicate",)),
    "near_duplicate": Kind("deduplicate", ("near_duplicate",), either=True),
    "superseded": Kind("deduplicate", ("superseded",)),
    "conflict": Kind("deduplicate", ("conflict",)),
    "conflict_of_sources": Kind("deduplicate", ("conflict",)),
    "conflict_undecided": Kind("deduplicate", ("conflict_undecided",)),
    "in_test": Kind("deduplicate", ("near_test",)),
}
"""A class of protected text is a kind where its source says drop."""


@dataclass(frozen=True)
class Row:
    """A row that is wrong as a whole."""

    place: Place
    defect: str
    original: Place | None


@dataclass(frozen=True)
class Value:
    """Something in a row's texts that is about a person, or secret."""

    place: Place
    category: Category
    value: str


@dataclass(frozen=True)
class Truth:
    rows: tuple[Row, ...]
    values: tuple[Value, ...]


def read(resolved: ResolvedTruth, root: Path) -> Truth:
    """The truth as pinned. Raises InputError, which says nothing of what stands there, where the file has changed since
    or is no such table."""
    file = Layout(root).locate(resolved.path)
    data = file.read_bytes() if file.is_file() else b""
    if sha256_bytes(data) != resolved.sha256:
        raise InputError(f"truth: {resolved.path} is not what it was when the run was resolved; restore it")
    table = csv.DictReader(io.StringIO(data.decode("utf-8", errors="replace"), newline=""))
    if table.fieldnames != COLUMNS:
        raise InputError(f"truth: the first line of {resolved.path} is not {','.join(COLUMNS)}")
    read = [_parsed(line, f"{resolved.path} line {table.line_num}") for line in table]
    return Truth(
        rows=tuple(item for item in read if isinstance(item, Row)),
        values=tuple(item for item in read if isinstance(item, Value)),
    )


def _parsed(line: dict[str, str], where: str) -> Row | Value:
    place, defect, value = _place(f"{line['source_id']}:{line['row']}", where), line["defect"], line["value"]
    if defect in CLASSES and value:
        return Value(place, cast(Category, defect), value)
    if defect in KINDS.keys() - CLASSES and not value:
        return Row(place, defect, _place(line["original"], where) if line["original"] else None)
    raise InputError(
        f"truth: {where}: expected a defect of {', '.join(KINDS)}; classes of text, and only they, a value"
    )


def _place(text: str, where: str) -> Place:
    source_id, _, row = text.rpartition(":")
    if not source_id or not row.isdecimal():
        raise InputError(f"truth: {where}: expected a source and a row, such as tickets:12")
    return Place(source_id, int(row))
