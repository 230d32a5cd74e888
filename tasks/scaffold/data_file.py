"""Detection of a data file's format and columns, and a sample of its rows.

Runs use the same readers. A run can therefore read any file that can be sampled here.
"""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple

from tasks.core.errors import InputError
from tasks.core.formatting import format_share
from tasks.core.steps.kinds import SOURCE_KINDS_IN_WORDS
from tasks.scaffold import file_format
from tasks.scaffold.folder_kind import FolderKind, detect_folder_kind
from tasks.sources.column_mapping import ColumnMapping, SourceConstants
from tasks.sources.sources import Source
from tasks.stages.data.readers import content, gzip_content
from tasks.stages.data.readers.kinds import reader_of
from tasks.stages.data.readers.rows import MalformedRow, Row

MAX_BYTES = 256 << 20
"""Maximum size of the file in bytes, before and after decompression. Reading this much takes about ten seconds."""
MAX_SAMPLE_ROWS = 20_000
"""Maximum number of rows in the sample, drawn uniformly from the file."""
MAX_COLUMNS = 500
MAX_MALFORMED_SHARE = 0.05
"""Maximum fraction of malformed rows. It is also the value of `data.max_malformed_share` in the new params.yaml."""
MAX_NAME_CHARS = 80
"""Maximum number of characters in a column's name. Longer text is assumed to be a value."""
MAX_MEMORY_BYTES = 64 << 20
ADVICE_PATTERNS = (
    (r"correct `kind` or `location`", f"save it as {SOURCE_KINDS_IN_WORDS}, and give that"),
    (r"set `(encoding|delimiter): (\S+)`( in sources.yaml| there)", r"say --\1 \2"),
    (r"and sources.yaml says", "and --delimiter says"),
    (r"find out its encoding and declare it in sources.yaml", "find out its encoding, and say --encoding NAME"),
)
"""Regular expressions for advice in readers' error messages, each with a replacement for users of `hallmark new`."""


class DataFile(NamedTuple):
    source: Source
    """Source with the detected format. Its mapping includes every column. Other required fields contain
    placeholders."""
    names: list[str]
    rows: int
    """Number of rows, including malformed ones."""
    malformed: int
    sample: list[Row]
    """Sample of at most MAX_SAMPLE_ROWS rows, in file order."""
    left_out: str = ""
    """Numbers of files of a folder that a run leaves out, by suffix; empty if there are none."""

    @property
    def has_documents(self) -> bool:
        """Whether the rows are documents or their sections, which have no answers."""
        return bool(reader_of(self.source.kind).suffixes) and {"document", "text"} <= set(self.names)


def inspect_file(name: str, location: str, root: Path, options: dict[str, str]) -> DataFile:
    """Detect the format of a data file, and read a sample of its rows.

    Args:
        name: Name of the use case.
        location: Path or URL. A relative path starts at `root`.
        root: Root of the checkout.
        options: Values of the options `encoding` and `delimiter`, as far as the user set them.

    Raises:
        InputError: The file is too large, is not readable, or has no rows or fewer than two named columns.
    """
    draft = _draft_source(name, location, {})
    with _rewrite_errors(name):
        folder = detect_folder_kind(draft, root)
        if folder:
            return _inspect_documents(_draft_source(name, location, {"kind": folder.kind}), root, options, folder)
        return _inspect_table_or_document(draft, root, options)


def _inspect_documents(source: Source, root: Path, options: dict[str, str], folder: FolderKind) -> DataFile:
    said = {"encoding": options["encoding"]} if reader_of(source.kind).is_text and "encoding" in options else {}
    with _unpack(source, root) as file:
        names = _column_names(file, source)
        mapped = source.model_copy(update={"mapping": _mapping_of_all_columns(names), **said})
        return _sample_rows(file, mapped, names)._replace(left_out=folder.left_out)


def _inspect_table_or_document(draft: Source, root: Path, options: dict[str, str]) -> DataFile:
    with _unpack(draft, root) as file:
        known = draft.model_copy(update={"kind": file_format.detect_kind(file, draft.location)})
        source = known.model_copy(update=file_format.detect_text_format(file, known, options))
        names = _column_names(file, source)
        source = source.model_copy(update={"mapping": _mapping_of_all_columns(names)})
        file.seek(0)
        return _sample_rows(file, source, names)


