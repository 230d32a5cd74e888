"""Docstrings use the field's words: the terms of the glossary, and sentences that say what a thing is."""

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
ROOMS = ("tasks", "flows", "infra", "benchmarks", "examples")
NO_BEGINNING = (
    "Also", "As", "At", "Beside", "Both", "By", "For", "From", "How", "If", "In", "It", "Its", "None", "Nothing", "Of",
    "On", "One that", "Said", "So", "Such", "That", "The same", "Their", "These", "They", "Those", "To", "What",
    "Whatever", "When", "Where", "Which", "Who", "Whoever", "Whom", "Whose", "Why", "With", "Without",
)  # fmt: skip
"""Words that no docstring begins with: a clause or a preposition says what a thing does, and not what it is."""


class Docstring(NamedTuple):
    place: str
    text: str


@cache
def docstrings() -> list[Docstring]:
    names = subprocess.check_output(["git", "ls-files", *ROOMS], cwd=ROOT, text=True).splitlines()
    return [
        Docstring(f"{name}:{line}", text)
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
def test_no_docstring_uses_a_word_that_was_replaced(word: str) -> None:
    assert [each.place for each in docstrings() if re.search(rf"\b{word}\b", each.text)] == []
