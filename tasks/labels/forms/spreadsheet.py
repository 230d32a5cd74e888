"""Spreadsheet form of a task file (XLSX), in which no cell is a formula.

A text that begins with `=`, `+`, `-` or `@` could be executed as a formula by the program that opens it. Every text is
therefore stored as a string, with the style "quote prefix", which keeps it a string when it is edited. A formula in a
file that comes back is an error, because its value depends on the program that computed it.
"""

import io
import re
import zipfile
from collections.abc import Sequence
from typing import Any

from tasks.labels.forms.jsonl_form import format_number, labelled_item
from tasks.labels.forms.task_file import FIXED_FIELDS, GIVEN, LABEL, NOTE, SECONDS, FormError, LabelledItem, TaskFile

SHEET, LABELS_SHEET = "items", "labels"
MAX_CELL_CHARS = 32_767
"""Maximum number of characters in a cell, a limit of the format."""
UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_x[0-9A-Fa-f]{4}_")
"""Pattern of characters that XML cannot hold, and of the notation that spreadsheet programs read as such characters."""
MAX_UNPACKED_BYTES = 256 * 2**20
MAX_ROWS, MAX_COLUMNS = 200_000, 50
WIDTHS = {"text": 100, "label": 24, "note": 40}
"""Widths of columns, in characters."""


def write(task: TaskFile) -> bytes:
    """Write a workbook.

    Raises:
        FormError: A text cannot be in a cell.
    """
    from openpyxl import Workbook

    header = [*FIXED_FIELDS, *[GIVEN] * task.shows_given, LABEL, SECONDS, NOTE]
    book = Workbook()
    sheet = book.active
    sheet.title = SHEET
    sheet.freeze_panes = "A2"
    _write_row(sheet, 1, header)
    for place, item in enumerate(task.items, start=2):
        given = {GIVEN: " | ".join(item.given)}
        values = {**task.fixed_values(item), **given, LABEL: "", SECONDS: "", NOTE: ""}
        _write_row(sheet, place, [values[name] for name in header])
    for place, name in enumerate(header, start=1):
        sheet.column_dimensions[_letter(place)].width = WIDTHS.get(name, 14)
    if task.labels:
        _offer_labels(book, sheet, task.labels, _letter(header.index(LABEL) + 1))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _write_row(sheet: Any, row: int, values: Sequence[str]) -> None:
    for column, value in enumerate(values, start=1):
        if len(value) > MAX_CELL_CHARS or UNSTORABLE.search(value):
            raise FormError(
                f"the text of row {row} cannot be in a cell of a spreadsheet, since it is longer than "
                f"{MAX_CELL_CHARS:,} characters or has characters that XML lacks; choose --form jsonl"
            )
        cell = sheet.cell(row, column, value)
        cell.data_type = "s"  # openpyxl takes a text that begins with `=` for a formula
        cell.number_format = "@"
        cell.quotePrefix = True


def _offer_labels(book: Any, sheet: Any, labels: Sequence[str], column: str) -> None:
    """Offer the allowed labels in each cell of a column, from a sheet of their own."""
    from openpyxl.worksheet.datavalidation import DataValidation

    listed = book.create_sheet(LABELS_SHEET)
    for row, label in enumerate(labels, start=1):
        _write_row(listed, row, [label])
    choice = DataValidation("list", f"{LABELS_SHEET}!$A$1:$A${len(labels)}", allow_blank=True)
    sheet.add_data_validation(choice)
    choice.add(f"{column}2:{column}{max(2, sheet.max_row)}")


def read(data: bytes) -> list[LabelledItem]:
    """Parse a workbook.

    Raises:
        FormError: It is no workbook, lacks a column, or has a formula.
    """
    try:
        return _read_items(_open_sheet(data))
    except FormError:
        raise
    except Exception as error:  # openpyxl raises whatever its parsers do, also while rows are read
        raise FormError(f"it is no XLSX workbook ({type(error).__name__}); save it as XLSX") from None


def _read_items(sheet: Any) -> list[LabelledItem]:
    rows = sheet.iter_rows(max_row=MAX_ROWS + 1, max_col=MAX_COLUMNS)
    header = [str(cell.value or "").strip() for cell in next(rows, ())]
    if missing := [name for name in (*FIXED_FIELDS, LABEL) if name not in header]:
        raise FormError(f"sheet {SHEET} lacks the column `{missing[0]}`; keep the header as it was exported")
    items = []
    for number, row in enumerate(rows, start=2):
        if number > MAX_ROWS:
            raise FormError(f"sheet {SHEET} has more than {MAX_ROWS:,} rows, and no task file has")
        values = {name: _cell_value(cell, name) for name, cell in zip(header, row, strict=False) if name}
        if any(value not in (None, "") for value in values.values()):
            items.append(labelled_item(values, f"row {number}"))
    return items


def _open_sheet(data: bytes) -> Any:
    """Return the sheet with the items. The size of what the file unpacks to is limited before it is parsed."""
    from openpyxl import load_workbook

    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        if sum(part.file_size for part in packed.infolist()) > MAX_UNPACKED_BYTES:
            raise FormError(f"it unpacks to more than {MAX_UNPACKED_BYTES:,} bytes, and no task file does")
    book = load_workbook(io.BytesIO(data), read_only=True)
    if SHEET not in book.sheetnames:
        raise FormError(f"it has no sheet `{SHEET}`; keep the sheet as it was exported")
    return book[SHEET]


def _cell_value(cell: Any, name: str) -> str | float | None:
    """Return the value of a cell: text, or a number in the columns of labels and seconds.

    Raises:
        FormError: The cell is a formula, an error or a date.
    """
    value = cell.value
    if value is None:
        return "" if name in FIXED_FIELDS else None
    if cell.data_type == "f":
        raise FormError(f"cell {cell.coordinate} is a formula; write its text or number instead")
    if isinstance(value, str) and cell.data_type != "e":
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if name in (LABEL, SECONDS) else format_number(value)
    raise FormError(f"cell {cell.coordinate}: expected text, got {type(value).__name__}; format the cell as text")


def _letter(column: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(column))
