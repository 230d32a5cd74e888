"""A data file of which nothing is known but its path: its form, encoding and separator, and a sample of its rows.

The readers are those of a run, so that a file which can be sampled here can be read there.
"""

import csv
import io
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Literal, NamedTuple, cast

from tasks.core.errors import InputError
from tasks.sources.sources import Constants, Mapping, Source
from tasks.stages.data.readers import content, decoding, gzipped
from tasks.stages.data.readers.delimiters import USUAL
from tasks.stages.data.readers.kinds import READERS
from tasks.stages.data.readers.rows import Malformed, Row

Kind = Literal["csv", "jsonl", "parquet"]
MOST_BYTES = 256 << 20
"""Bytes that are looked at, packed or not: some ten seconds."""
SAMPLE = 20_000
"""Rows that guesses are made from, drawn evenly over the file."""
LOOKED = 1_000
"""Lines whose fields are collected, of JSON Lines."""
SCORED = 50
"""Rows by which a separator is judged."""
MOST_COLUMNS = 500
LONGEST_NAME = 80
"""Characters of a column's name; a longer one is a value."""
IN_MEMORY = 64 << 20
ENCODINGS = ("utf-8", "utf-16", "utf-32", "cp1252", "utf-16-le", "utf-16-be")
"""In this order; the last two are those without a byte order mark."""


class Opened(NamedTuple):
    source: Source
    """As far as the file says it; its mapping names every column, and all else that a source must say is made up."""
    names: list[str]
    """Of the columns, in the order of the file."""
    rows: int
    """Rows, malformed ones too."""
    malformed: int
    sample: list[Row]
    """At most SAMPLE rows, in the order of the file."""


def look(name: str, location: str, root: Path, given: dict[str, str]) -> Opened:
    """The file at `location`, which starts at `root` where it is relative. `given` has `encoding` and `delimiter` where
    somebody said them.

    Raises InputError for what is no table of at least two columns with a header and rows, and for what no reader takes.
    """
    draft = _draft(name, location, {})
    with _unpacked(draft, root) as file:
        kind = _kind(file)
        source = _draft(name, location, {"kind": kind, **_form(file, kind, draft, given)})
        names = _names(file, source)
        source = source.model_copy(update={"mapping": _of_all(names)})
        file.seek(0)
        return _sampled(file, source, names)


def _draft(name: str, location: str, more: dict[str, Any]) -> Source:
    said = {
        "id": name, "kind": "csv", "location": location, "owner": name, "steward": name, "access": ["data_owner"],
        "classification": "confidential", "lawful_basis": "-", "licence": "-", "retention_days": 1, "region": "-",
        "refresh_days": 1, "approved_uses": ["-"], "mapping": Mapping(prompt="-", response="-"),
        "constants": Constants(task=name),
    }  # fmt: skip
    return Source.model_validate(said | more)


def _of_all(names: list[str]) -> Mapping:
    return Mapping(prompt=names[0], response={name: name for name in names})


@contextmanager
def _unpacked(source: Source, root: Path) -> Iterator[IO[bytes]]:
    """A copy of the file that nobody changes, unpacked. Raises InputError for one that is too large."""
    with SpooledTemporaryFile(IN_MEMORY) as packed, SpooledTemporaryFile(IN_MEMORY) as plain:
        with content.opened(source, root) as file:
            while block := file.read(content.BLOCK):
                packed.write(block)
                if packed.tell() > MOST_BYTES:
                    raise _too_large(source)
        if not gzipped.is_gzip(packed):
            packed.seek(0)
            yield packed
            return
        bounded = source.model_copy(update={"max_unpacked_bytes": MOST_BYTES})
        try:
            gzipped.unpack(packed, plain, bounded)
        except InputError as error:
            raise (_too_large(source) if "max_unpacked_bytes" in str(error) else error) from None
        plain.seek(0)
        yield plain


def _too_large(source: Source) -> InputError:
    return InputError(
        f"{source.location}: more than {MOST_BYTES:,} bytes, and `hallmark new` looks at no larger file; give it one "
        "with some thousand rows of this, and name the whole as `location` in the sources.yaml that it writes"
    )


def _kind(file: IO[bytes]) -> Kind:
    head = file.read(1 << 16)
    file.seek(0)
    if head.startswith(b"PAR1"):
        return "parquet"
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return "jsonl" if text[:1] in (b"{", b"[") else "csv"


def _form(file: IO[bytes], kind: Kind, draft: Source, given: dict[str, str]) -> dict[str, str]:
    """Encoding and delimiter, as far as they are not what a source has without saying so."""
    if kind == "parquet":
        return {}
    encoding = _encoding(file, draft.model_copy(update={"kind": kind}), given.get("encoding"))
    form = {} if encoding == "utf-8" else {"encoding": encoding}
    if kind == "csv":
        form["delimiter"] = given.get("delimiter") or _delimiter(_beginning(file, draft, encoding))
    return form


