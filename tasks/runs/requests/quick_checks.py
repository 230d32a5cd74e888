"""Quick checks of a run's files for errors that would otherwise make the run fail minutes after its start."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import IO

from tasks.core.errors import InputError
from tasks.core.params.params import Params
from tasks.core.steps.kinds import SQL_KIND
from tasks.sources.expectation_suites import Suites
from tasks.sources.sources import Source, Sources
from tasks.stages.data.readers import gzip_content
from tasks.stages.data.readers.kinds import reader_of

SourceOpener = Callable[[Source], AbstractContextManager[IO[bytes]]]
MAX_CHECKED_BYTES = 8 << 20
"""Maximum size in bytes of a file that is parsed before the run; parsing takes up to about a second. Larger files are
not parsed at all, because a part of a file does not prove its encoding. Files in an object store are not parsed,
because that takes longer."""


def check_source(source: Source, open_source: SourceOpener) -> None:
    """Open a source as a run does, and parse the first row if the file is small.

    A text file without a header is parsed completely, because a column can occur for the first time in the last line.

    Raises:
        InputError: The source is not a file, or its format or columns are not as declared.
        Unavailable: The object store cannot be reached.
    """
    with open_source(source) as file:
        if source.kind == SQL_KIND or "://" in source.location or "${" in source.location:
            return
        data = file.read(MAX_CHECKED_BYTES + 1)
    if len(data) <= MAX_CHECKED_BYTES:
        _parse_first_row(BytesIO(data), source)


def _parse_first_row(packed: BytesIO, declared: Source) -> None:
    plain, reader = packed, reader_of(declared.kind)
    if reader.is_text and gzip_content.is_gzip(packed):
        plain = BytesIO()
        bounded = declared.model_copy(
            update={"max_unpacked_bytes": min(MAX_CHECKED_BYTES, declared.max_unpacked_bytes)}
        )
        try:
            gzip_content.unpack(packed, plain, bounded)
        except InputError:
            return  # too large to parse here, or damaged, which the run reports
    plain.seek(0)
    rows = reader.read(plain, declared)
    for _ in rows if reader.is_text and not reader.has_header else [next(rows, None)]:
        pass


def find_tasks_without_prompt(params: Params, sources: Sources) -> Iterator[str]:
    """Yield a message for each source whose task has no prompt in the parameters."""
    for each in sources.sources:
        if each.constants.task not in params.prompts:
            yield (
                f"source {each.id}: its task {each.constants.task!r} is not in params.yaml: prompts, which has "
                f"{', '.join(sorted(params.prompts))}; add it there or correct `constants.task` in sources.yaml"
            )


def find_unknown_expectations(suites: Suites) -> Iterator[str]:
    """Yield a message for each expectation whose type does not exist."""
    whole = {"dataset": suites.dataset} if suites.dataset else {}
    for where, suite in {**suites.by_source, **whole}.items():
        for number, each in enumerate(suite.expectations):
            if known_expectation_types() and each.type not in known_expectation_types():
                wrong = f"there is no expectation {each.type!r}"
                yield f"suite of {where}: expectations.{number}: {wrong}; {_suggestion(each.type)}"


@cache
def known_expectation_types() -> frozenset[str]:
    """Return the types of expectations that Great Expectations and Hallmark define.

    The types are taken from file names, because importing Great Expectations takes three seconds. If there are no such
    files, the result is empty, and the run itself reports unknown types.
    """
    from tasks.stages.data.validate.ge_expectations import TEXTS_EXPECTATION  # imports pyarrow

    spec = find_spec("great_expectations")
    core = Path(spec.origin or "").parent / "expectations" / "core" if spec else Path()
    there = {file.stem for file in core.glob("[a-z]*.py")}
    return frozenset(there | {TEXTS_EXPECTATION} if there else ())


def _suggestion(wrong: str) -> str:
    import difflib

    near = difflib.get_close_matches(wrong, known_expectation_types(), n=2)
    return f"did you mean {' or '.join(near)}?" if near else "Great Expectations' documentation lists them"
