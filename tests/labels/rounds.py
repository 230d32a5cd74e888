"""A round of labels in a checkout: its files, its people, and task files with labels filled in."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.in_process import hallmark, hallmark_json

LEAD, ANNOTATORS, ADJUDICATOR = "data-owner", ("ml-engineer", "colleague"), "product-owner"
LABELS = ("bill", "other", "card")
"""Labels in an order that is not the sorted one."""
GOLD = [("the gold card is lost", "card"), ("a gold bill came twice", "bill"), ("gold thanks", "other")]


def texts(rows: int) -> list[str]:
    return [f"message number {number} about something" for number in range(rows)]


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_inputs(folder: Path, rows: list[str], gold: Iterable[tuple[str, str]] = GOLD) -> list[str]:
    """Write rows, gold examples and guideline, and return the options that name them."""
    folder.mkdir(exist_ok=True)
    write_lines(folder / "rows.jsonl", [{"text": text} for text in rows])
    (folder / "gold.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in gold))
    (folder / "guideline.md").write_text("A bill is a bill.\n")
    return [
        "--rows", str(folder / "rows.jsonl"), "--gold", str(folder / "gold.csv"),
        "--guideline", str(folder / "guideline.md"), "--guideline-version", "1",
    ]  # fmt: skip


def people(annotators: Iterable[str] = ANNOTATORS, labels: Iterable[str] = LABELS) -> list[str]:
    named = [word for annotator in annotators for word in ("--annotator", annotator)]
    return [*named, "--adjudicator", ADJUDICATOR, *(word for label in labels for word in ("--label", label))]


def start(project: Path, name: str, inputs: list[str], *more: str, code: int = 0) -> str:
    return hallmark(project, "labels", "start", name, *inputs, *(more or people()), "--as", LEAD, code=code)


def export(project: Path, name: str, who: str, target: Path, *more: str) -> Path:
    hallmark(project, "labels", "export", name, "--to", str(target), *more, "--as", who)
    return target


def fill_in(path: Path, label: Callable[[dict[str, Any]], str]) -> Path:
    """Fill in the labels of a task file in JSON Lines."""
    return write_lines(path, [row | {"label": label(row)} for row in read_lines(path)])


def submit(project: Path, name: str, who: str, path: Path, code: int = 0) -> str:
    return hallmark(project, "labels", "import", name, str(path), "--as", who, code=code)


def label_all(project: Path, name: str, folder: Path, answers: dict[str, Callable[[dict[str, Any]], str]]) -> None:
    """Let each annotator label all of their items."""
    for who, label in answers.items():
        path = fill_in(export(project, name, who, folder / f"{name}-{who}.jsonl"), label)
        submit(project, name, who, path)


def status(project: Path, name: str, who: str = LEAD) -> dict[str, Any]:
    (found,) = hallmark_json(project, "labels", "status", name, "--as", who)
    return found
