"""A filter or a reader is added as one file and one entry of a table; everything else follows, and no test fails."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tasks.stages.data.ingest import pool
from tests import costs
from tests.copies import copy_tree
from tests.patience import patience

ROOT = Path(__file__).parents[2]
COPIED = ("tasks", "flows", "infra", "hallmark", "docs", "examples", "tests")
FILTER = '''"""Filter of records with a target of too few words."""

from tasks.stages.data.clean.filter import Filter

FILTER = Filter(
    removes=lambda record, bound: len(record.target.split()) < bound,
    reason=lambda record: f"{len(record.target.split())} words",
)
'''
FILTER_LINE = '''    min_target_words: Annotated[int | None, Field(ge=1), QuarantineRule("target_too_few_words")] = None
    """Minimum number of words of a target; null: any number."""
'''
READER = '''"""Reader of lines of `name=value` pairs with `|` between them."""

from collections.abc import Iterator
from typing import IO

from tasks.sources.sources import Source
from tasks.stages.data.readers.columns import check_mapped_columns
from tasks.stages.data.readers.decoding import open_text, strip_encoding_bytes, read_beginning
from tasks.stages.data.readers.limits import read_limited_lines, check_row_count
from tasks.stages.data.readers.rows import MalformedRow, Reader, Row


def read(file: IO[bytes], source: Source) -> Iterator[Row | MalformedRow]:
    for number, line in enumerate(read_limited_lines(open_text(file, source), source), start=1):
        check_row_count(number, source)
        values = dict(pair.split("=", 1) for pair in line.strip().split("|") if "=" in pair)
        if not values:
            yield MalformedRow(number, "not_a_pair", f"line {number}: expected name=value")
            continue
        if number == 1:
            check_mapped_columns(values, source)
        yield Row(number, values)


def column_names(file: IO[bytes], source: Source) -> list[str]:
    first = read_beginning(file, source).splitlines()[0]
    return [pair.partition("=")[0] for pair in first.split("|")]


READER = Reader(read, column_names, recognises=lambda head: b"=" in strip_encoding_bytes(head).partition(b" ")[0])
'''
READER_LINE = '    "pairs": ("not_a_pair",),\n'
TESTS = (
    "tests/contract/test_graph.py",
    "tests/infra/test_formats.py",
    "tests/stages/data/test_clean.py",
    "tests/stages/data/test_readers.py",
    "tests/contract/test_documents.py",
)
CHOSEN = "graph or formats or filter or table or reader or tour or map_of or meaning or links or limits"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the working tree, as a git repository."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in ROOT.iterdir():
        if file.name in COPIED:
            copy_tree(file, folder / file.name)
        elif file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


def add(copy: Path, file: str, text: str, table: str, before: str, line: str) -> None:
    """Add a file, and `line` to a table before the first `before`."""
    (copy / file).write_text(text)
    old = (copy / table).read_text()
    (copy / table).write_text(old.replace(before, line + before, 1))
    assert before in old


def python(copy: Path, *arguments: str | Path) -> str:
    """Output of Python with the code of the copy."""
    environment = costs.own_session() | {"PYTHONPATH": str(copy), pool.WORKERS_VARIABLE: "1"}
    command: Sequence[str | Path] = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, timeout=patience(300), check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def check(copy: Path, program: str, folder: Path) -> None:
    """Run a program of checks, the printing of dvc.yaml and the tests that a new entry of a table might break."""
    folder.mkdir()
    python(copy, "-m", program, folder)
    assert python(copy, "-m", "tasks.core.graph") == (ROOT / "dvc.yaml").read_text()
    python(copy, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", CHOSEN, *TESTS)


def test_a_filter_is_one_file_and_one_entry_of_a_table(copy: Path, tmp_path: Path) -> None:
    rooms = "tasks/stages/data/clean/filters", "tasks/core/params/filters.py"
    add(copy, f"{rooms[0]}/target_too_few_words.py", FILTER, rooms[1], "\n    @model_validator", FILTER_LINE)
    check(copy, "tests.contract.stranger_filter", tmp_path / "run")


def test_a_reader_is_one_file_and_one_line_of_a_table(copy: Path, tmp_path: Path) -> None:
    rooms = "tasks/stages/data/readers/formats", "tasks/core/steps/kinds.py"
    add(copy, f"{rooms[0]}/pairs_reader.py", READER, rooms[1], "}\n", READER_LINE)
    check(copy, "tests.contract.stranger_reader", tmp_path / "run")