@contextmanager
def _rewrite_errors(name: str) -> Iterator[None]:
    """Rewrite advice in readers' error messages for users who do not have a sources.yaml yet."""
    try:
        yield
    except InputError as error:
        text = str(error).removeprefix(f"source {name}: ")
        for said, replacement in ADVICE_PATTERNS:
            text = re.sub(said, replacement, text)
        raise InputError(text) from None


def _draft_source(name: str, location: str, more: dict[str, Any]) -> Source:
    said = {
        "id": name, "kind": "csv", "location": location, "owner": name, "steward": name, "access": ["data_owner"],
        "classification": "confidential", "lawful_basis": "-", "licence": "-", "retention_days": 1, "region": "-",
        "refresh_days": 1, "approved_uses": ["-"], "mapping": ColumnMapping(prompt="-", response="-"),
        "constants": SourceConstants(task=name),
    }  # fmt: skip
    return Source.model_validate(said | more)


def _mapping_of_all_columns(names: list[str]) -> ColumnMapping:
    return ColumnMapping(prompt=names[0], response={name: name for name in names})


@contextmanager
def _unpack(source: Source, root: Path) -> Iterator[IO[bytes]]:
    """Yield a private, decompressed copy of the file. Raise InputError if the file is too large."""
    with SpooledTemporaryFile(MAX_MEMORY_BYTES) as packed, SpooledTemporaryFile(MAX_MEMORY_BYTES) as plain:
        with content.open_content(source, root) as file:
            while block := file.read(content.BLOCK_BYTES):
                packed.write(block)
                if packed.tell() > MAX_BYTES:
                    raise _too_large_error(source)
        if not gzip_content.is_gzip(packed):
            packed.seek(0)
            yield packed
            return
        bounded = source.model_copy(update={"max_unpacked_bytes": MAX_BYTES})
        try:
            gzip_content.unpack(packed, plain, bounded)
        except InputError as error:
            raise (_too_large_error(source) if "max_unpacked_bytes" in str(error) else error) from None
        plain.seek(0)
        yield plain


def _too_large_error(source: Source) -> InputError:
    return InputError(
        f"{source.location}: more than {MAX_BYTES:,} bytes, and `hallmark new` looks at no larger file; give it one "
        "with some thousand rows of this, and name the whole as `location` in the sources.yaml that it writes"
    )


def _column_names(file: IO[bytes], source: Source) -> list[str]:
    reader = reader_of(source.kind)
    names = list(reader.column_names(file, source))
    where, shown = source.location, [name for name in names if name]
    if len(shown) < 2:
        raise InputError(
            f"{where}: it has {len(shown) or 'no'} named column{'s' * (len(shown) != 1)}; a use case is learnt from at "
            "least two, what is asked and what is answered"
            + f", and the first line of a {source.kind} names them"
            * reader.has_header
        )
    if len(names) > MAX_COLUMNS:
        raise InputError(f"{where}: {len(names):,} columns, and at most {MAX_COLUMNS} are looked at; leave some out")
    if long := [number for number, name in enumerate(names, start=1) if len(name) > MAX_NAME_CHARS]:
        raise InputError(
            f"{where}: the name of column {long[0]} has {len(names[long[0] - 1]):,} characters, more than "
            f"{MAX_NAME_CHARS}; is the first line a header?"
        )
    return names


def _sample_rows(file: IO[bytes], source: Source, names: list[str]) -> DataFile:
    sampled, reader = list[Row](), reader_of(source.kind)
    drawn, malformed, rows, first = random.Random(17), 0, 0, ""
    for row in reader.read(file, source):
        rows += 1
        if isinstance(row, MalformedRow):
            malformed += 1
            first = first or row.reason
            continue
        if len(sampled) < MAX_SAMPLE_ROWS:
            sampled.append(row)
        elif (place := drawn.randrange(rows)) < MAX_SAMPLE_ROWS:
            sampled[place] = row
    if not rows:
        raise InputError(
            f"{source.location}: it has {'no text' if reader.suffixes else 'a header and no row'}; give it whole"
        )
    require_readable_rows(malformed, rows, first, source)
    return DataFile(source, names, rows, malformed, sorted(sampled, key=lambda row: row.number))


def require_readable_rows(malformed: int, rows: int, first_problem: str, source: Source) -> None:
    """Raise InputError if the number of malformed rows is so large that a run would stop."""
    if malformed > MAX_MALFORMED_SHARE * rows:
        raise InputError(
            f"{source.location}: {malformed:,} of {rows:,} rows cannot be read, and a run stops where it is more than "
            f"{format_share(MAX_MALFORMED_SHARE)}; the first one, {first_problem}. Mend the file"
        )
