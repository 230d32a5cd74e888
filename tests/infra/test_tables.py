"""A table is whole on every terminal and in every pipe."""

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.table import Table

from infra.cli.table_layout import TableConsole

ROOT = Path(__file__).parents[2]
words = st.text("abcdefghij_.0123456789", min_size=1, max_size=70)
cells = st.lists(words, max_size=8).map(" ".join)


def printed(header: list[str], rows: list[list[str]], width: int, terminal: bool) -> list[str]:
    console = TableConsole(
        width=width, force_terminal=terminal, color_system=None, highlight=False, markup=False, soft_wrap=True
    )
    table = Table(*header, box=None, header_style="bold")
    for row in rows:
        table.add_row(*row)
    with console.capture() as capture:
        console.print(table)
    return capture.get().splitlines()


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.lists(cells, min_size=5, max_size=5), min_size=1, max_size=4), width=st.integers(40, 200))
def test_a_terminal_shows_every_character_within_its_width(rows: list[list[str]], width: int) -> None:
    lines = printed(["source", "owner", "rule", "rows", "reason"], rows, width, terminal=True)
    assert max(map(len, lines)) <= width
    wanted, shown = "".join(map("".join, rows)), "".join(lines)
    for character in set(wanted) - {" "}:
        assert shown.count(character) >= wanted.count(character), character
    assert "…" not in shown


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.lists(cells, min_size=5, max_size=5), min_size=1, max_size=4))
def test_a_pipe_gets_a_line_for_each_row_with_its_cells_as_they_are(rows: list[list[str]]) -> None:
    lines = printed(["source", "owner", "rule", "rows", "reason"], rows, 160, terminal=False)
    assert len(lines) == len(rows) + 1
    for line, row in zip(lines[1:], rows, strict=True):
        assert all(cell in line for cell in row)


def test_words_stay_whole_where_they_fit_beside_each_other_or_below() -> None:
    header = ["source", "owner", "licence", "rows", "quarantined", "protected", "train", "test", "content"]
    aside = "3.1% (exact_duplicate 12, near_duplicate 3, missing_target 1)"
    row = ["support-tickets", "data-owner-payments", "CC0-1.0", "1,203", aside, "31 found", "1,000", "203", "as before"]
    for width in (60, 80, 100, 120):
        shown = " ".join(printed(header, [row], width, terminal=True))
        assert all(re.search(rf"(?<!\S){re.escape(word)}(?!\S)", shown) for cell in row for word in cell.split()), width


def test_commands_print_on_one_console_that_cuts_nothing() -> None:
    code = {path: path.read_text() for path in (ROOT / "infra" / "cli").rglob("*.py")}
    made = [path.name for path, text in code.items() if re.search(r"= (?:Console|Whole|Terminal)\(", text)]
    assert set(made) <= {"tables.py", "terminal.py", "shared.py"}
    assert not [path.name for path, text in code.items() if re.search(r"overflow=|no_wrap=True|rich\.print", text)]
