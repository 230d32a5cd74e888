"""Check of the declared delimiter, and detection of the right one."""

import csv
import json
import re
from collections.abc import Sequence

from tasks.core.errors import InputError
from tasks.sources.sources import Source

OTHER_FORMATS = "export it as CSV with a line of column names, as JSON Lines or as Parquet"
MAILBOX = re.compile(r"From \S+@?\S* +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ")
"""Pattern of the line with which each message of an mbox file begins (RFC 4155)."""
MARKDOWN = re.compile(r"#{1,6} \S|---\s*$|```")
USUAL_DELIMITERS = (",", ";", "\t", "|")


def check_delimiter(header: Sequence[str], line: str, source: Source) -> None:
    """Check that no other delimiter is more likely than the declared one.

    Another delimiter is more likely if it yields more of the mapped columns in the header `line`, or if the declared
    delimiter does not occur in the line and the other one does.

    Raises:
        InputError: Mapped columns are missing, and another delimiter is more likely or the text is JSON Lines.
    """
    wanted = source.mapping.mapped_columns()
    if wanted <= set(header):
        return
    if line.lstrip("\ufeff \t").startswith("{"):
        raise InputError(
            f"source {source.id}: {source.location} looks like JSON Lines and not like CSV; set `kind: jsonl` in "
            "sources.yaml"
        )
    refuse_other_format(line, source)
    split = {mark: _split_header(line, mark) for mark in USUAL_DELIMITERS if mark != source.delimiter}
    likely = max(split, key=lambda mark: (len(wanted & set(split[mark])), len(split[mark])))
    better = len(wanted & set(split[likely])) > len(wanted & set(header))
    if better or len(header) == 1 < len(split[likely]):
        raise InputError(
            f"source {source.id}: {source.location} looks separated by {_quote_delimiter(likely)}, and "
            f"sources.yaml says {_quote_delimiter(source.delimiter)}; set `delimiter: {_quote_delimiter(likely)}` there"
        )


def refuse_other_format(line: str, source: Source) -> None:
    """Raise InputError if the first line of a text is one that no CSV file has."""
    if other := _other_format(line):
        raise InputError(f"source {source.id}: {source.location} looks like {other} and not like CSV; {OTHER_FORMATS}")


def _other_format(line: str) -> str:
    """Return what a text is whose first line no CSV file has; empty if it may be CSV."""
    start = line.lstrip("\ufeff \t")
    if start.startswith("["):
        return "one JSON list"
    if MAILBOX.match(start):
        return "a mailbox (mbox), which `kind: mail` in sources.yaml reads,"
    return "Markdown" if MARKDOWN.match(start) else ""


def header_names(line: str) -> set[str]:
    return max((set(_split_header(line, mark)) for mark in USUAL_DELIMITERS), key=lambda names: len(names))


def _split_header(line: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter, strict=True))]
    except (csv.Error, StopIteration):
        return []


def _quote_delimiter(delimiter: str) -> str:
    return json.dumps(delimiter)
