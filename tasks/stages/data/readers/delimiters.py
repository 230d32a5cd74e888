"""Check of the declared delimiter, and detection of the right one."""

import csv
import json
from collections.abc import Sequence

from tasks.core.errors import InputError
from tasks.sources.sources import Source

USUAL_DELIMITERS = (",", ";", "\t", "|")


def check(header: Sequence[str], line: str, source: Source) -> None:
    """Check that no other delimiter is more likely than the declared one.

    Another delimiter is more likely if it yields more of the mapped columns in the header `line`, or if the declared
    delimiter does not occur in the line and the other one does.

    Raises:
        InputError: Mapped columns are missing, and another delimiter is more likely or the text is JSON Lines.
    """
    wanted = source.mapping.columns()
    if wanted <= set(header):
        return
    if line.lstrip("\ufeff \t").startswith("{"):
        raise InputError(
            f"source {source.id}: {source.location} looks like JSON Lines and not like CSV; set `kind: jsonl` in "
            "sources.yaml"
        )
    split = {mark: _names(line, mark) for mark in USUAL_DELIMITERS if mark != source.delimiter}
    likely = max(split, key=lambda mark: (len(wanted & set(split[mark])), len(split[mark])))
    better = len(wanted & set(split[likely])) > len(wanted & set(header))
    if better or len(header) == 1 < len(split[likely]):
        raise InputError(
            f"source {source.id}: {source.location} looks separated by {_quoted(likely)}, and sources.yaml says "
            f"{_quoted(source.delimiter)}; set `delimiter: {_quoted(likely)}` there"
        )


def header_names(line: str) -> set[str]:
    return max((set(_names(line, mark)) for mark in USUAL_DELIMITERS), key=lambda names: len(names))


def _names(line: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter, strict=True))]
    except (csv.Error, StopIteration):
        return []


def _quoted(delimiter: str) -> str:
    return json.dumps(delimiter)