def _encoding(file: IO[bytes], draft: Source, given: str | None) -> str:
    """The first encoding that the reader of a run takes the file in. Raises what it says of the first one, else."""
    refused: list[InputError] = []
    for encoding in [given] if given else ENCODINGS:
        try:
            _decoded(file, draft, encoding).detach()
            return encoding
        except InputError as error:
            refused.append(error)
    if given or "is declared" not in str(refused[0]):  # it is empty, or no text at all
        raise refused[0]
    raise InputError(f"{draft.location}: not one of {', '.join(ENCODINGS)} reads it; say which it is: --encoding NAME")


def _decoded(file: IO[bytes], draft: Source, encoding: str) -> io.TextIOWrapper:
    """Whoever is done with it detaches it, so that the file stays open."""
    return cast(io.TextIOWrapper, decoding.text(file, draft.model_copy(update={"encoding": encoding})))


def _beginning(file: IO[bytes], draft: Source, encoding: str) -> str:
    text = _decoded(file, draft, encoding)
    beginning = text.read(1 << 18)
    text.detach()
    file.seek(0)
    return beginning


def _delimiter(beginning: str) -> str:
    """What separates most rows into as many fields as the header, and those into most."""
    return max(USUAL, key=lambda mark: _score(beginning, mark))


def _score(beginning: str, mark: str) -> tuple[bool, float, int]:
    widths = []
    with suppress(csv.Error):
        for row in csv.reader(io.StringIO(beginning.replace("\0", ""), newline=""), delimiter=mark):
            widths += [len(row)] if row else []
            if len(widths) > SCORED:
                break
    width = widths[0] if widths else 0
    return width > 1, round(widths.count(width) / max(1, len(widths)), 1), width


def _names(file: IO[bytes], source: Source) -> list[str]:
    """The names of the columns. Raises InputError for a header that is none."""
    names = {"csv": _of_csv, "jsonl": _of_jsonl, "parquet": _of_parquet}[source.kind](file, source)
    where, shown = source.location, [name for name in names if name]
    if len(shown) < 2:
        raise InputError(
            f"{where}: it has {len(shown) or 'no'} named column{'s' * (len(shown) != 1)}; a use case is learnt from at "
            "least two, what is asked and what is answered"
            + ", and the first line of a csv names them"
            * (source.kind == "csv")
        )
    if len(names) > MOST_COLUMNS:
        raise InputError(f"{where}: {len(names):,} columns, and at most {MOST_COLUMNS} are looked at; leave some out")
    if long := [number for number, name in enumerate(names, start=1) if len(name) > LONGEST_NAME]:
        raise InputError(
            f"{where}: the name of column {long[0]} has {len(names[long[0] - 1]):,} characters, more than "
            f"{LONGEST_NAME}; is the first line a header?"
        )
    return names


def _of_csv(file: IO[bytes], source: Source) -> list[str]:
    rows = csv.reader(io.StringIO(_beginning(file, source, source.encoding), newline=""), delimiter=source.delimiter)
    try:
        header = next((row for row in rows), [])
    except csv.Error as error:
        raise InputError(f"{source.location}: its header cannot be read ({error})") from None
    return [name.strip() for name in header]


def _of_jsonl(file: IO[bytes], source: Source) -> list[str]:
    """The fields of the first objects. Lines that are no objects are for the reader to tell."""
    names: dict[str, None] = {}
    for line in _beginning(file, source, source.encoding).splitlines()[:LOOKED]:
        with suppress(ValueError, RecursionError):
            value = json.loads(line)
            names.update(dict.fromkeys(value if isinstance(value, dict) else ()))
    if not names:  # it says in words what the first line is instead
        list(READERS["jsonl"](file, source))
        raise InputError(f"{source.location}: no line of it is a JSON object; write one object a line")
    return list(names)


def _of_parquet(file: IO[bytes], source: Source) -> list[str]:
    import pyarrow.parquet as pq

    try:
        return list(pq.ParquetFile(file).schema_arrow.names)
    except Exception:  # whatever pyarrow raises of a damaged file, the reader has words for it
        file.seek(0)
        list(READERS["parquet"](file, source))
        raise


def _sampled(file: IO[bytes], source: Source, names: list[str]) -> Opened:
    """All rows read, as a run reads them, and SAMPLE of them kept."""
    kept: list[Row] = []
    drawn, malformed, rows = random.Random(17), 0, 0
    for row in READERS[source.kind](file, source):
        rows += 1
        if isinstance(row, Malformed):
            malformed += 1
            continue
        if len(kept) < SAMPLE:
            kept.append(row)
        elif (place := drawn.randrange(rows)) < SAMPLE:
            kept[place] = row
    return Opened(source, names, rows, malformed, sorted(kept, key=lambda row: row.number))
