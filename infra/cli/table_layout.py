"""Layout of tables that never truncates text.

If the output is a pipe or a file, each row becomes one line of any length, for grep and spreadsheets. On a terminal,
the text in a cell is wrapped between words. If the columns are then still too wide for the terminal, each row becomes a
paragraph.
"""

from collections.abc import Iterator
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.cli.terminal import LiteralConsole

COLUMN_GAP = 2
MIN_CELL_WIDTH = 12
MAX_WORD_WIDTH = 40
"""Maximum width that a column reserves for its longest word, in characters. Longer words, such as digests, can be
broken."""


class TableConsole(LiteralConsole):
    """Console that prints tables without truncating their text.

    Tables with `expand` are laid out by rich, which wraps the text in their cells.
    """

    def print(self, *objects: Any, **how: Any) -> None:
        table = objects[0] if objects else None
        if isinstance(table, Table) and not table.expand:
            for line in table_lines(table, self):
                super().print(line, soft_wrap=True)
        else:
            super().print(*objects, **how)


def table_lines(table: Table, console: Console) -> Iterator[Text]:
    """Yield the lines of a table. If the console is not a terminal, they can be wider than the console."""
    header = [_to_text(column.header, console) for column in table.columns]
    columns = [[_to_text(cell, console) for cell in column.cells] for column in table.columns]
    rows = [[*cells] for cells in zip(*columns, strict=True)]
    shown = [header, *rows] if table.show_header else rows
    for cell in header:
        cell.stylize("bold")
    widest = [max(map(_cell_width, column)) for column in zip(*shown, strict=True)]
    widths = _column_widths(shown, widest, console.width) if console.is_terminal else widest
    if widths is None:
        yield from _paragraphs(header, rows, console)
        return
    styles = [row.style or "" for row in table.rows]
    for cells, style in zip(shown, [""] * (len(shown) - len(rows)) + styles, strict=True):
        for line in _row(cells, widths, console):
            line.style = style
            yield line


def _cell_width(cell: Text) -> int:
    return max(map(cell_len, cell.plain.splitlines()), default=0)


def _to_text(cell: object, console: Console) -> Text:
    return cell.copy() if isinstance(cell, Text) else console.render_str(str(cell))


def _column_widths(rows: list[list[Text]], widest: list[int], width: int) -> list[int] | None:
    room = width - COLUMN_GAP * (len(widest) - 1)
    words = [
        max((cell_len(word) for cell in column for word in cell.plain.split()), default=0)
        for column in zip(*rows, strict=True)
    ]
    widths = [
        min(most, max(MIN_CELL_WIDTH, min(word, MAX_WORD_WIDTH))) for most, word in zip(widest, words, strict=True)
    ]
    if sum(widths) > room:
        return None
    for _ in range(room - sum(widths)):
        wanting = [number for number, most in enumerate(widest) if widths[number] < most]
        if not wanting:
            break
        widths[max(wanting, key=lambda number: widest[number] / widths[number])] += 1
    return widths


def _row(cells: list[Text], widths: list[int], console: Console) -> Iterator[Text]:
    broken = [list(cell.wrap(console, max(1, width))) for cell, width in zip(cells, widths, strict=True)]
    for number in range(max(map(len, broken), default=0)):
        line = Text()
        for parts, width in zip(broken, widths, strict=True):
            part = parts[number] if number < len(parts) else Text()
            line.append_text(part)
            line.append(" " * (width - part.cell_len + COLUMN_GAP))
        line.rstrip()
        yield line


def _paragraphs(header: list[Text], rows: list[list[Text]], console: Console) -> Iterator[Text]:
    named = max(cell.cell_len for cell in header)
    for number, row in enumerate(rows):
        if number:
            yield Text()
        for name, cell in zip(header, row, strict=True):
            if cell.plain:
                yield from _row([name, cell], [named, max(MIN_CELL_WIDTH, console.width - named - COLUMN_GAP)], console)
