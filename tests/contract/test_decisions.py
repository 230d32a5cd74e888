"""The tests that a record of decisions names are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
NAMED = re.compile(r"(?P<file>tests/[\w/]+\.py)?(?:::(?P<test>\w+))?")


def missing(document: Path) -> list[str]:
    """What the document names and there is not; `::NAME` alone is in the file named last."""
    lost, file = [], ""
    for found in NAMED.finditer(document.read_text()):
        file, test = found["file"] or file, found["test"]
        text = (ROOT / file).read_text() if file and (ROOT / file).is_file() else ""
        if (found["file"] and not text) or (test and not re.search(rf"^(def )?{test}\b", text, re.M)):
            lost.append(f"{file}::{test}" if test else file)
    return lost


@pytest.mark.parametrize("document", DECISIONS, ids=lambda path: path.stem)
def test_the_tests_that_are_named_are_there(document: Path) -> None:
    assert not missing(document)
