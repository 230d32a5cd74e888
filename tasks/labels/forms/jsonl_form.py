"""JSON Lines form of a task file: one object a line, in which the annotator fills in `label`."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tasks.core.json_text import parse_strict
from tasks.labels.forms.task_file import FIXED_FIELDS, GIVEN, LABEL, NOTE, SECONDS, FormError, LabelledItem, TaskFile

MAX_NUMBER = 2**53 - 1
"""Largest number that every reader of JSON takes for the same (RFC 7493)."""


def write(task: TaskFile) -> bytes:
    return b"".join(map(_line, _objects(task)))


def _objects(task: TaskFile) -> Iterator[dict[str, Any]]:
    for item in task.items:
        given = {GIVEN: list(item.given)} if task.shows_given else {}
        yield {**task.fixed_values(item), **given, "labels": list(task.labels), LABEL: "", SECONDS: None, NOTE: ""}


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def read(data: bytes) -> list[LabelledItem]:
    """Parse a file.

    Raises:
        FormError: It is not JSON Lines with the fields of a task file.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FormError("it is not UTF-8 text") from None
    lines = enumerate(text.split("\n"), start=1)
    return [_read_line(line, f"line {number}") for number, line in lines if line.strip()]


def _read_line(line: str, where: str) -> LabelledItem:
    try:
        value = parse_strict(line)
    except ValueError:
        raise FormError(f"{where} is not JSON; write one object a line, as it was exported") from None
    if not isinstance(value, dict):
        raise FormError(f"{where}: expected an object, got {type(value).__name__}")
    return labelled_item(value, where)


def labelled_item(value: dict[str, Any], where: str) -> LabelledItem:
    """Return the item in an object with the fields of a task file.

    Raises:
        FormError: A field is missing or has another type.
    """
    fixed = {name: held for name in FIXED_FIELDS if isinstance(held := value.get(name), str)}
    if missing := [name for name in FIXED_FIELDS if name not in fixed]:
        raise FormError(f"{where}: expected text in `{missing[0]}`, as it was exported")
    label = value.get(LABEL)
    note = value.get(NOTE) or ""
    if isinstance(label, int | float) and not isinstance(label, bool):
        if abs(label) > MAX_NUMBER:
            raise FormError(f"{where}: the number in `{LABEL}` is too large; write it as text")
        label = format_number(label)
    if not isinstance(label, str | None) or not isinstance(note, str):
        raise FormError(f"{where}: expected text in `{LABEL if isinstance(note, str) else NOTE}`")
    return LabelledItem(
        where=where, **fixed, label=label or "", seconds=read_seconds(value.get(SECONDS), where), note=note
    )


def read_seconds(value: Any, where: str) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}([.][0-9]{1,9})?", value.strip()):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_NUMBER:
        raise FormError(f"{where}: expected a number of seconds in `{SECONDS}`, or nothing")
    return float(value)


def format_number(value: int | float) -> str:
    """Format a number that stands for a label, for example `3` for 3.0, as a spreadsheet stores it."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
