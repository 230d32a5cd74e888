"""The tour of a room, in the docstring of its `__init__.py`, lists each file and subpackage with a line about it."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from infra.cli import command_table
from infra.cli.lazy_commands import Command
from infra.docs.code import TOP_PACKAGES

ROOT = Path(__file__).parents[2]
ROOMS = [path.parent for top in TOP_PACKAGES for path in sorted((ROOT / top).rglob("__init__.py"))]
LINE = re.compile(r" *([\w./-]+(?:\.\w+|/)) +(\S.*)")
"""A name with a suffix or a slash at its end, and what it is."""
SMALL_WORDS = {"and", "are", "for", "from", "has", "have", "its", "not", "one", "that", "the", "their", "this", "with"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def docstring(path: Path) -> str:
    """Return the docstring of a file, or of a package's `__init__.py`."""
    return ast.get_docstring(ast.parse((path / "__init__.py" if path.is_dir() else path).read_text())) or ""


@cache
def tour(room: Path) -> dict[str, str]:
    """Return each name of the tour with its line and the lines that continue it."""
    lines: dict[str, str] = {}
    last = ""
    for line in docstring(room).splitlines():
        if listed := LINE.fullmatch(line):
            last = listed[1]
            lines[last] = listed[2]
        elif last and line.startswith(" " * 6):
            lines[last] += f" {line.strip()}"
        else:
            last = ""
    return lines


def named(room: Path, word: str) -> Path | None:
    """Return what a tour names, relative to its room or to the repository."""
    return next((base / word for base in (room, ROOT) if (base / word).exists()), None)


def modules_of_commands() -> Iterator[Path]:
    groups = [{"": each} if isinstance(each, Command) else each.commands for each in command_table.ALL.values()]
    for group in groups:
        for command in group.values():
            yield ROOT.joinpath("infra", "cli", *command.target.partition(":")[0].split(".")).with_suffix(".py")


@pytest.mark.parametrize("room", ROOMS, ids=name)
def test_a_tour_names_each_file_and_subpackage(room: Path) -> None:
    """A file of commands is in the table of commands instead, and `__main__.py` is the package itself.

    A room of equals, such as readers, names their table instead, which has an entry for each.
    """
    if table := re.search(r"`([\w/]+\.py)` lists the (filters|kinds)", docstring(room)):
        entries = (ROOT / table[1]).read_text()
        assert [path.stem for path in room.glob("[!_]*.py") if path.stem.removesuffix("_reader") not in entries] == []
        return
    files = {path.name for path in {*room.glob("*.py")} - {*modules_of_commands()} if not path.name.startswith("__")}
    packages = {f"{path.parent.name}/" for path in room.glob("*/__init__.py")}
    assert (files | packages) - tour(room).keys() == set()


@pytest.mark.parametrize("room", ROOMS, ids=name)
def test_each_name_of_a_tour_exists(room: Path) -> None:
    assert [word for word in tour(room) if named(room, word) is None] == []


@cache
def tracked() -> str:
    return "\n" + subprocess.check_output(["git", "ls-files", *TOP_PACKAGES], cwd=ROOT, text=True)


@pytest.mark.parametrize("room", ROOMS, ids=name)
def test_each_module_in_the_text_of_a_tour_exists(room: Path) -> None:
    modules = re.findall(r"(?<![\w/.])(?:\.\./)*([\w/]+\.py)\b", docstring(room))
    assert [each for each in modules if f"/{each}\n" not in tracked() and f"\n{each}\n" not in tracked()] == []


def words(text: str) -> set[str]:
    """Return the beginnings of the words of a text, so that "trains" and "training" are one."""
    return {word[:5] for word in re.findall(r"[a-z]{3,}", text.lower()) if word not in SMALL_WORDS}


@pytest.mark.parametrize("room", ROOMS, ids=name)
def test_a_line_of_a_tour_is_about_its_file(room: Path) -> None:
    """It has at least one word in common with the first paragraph of the file's own docstring."""
    others = []
    for word, line in tour(room).items():
        path = named(room, word)
        if path and (path.suffix == ".py" or (path / "__init__.py").exists()):
            first = docstring(path).partition("\n\n")[0]
            others += [f"{word}: {line!r} is not {first!r}"] if not words(line) & words(first) else []
    assert others == []
