"""A data file of which nothing is known but its path: its form, encoding and separator, and a sample of its rows.

The readers are those of a run, so that a file which can be sampled here can be read there.
"""

import csv
import io
import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple

from tasks.core.errors import InputError
from tasks.scaffold import form
from tasks.sources.sources import Constants, Mapping, Source
from tasks.stages.data.readers import content, gzipped
from tasks.stages.data.readers.kinds import READERS
from tasks.stages.data.readers.rows import Malformed, Row

MOST_BYTES = 256 << 20
"""Bytes that are looked at, packed or not: some ten seconds."""
SAMPLE = 20_000
"""Rows that guesses are made from, drawn evenly over the file."""
LOOKED = 1_000
"""Lines whose fields are collected, of JSON Lines."""
MOST_COLUMNS = 500
MOST_UNREADABLE = 0.05
"""Share of the rows; `data.max_malformed_share` of the params.yaml that is written."""
LONGEST_NAME = 80
"""Characters of a column's name; a longer one is a value."""
IN_MEMORY = 64 << 20
REWORDED = (
    (r"correct `kind` or `location`", "save it as csv, jsonl or parquet, and give that"),
    (r"set `(encoding|delimiter): (\S+)`( in sources.yaml| there)", r"say --\1 \2"),
    (r"and sources.yaml says", "and --delimiter says"),
    (r"find out its encoding and declare it in sources.yaml", "find out its encoding, and say --encoding NAME"),
)
"""What readers advise, and what that is on this command line."""


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
    with _reworded(name), _unpacked(draft, root) as file:
        kind = form.kind(file)
        source = _draft(name, location, {"kind": kind, **form.of(file, kind, draft, given)})
        names = _names(file, source)
        source = source.model_copy(update={"mapping": _of_all(names)})
        file.seek(0)
        return _sampled(file, source, names)


@contextmanager
def _reworded(name: str) -> Iterator[None]:
    """A reader's errors, for somebody who has no sources.yaml to correct yet."""
    try:
        yield
    except InputError as error:
        text = str(error).removeprefix(f"source {name}: ")
        for said, meant in REWORDED:
            text = re.sub(said, meant, text)
        raise InputError(text) from None


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
    rows = csv.reader(
        io.StringIO(form.beginning(file, source, source.encoding), newline=""), delimiter=source.delimiter
    )
    try:
        header = next((row for row in rows), [])
    except csv.Error as error:
        raise InputError(f"{source.location}: its header cannot be read ({error})") from None
    return [name.strip() for name in header]


def _of_jsonl(file: IO[bytes], source: Source) -> list[str]:
    """The fields of the first objects. Lines that are no objects are for the reader to tell."""
    names: dict[str, None] = {}
    for line in form.beginning(file, source, source.encoding).splitlines()[:LOOKED]:
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
    drawn, malformed, rows, first = random.Random(17), 0, 0, ""
    for row in READERS[source.kind](file, source):
        rows += 1
        if isinstance(row, Malformed):
            malformed += 1
            first = first or row.reason
            continue
        if len(kept) < SAMPLE:
            kept.append(row)
        elif (place := drawn.randrange(rows)) < SAMPLE:
            kept[place] = row
    if not rows:
        raise InputError(f"{source.location}: it has a header and no row; give it with its rows")
    refuse_unreadable(malformed, rows, first, source)
    return Opened(source, names, rows, malformed, sorted(kept, key=lambda row: row.number))


def refuse_unreadable(count: int, rows: int, first: str, source: Source) -> None:
    """Raises InputError where so many rows are not what the form of the file promises that a run would stop."""
    if count > MOST_UNREADABLE * rows:
        raise InputError(
            f"{source.location}: {count:,} of {rows:,} rows cannot be read, and a run stops where it is more than "
            f"{MOST_UNREADABLE:.0%}; the first one, {first}. Mend the file"
        )
