"""`hallmark --help` lists each command in one of five sections, in the order of a first use."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from infra.cli import app, command_table
from tests.in_process import hallmark

FIRST_WORDS = ["Start", "Train", "Decide", "Look", "Operate"]
HELP_WIDTH = 80


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    return hallmark(tmp_path_factory.mktemp("anywhere"), "--help")


def sections_of(text: str) -> dict[str, list[str]]:
    """Return the commands of each section that a help text shows, except its options."""
    found = re.findall(r"^(\S.*):\n((?: +.*\n)+)", text, re.M)
    return {title: re.findall(r"^  (\S+) ", lines, re.M) for title, lines in found if title != "Options"}


def test_the_help_has_five_sections_in_the_order_of_a_first_use(shown: str) -> None:
    assert [title.split()[0] for title in sections_of(shown)] == FIRST_WORDS
    assert [*sections_of(shown)] == [*command_table.SECTIONS]


def test_each_registered_command_is_in_one_section(shown: str) -> None:
    listed = [name for names in sections_of(shown).values() for name in names]
    registered = [*get_command(app).commands]  # type: ignore[attr-defined]
    assert sorted(listed) == sorted(registered) == sorted({*registered})
    assert listed == registered, "pages and completion have another order than the help"


def test_the_help_is_read_at_eighty_columns_and_its_texts_are_aligned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(HELP_WIDTH))
    lines = hallmark(tmp_path, "--help").partition("exit.\n")[2].splitlines()
    assert max(map(len, lines)) < HELP_WIDTH
    begins = {len(re.match(r"  \S+ +", line)[0]) for line in lines if line.startswith("  ")}  # type: ignore[index]
    assert len(begins) == 1, "a help text that is wrapped, or another column in each section"
