"""Docstrings, pages and messages use the terms of the glossary, and docstrings begin with what a thing is."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"
ROOMS = ("tasks", "flows", "infra", "hallmark", "benchmarks", "examples")
NO_BEGINNING = (
    "Also", "As", "At", "Beside", "Both", "By", "For", "From", "How", "If", "In", "It", "Its", "None", "Nothing", "Of",
    "On", "One that", "Said", "So", "Such", "That", "The same", "Their", "These", "They", "Those", "To", "What",
    "Whatever", "When", "Where", "Which", "Who", "Whoever", "Whom", "Whose", "Why", "With", "Without",
)  # fmt: skip
"""Words that no docstring begins with: a clause or a preposition says what a thing does, and not what it is."""


class Passage(NamedTuple):
    place: str
    text: str


@cache
def docstrings() -> list[Passage]:
    names = subprocess.check_output(["git", "ls-files", *ROOMS], cwd=ROOT, text=True).splitlines()
    return [
        Passage(f"{name}:{line}", text)
        for name in names
        if name.endswith(".py")
        for line, text in documented(ast.parse((ROOT / name).read_text()))
    ]


def documented(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Docstrings of a module, its classes and functions, and of attributes and constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if text := ast.get_docstring(node):
                yield node.body[0].lineno, text
            for before, after in zip(node.body, node.body[1:], strict=False):
                value = after.value if isinstance(after, ast.Expr) else None
                if isinstance(before, ast.Assign | ast.AnnAssign) and isinstance(value, ast.Constant):
                    yield after.lineno, str(value.value)


HISTORY = ("attacks.md", "glossary.md", "decisions")
"""Pages with the words of their time or of the tests, and the glossary itself."""


@cache
def pages() -> list[Passage]:
    """Pages that people read, without what they show as code."""
    paths = [path for path in (ROOT / "docs").rglob("*.md") if not {*HISTORY} & {path.name, path.parent.name}]
    return [
        Passage(path.relative_to(ROOT).as_posix(), re.sub(r"```.*?```|`[^`]*`", "", path.read_text(), flags=re.DOTALL))
        for path in (ROOT / "README.md", *paths)
    ]


@cache
def messages() -> list[Passage]:
    """Texts of commands: all strings in infra/cli, and the templates of pages."""
    strings = [
        Passage(f"{path.relative_to(ROOT)}:{node.lineno}", node.value)
        for path in (ROOT / "infra" / "cli").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    templates = [*(ROOT / "infra").rglob("*.html"), *(ROOT / "tasks").rglob("*.html")]
    return [*strings, *(Passage(path.relative_to(ROOT).as_posix(), path.read_text()) for path in templates)]


def terms() -> dict[str, list[str]]:
    """Terms of the glossary, each with the words that it has replaced."""
    rows = [line.strip("|").split("|") for line in GLOSSARY.read_text().splitlines() if line.startswith("| ")]
    told = [[cell.strip() for cell in row] for row in rows if row[0].strip() not in ("term", "---")]
    return {row[0]: [word for word in row[-1].split(", ") if word] for row in told}


def test_no_docstring_begins_with_a_clause() -> None:
    beginning = re.compile(rf"(?:{'|'.join(NO_BEGINNING)})\b")
    assert [each.place for each in docstrings() if beginning.match(each.text.lstrip())] == []


@pytest.mark.parametrize("term", list(terms()))
def test_each_term_is_used(term: str) -> None:
    pages = [path for path in (ROOT / "docs").rglob("*.md") if path != GLOSSARY] + [ROOT / "README.md"]
    word = re.compile(re.escape(term).replace(r"\ ", r"[\s_-]+"), re.IGNORECASE)
    assert any(word.search(each.text) for each in docstrings()) or any(word.search(path.read_text()) for path in pages)


@pytest.mark.parametrize("word", sorted({word for retired in terms().values() for word in retired}))
def test_nothing_uses_a_word_that_was_replaced(word: str) -> None:
    old = re.compile(rf"\b{re.escape(word)}\b".replace(r"\ ", r"\s+"), re.IGNORECASE)
    assert [each.place for each in (*docstrings(), *pages(), *messages()) if old.search(each.text)] == []
