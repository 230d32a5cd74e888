"""Rows to label and gold examples, from the records of a run or from a file.

The texts of a run's records have tokens in place of personal values, as `ingest` wrote them. The vault is not read, so
annotators see no value that was detected. Texts of a file are as the person who leads the round gives them.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.compute as pc

from tasks.core.errors import InputError, Refused
from tasks.core.files import read_bounded
from tasks.core.json_text import parse_strict
from tasks.core.layout import Layout
from tasks.core.records.record import read_batches, read_table
from tasks.labels.label_round import MAX_ITEMS, MAX_LABEL_CHARS, Partition
from tasks.labels.round_order import is_encodable
from tasks.stages.data.conversations import prompts
from tasks.stages.data.text import is_blank, normalise_text

MAX_FILE_BYTES = 64 * 2**20
MAX_TEXT_CHARS = 1_000_000
TEXT, LABEL, ID = "text", "label", "id"
"""Columns of a file with rows or gold examples. `id` is optional, and so is `label` of a row."""


class InputRow(NamedTuple):
    key: str
    """Identity of the row among the rows of the round: the id of its record, or its place in the file."""
    text: str
    label: str = ""
    """Label of a gold example; empty for a row to label."""
    record_id: str | None = None
    source_id: str | None = None


def read_run_rows(layout: Layout, partition: Partition, source_ids: frozenset[str]) -> list[InputRow]:
    """Return the prompts of a run's dataset, in the order of its files. Records of plain text have their whole text.

    Args:
        layout: Worktree of the run.
        partition: Partition to read, or both.
        source_ids: Sources whose records are wanted.

    Raises:
        InputError: Stage `split` of the run has not finished.
        Refused: Files of the run disagree about the source of a record. The source determines who has access.
    """
    folder = layout.artefacts("split")
    if not (folder / "result.json").exists():
        raise InputError(f"run {layout.root.name} has no dataset here; name a run that has been through `split`")
    wanted = ("train", "test") if partition == "all" else (partition,)
    found = [row for name in wanted for row in _read_partition(folder / f"{name}.parquet", source_ids)]
    _require_same_sources(layout, found)
    return found


def _read_partition(path: Path, source_ids: frozenset[str]) -> Iterator[InputRow]:
    for batch in read_batches(path, ["record_id", "source_id", "messages"]):
        messages = batch["messages"]
        last = (turns[-1]["content"] for turns in messages.to_pylist())
        columns = (batch["record_id"].to_pylist(), batch["source_id"].to_pylist(), prompts(messages).to_pylist(), last)
        for record_id, source_id, prompt, target in zip(*columns, strict=True):
            text = normalise_text(prompt or target)
            if source_id in source_ids and not is_blank(text):
                yield InputRow(record_id, text, record_id=record_id, source_id=source_id)


def _require_same_sources(layout: Layout, found: list[InputRow]) -> None:
    table = read_table(layout.artefacts("ingest") / "rows.parquet", ["record_id", "source_id"])
    known = table.filter(pc.is_valid(table["record_id"]))
    sources = dict(zip(known["record_id"].to_pylist(), known["source_id"].to_pylist(), strict=True))
    if any(sources.get(row.key) != row.source_id for row in found):
        raise Refused(f"files of run {layout.root.name} disagree about the source of a record; nothing is handed out")


def read_rows_file(path: Path) -> list[InputRow]:
    """Read rows to label from a CSV or JSON Lines file with a column `text`.

    Raises:
        InputError: The file cannot be read, or a row has no text.
    """
    return [row._replace(label="") for row in _read_file(path, labelled=False)]


def read_gold_file(path: Path) -> list[InputRow]:
    """Read gold examples from a CSV or JSON Lines file with the columns `text` and `label`.

    Raises:
        InputError: The file cannot be read, or a row has no text or no label.
    """
    return list(_read_file(path, labelled=True))


def _read_file(path: Path, labelled: bool) -> Iterator[InputRow]:
    seen = set[str]()
    number = 0
    for number, values in enumerate(_read_values(path), start=1):
        where = f"{path}: row {number}"
        text = normalise_text(_text_value(values, TEXT, where))
        label = normalise_text(_text_value(values, LABEL, where)) if labelled else ""
        key = _text_value(values, ID, where) if values.get(ID) else f"row {number}"
        if is_blank(text) or (labelled and is_blank(label)):
            raise InputError(f"{where}: column `{LABEL if not is_blank(text) else TEXT}` is empty; fill it in")
        if len(text) > MAX_TEXT_CHARS or len(label) > MAX_LABEL_CHARS:
            raise InputError(f"{where}: it is longer than {MAX_TEXT_CHARS:,} characters, or its label is too long")
        if key in seen:
            raise InputError(f"{where}: its `{ID}` stands in an earlier row too; give each row its own")
        if number > MAX_ITEMS:
            raise InputError(f"{path} has more than {MAX_ITEMS:,} rows; divide it among several rounds")
        seen.add(key)
        yield InputRow(key, text, label)
    if not number:
        raise InputError(f"{path} has no rows; expected CSV or JSON Lines with a column `{TEXT}`")


def _text_value(values: dict[str, object], name: str, where: str) -> str:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{where}: expected text in column `{name}`, got {type(value).__name__}")
    if isinstance(value, str) and not is_encodable(value):
        raise InputError(f"{where}: column `{name}` has half of a character, which no file can hold; correct it")
    return str(value)


def _read_values(path: Path) -> Iterator[dict[str, object]]:
    try:
        text = read_bounded(path, MAX_FILE_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give a CSV or JSON Lines file with a column `{TEXT}`") from None
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text, or too large"
        raise InputError(f"{path}: cannot be read ({what})") from None
    yield from _json_lines(path, text) if text.lstrip()[:1] == "{" else _csv_rows(path, text)


def _json_lines(path: Path, text: str) -> Iterator[dict[str, object]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = parse_strict(line)
        except ValueError:
            raise InputError(f"{path}: line {number} is not JSON; write one object a line") from None
        if not isinstance(value, dict):
            raise InputError(f"{path}: line {number}: expected an object, got {type(value).__name__}")
        yield value


def _csv_rows(path: Path, text: str) -> Iterator[dict[str, object]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if TEXT not in (reader.fieldnames or ()):
            raise InputError(f"{path}: expected CSV with a column `{TEXT}`, or JSON Lines; its header has no such name")
        yield from reader
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num} is not CSV ({error})") from None
