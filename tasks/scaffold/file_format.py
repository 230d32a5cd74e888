"""Detection of a file's format: kind, encoding and delimiter."""

import csv
import io
from contextlib import suppress
from typing import IO

from tasks.core.errors import InputError
from tasks.core.steps.kinds import SOURCE_KINDS
from tasks.scaffold.folder_kind import suffixes_of
from tasks.sources.sources import Source
from tasks.stages.data.readers.decoding import open_text, read_beginning
from tasks.stages.data.readers.delimiters import USUAL_DELIMITERS
from tasks.stages.data.readers.folder_stream import has_suffix
from tasks.stages.data.readers.kinds import reader_of

ENCODINGS = ("utf-8", "utf-16", "utf-32", "cp1252", "utf-16-le", "utf-16-be")
"""Encodings to try, in this order. The last two are for files without a byte order mark."""
MAX_SCORED_ROWS = 50
"""Number of rows by which a delimiter is scored."""
MAX_NON_ASCII_SHARE = 0.3
"""Maximum fraction of non-ASCII letters in text that is read as cp1252. Languages that use cp1252 stay below it."""


def detect_kind(file: IO[bytes], location: str) -> str:
    """Detect the kind of a file by its first bytes.

    Its name counts only if the bytes say nothing, and only for kinds of documents other than plain text, because tables
    are often called .txt too.
    """
    head = file.read(1 << 16)
    file.seek(0)
    said = next((kind for kind in SOURCE_KINDS if reader_of(kind).recognises(head)), None)
    named = (kind for kind in SOURCE_KINDS if has_suffix(location, suffixes_of(kind)) and kind != "text")
    return said or next(named, "csv")


def detect_text_format(file: IO[bytes], draft: Source, options: dict[str, str]) -> dict[str, str]:
    """Detect the encoding and the delimiter of a file.

    Args:
        file: File to read.
        draft: Source with the file's location and kind.
        options: Values of the options `encoding` and `delimiter`, as far as the user set them.

    Returns:
        Fields of the source: `encoding` unless it is UTF-8, and `delimiter` if the kind of file has one.

    Raises:
        InputError: No encoding fits, or an option is not valid.
    """
    reader = reader_of(draft.kind)
    if not reader.is_text:
        return {}
    encoding = _detect_encoding(file, draft, options.get("encoding"))
    said = {} if encoding == "utf-8" else {"encoding": encoding}
    if reader.has_header:
        said["delimiter"] = (
            _parse_delimiter(options["delimiter"])
            if "delimiter" in options
            else _detect_delimiter(read_beginning(file, _with_encoding(draft, encoding)))
        )
    return said


def _detect_encoding(file: IO[bytes], draft: Source, requested_encoding: str | None) -> str:
    """Return the first encoding with which a run can read the file.

    Raises:
        InputError: The file cannot be read with any of the encodings.
    """
    refused: list[InputError] = []
    for encoding in [requested_encoding] if requested_encoding else ENCODINGS:
        try:
            open_text(file, _with_encoding(draft, encoding)).detach()
            if requested_encoding or encoding != "cp1252" or not _is_unlikely_cp1252(file, draft):
                return encoding
            break
        except InputError as error:
            refused.append(error)
    if requested_encoding or "is declared" not in str(refused[0]):  # it is empty, or no text
        raise refused[0]
    raise InputError(f"{draft.location}: not one of {', '.join(ENCODINGS)} reads it; say which it is: --encoding NAME")


def _is_unlikely_cp1252(file: IO[bytes], draft: Source) -> bool:
    """Return whether the file, read as cp1252, has too many non-ASCII letters for a language that uses cp1252."""
    letters = [one for one in read_beginning(file, _with_encoding(draft, "cp1252")) if one.isalpha()]
    return sum(not one.isascii() for one in letters) > MAX_NON_ASCII_SHARE * len(letters)


def _with_encoding(draft: Source, encoding: str) -> Source:
    return draft.model_copy(update={"encoding": encoding})


def _parse_delimiter(option_value: str) -> str:
    """Parse the value of the option `--delimiter`. A tab can be written as a backslash followed by t."""
    mark = option_value.replace("\\t", "\t")
    if len(mark) != 1 or mark in '"\r\n\0':
        raise InputError(
            f"--delimiter {option_value!r}: expected one character that is no quote and no line end, such as ;"
        )
    return mark


def _detect_delimiter(beginning: str) -> str:
    """Return the delimiter that splits the most rows into the same number of fields as the header.

    If this is true of more than one delimiter, the one that yields more fields is returned. If they are still equal,
    the one that yields fewer fields with a leading space is returned, because commas in prose are followed by a space.
    """
    return max(USUAL_DELIMITERS, key=lambda mark: _score_delimiter(beginning, mark))


def _score_delimiter(beginning: str, mark: str) -> tuple[bool, float, int, int]:
    widths: list[int] = []
    prose = 0
    with suppress(csv.Error):
        for row in csv.reader(io.StringIO(beginning.replace("\0", ""), newline=""), delimiter=mark):
            widths += [len(row)] if row else []
            prose += sum(field.startswith(" ") for field in row)
            if len(widths) > MAX_SCORED_ROWS:
                break
    width = widths[0] if widths else 0
    return width > 1, round(widths.count(width) / max(1, len(widths)), 1), width, -prose
