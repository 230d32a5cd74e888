"""`make quick` leaves out what is listed, and `make test` nothing."""

import re
from pathlib import Path

from tests.slow_files import SECONDS

ROOT = Path(__file__).parents[2]


def recipe(target: str) -> str:
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found, f"the Makefile has no target {target}"
    return found[1]


def test_what_is_listed_is_there_and_the_longest_comes_first() -> None:
    assert [file for file in SECONDS if not (ROOT / file).is_file()] == []
    assert list(SECONDS.values()) == sorted(SECONDS.values(), reverse=True)


def test_make_test_runs_every_test() -> None:
    words = recipe("test").split()
    assert not {word.partition("=")[0] for word in words} & {"--quick", "-m", "-k", "--ignore", "--deselect"}
    assert "--quick" in recipe("quick").split()
