"""Rules that many commands and pages follow are in one place each."""

import re

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
    assert not lines_with(r"open_ledger\(", "infra", "flows"), "tasks/runs/checkout.py opens it"
