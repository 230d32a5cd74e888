"""Rules that many commands and pages follow are in one place each."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core import formatting
from tasks.core.pages import template_environment
from tests.loaded_modules import ROOT

SOURCES = [path for room in ("infra", "flows", "tasks") for path in sorted((ROOT / room).rglob("*.py"))]


def lines_with(pattern: str, *rooms: str) -> list[str]:
    """Return the lines of product code that match a pattern, each with its file."""
    return [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] in rooms
        for line in path.read_text().splitlines()
        if re.search(pattern, line)
    ]


def test_commands_pages_and_flows_open_the_ledger_by_their_checkout() -> None:
    assert not lines_with(r"\bopen_ledger\(", "infra", "flows"), "tasks/runs/checkout.py opens it"


def test_one_place_formats_times_and_shares() -> None:
    formats = lines_with(r":%Y-%m-%d %H:%M(:%S)?\} UTC", "infra", "flows", "tasks")
    formats += lines_with(r":\.\d%\}", "infra", "flows") + lines_with(
        r"^def (format_)?(duration|usd)", "infra", "flows"
    )
    assert [line for line in formats if not line.startswith("tasks/core/formatting.py")] == []
    pages = (ROOT / "infra" / "console" / "templates").glob("*.html")
    assert not [page.name for page in pages if re.search(r"\{:\.\d%\}|\}\} ?%", page.read_text())]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0 s"), (2.46, "2.5 s"), (42, "42 s"), (498, "8 min 18 s"), (3900, "1 h 05 min"), (183_600, "2 d 3 h")],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert formatting.format_duration(seconds) == text


def test_a_share_is_the_same_text_everywhere() -> None:
    assert [formatting.format_share(share) for share in (0.4, 0.0912, 1, 0)] == ["40%", "9.1%", "100%", "0%"]
    assert template_environment(ROOT).from_string("{{ 0.4 | share }}").render() == "40%"
    assert [formatting.format_bytes(size) for size in (3 << 30, 1536, 12)] == ["3.0 GiB", "1.5 KiB", "12 B"]


SELECTIONS = {
    "AuditPage": "questions with their answers, of which the dossier has other ones",
    "ChampionPeriod": "a period, without the decisions of its beginning",
    "EntryPage": "an entry with its body decoded, and redacted for the reader",
    "InboxItem": "a gate as it is for one person",
    "RunPage": "a journal, redacted for the reader",
    "RunRow": "the same in one line",
    "SourceRow": "a source without its location and its credentials",
    "WaiverRow": "a waiver without what it is bound to",
}
"""Documents of pages that select fields of a document of tasks, with what they select."""


def fields(room: Path) -> Iterator[tuple[str, set[str]]]:
    """Yield the classes of a room with the names of their fields, of which there are at least four."""
    for path in room.rglob("*.py"):
        for each in ast.parse(path.read_text()).body:
            if isinstance(each, ast.ClassDef):
                named = {
                    it.target.id
                    for it in each.body
                    if isinstance(it, ast.AnnAssign) and isinstance(it.target, ast.Name)
                }
                if len(named) >= 4:
                    yield each.name, named


def repeats(own: set[str], others: list[set[str]]) -> bool:
    return any(len(own & other) >= max(4, len(own) / 2) for other in others)


def test_no_page_has_its_own_copy_of_a_document_of_tasks() -> None:
    documents = [named for _, named in fields(ROOT / "tasks")]
    copies = {name for name, own in fields(ROOT / "infra" / "console" / "views") if repeats(own, documents)}
    assert copies == SELECTIONS.keys(), "tasks have such a document: a page shows that one"


def test_no_command_builds_a_document_that_a_page_shows() -> None:
    """Documents that both show come from tasks, so that a field is added in one place."""
    shown = [named for _, named in fields(ROOT / "infra" / "console" / "views")]
    built = [
        f"{path.relative_to(ROOT)}:{each.lineno}"
        for path in (ROOT / "infra" / "cli").rglob("*.py")
        for each in ast.walk(ast.parse(path.read_text()))
        if isinstance(each, ast.Dict)
        and repeats({key.value for key in each.keys if isinstance(key, ast.Constant)}, shown)
    ]
    assert not built
