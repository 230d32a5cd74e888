"""Detection of a file's format: kind, encoding and delimiter."""

import csv
import io
from contextlib import suppress
from typing import IO

from tasks.core.errors import InputError
from tasks.core.steps.kinds import KINDS
from tasks.sources.sources import Source
from tasks.stages.data.readers.decoding import open_text, read_beginning
from tasks.stages.data.readers.delimiters import USUAL_DELIMITERS
from tasks.stages.data.readers.kinds import reader_of

ENCODINGS = ("utf-8", "utf-16", "utf-32", "cp1252", "utf-16-le", "utf-16-be")
"""Encodings to try, in this order. The last two are for files without a byte order mark."""
SCORED_ROWS = 50
"""Number of rows on which a delimiter is scored."""
MAX_NON_ASCII_SHARE = 0.3
"""Maximum share of non-ASCII letters in text that is read as cp1252. Languages that use cp1252 have fewer."""


def detect_kind(file: IO[bytes]) -> str:
    """Detect the kind of a file by its first bytes, ignoring its name."""
    head = file.read(1 << 16)
    file.seek(0)
    return next((kind for kind in KINDS if reader_of(kind).recognises(head)), "csv")


def detect_text_format(file: IO[bytes], draft: Source, given: dict[str, str]) -> dict[str, str]:
    """Return encoding and delimiter if they differ from the defaults of a source.

    Args:
        file: File to read.
        draft: Source with the file's location and kind.
        given: Options given by the user, `encoding` and `delimiter`.

    Raises:
        InputError: No encoding fits, or an option is not valid.
    """
    reader = reader_of(draft.kind)
    if not reader.is_text:
        return {}
    encoding = _detect_encoding(file, draft, given.get("encoding"))
    said = {} if encoding == "utf-8" else {"encoding": encoding}
    if reader.has_header:
        said["delimiter"] = (
            _parse_delimiter(given["delimiter"])
            if "delimiter" in given
            else _detect_delimiter(read_beginning(file, _encoded(draft, encoding)))
        )
    return said


def _detect_encoding(file: IO[bytes], draft: Source, given: str | None) -> str:
    """Return the first encoding in which the reader used in runs accepts the file; raise its first error if none."""
    refused: list[InputError] = []
    for encoding in [given] if given else ENCODINGS:
        try:
            open_text(file, _encoded(draft, encoding)).detach()
            if given or encoding != "cp1252" or not _is_foreign(file, draft):
                return encoding
            break
        except InputError as error:
            refused.append(error)
    if given or "is declared" not in str(refused[0]):  # it is empty, or no text
        raise refused[0]
    raise InputError(f"{draft.location}: not one of {', '.join(ENCODINGS)} reads it; say which it is: --encoding NAME")


def _is_foreign(file: IO[bytes], draft: Source) -> bool:
    """Return whether the file, read as cp1252, has too many non-ASCII letters for a language that uses cp1252."""
    letters = [one for one in read_beginning(file, _encoded(draft, "cp1252")) if one.isalpha()]
    return sum(not one.isascii() for one in letters) > MAX_NON_ASCII_SHARE * len(letters)


def _encoded(draft: Source, encoding: str) -> Source:
    return draft.model_copy(update={"encoding": encoding})


def _parse_delimiter(given: str) -> str:
    """Return the delimiter of an option. A tab can be written as a backslash and a t."""
    mark = given.replace("\\t", "\t")
    if len(mark) != 1 or mark in '"\r\n\0':
        raise InputError(f"--delimiter {given!r}: expected one character that is no quote and no line end, such as ;")
    return mark


def _detect_delimiter(beginning: str) -> str:
    """Return the delimiter that splits most rows into as many fields as the header.

    If more than one does, the delimiter with more fields is returned, and then the one with fewer fields that begin
    with a blank, as after commas in prose.
    """
    return max(USUAL_DELIMITERS, key=lambda mark: _score(beginning, mark))


def _score(beginning: str, mark: str) -> tuple[bool, float, int, int]:
    widths: list[int] = []
    prose = 0
    with suppress(csv.Error):
        for row in csv.reader(io.StringIO(beginning.replace("\0", ""), newline=""), delimiter=mark):
            widths += [len(row)] if row else []
            prose += sum(field.startswith(" ") for field in row)
            if len(widths) > SCORED_ROWS:
                break
    width = widths[0] if widths else 0
    return width > 1, round(widths.count(width) / max(1, len(widths)), 1), width, -prose
