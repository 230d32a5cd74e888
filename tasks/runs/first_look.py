"""What a run would find in its files minutes after its start, and a look at their beginnings finds at once."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import IO

from tasks.core.errors import InputError
from tasks.core.params.params import Params
from tasks.sources.sources import Source, Sources, Suites
from tasks.stages.data.readers import gzipped

Opener = Callable[[Source], AbstractContextManager[IO[bytes]]]
"""Opens the content of a source that a run would read."""
SMALL = 8 << 20
"""Bytes of a file that is read before a run reads it; a second for the largest. A store's are not, which takes longer,
and of larger ones no part tells for sure how they are encoded."""


def source(declared: Source, opened: Opener) -> None:
    """Open a source as a run will, and read a small one's header and first row.

    Raises InputError where its form is not as declared, its columns are not those mapped or it is no file at all,
    Unavailable where a store is away.
    """
    with opened(declared) as file:
        if "://" in declared.location or "${" in declared.location:
            return
        data = file.read(SMALL + 1)
    if len(data) <= SMALL:
        _first_row(BytesIO(data), declared)


def _first_row(packed: BytesIO, declared: Source) -> None:
    from tasks.stages.data.readers.kinds import READERS  # pyarrow: half a second

    plain = packed
    if declared.kind != "parquet" and gzipped.is_gzip(packed):
        plain = BytesIO()
        bounded = declared.model_copy(update={"max_unpacked_bytes": min(SMALL, declared.max_unpacked_bytes)})
        try:
            gzipped.unpack(packed, plain, bounded)
        except InputError:
            return  # it is larger than what is looked at here, or the run tells what it is
    plain.seek(0)
    rows = READERS[declared.kind](plain, declared)
    for _ in rows if declared.kind == "jsonl" else [next(rows, None)]:  # a field may first come in the last line
        pass


def tasks(params: Params, named: Sources) -> Iterator[str]:
    """Sources whose records nothing says how to put to a model, in words."""
    for each in named.sources:
        if each.constants.task not in params.prompts:
            yield (
                f"source {each.id}: its task {each.constants.task!r} is not in params.yaml: prompts, which has "
                f"{', '.join(sorted(params.prompts))}; add it there or correct `constants.task` in sources.yaml"
            )


def expectations(suites: Suites) -> Iterator[str]:
    """Expectations that there are none of, in words."""
    whole = {"dataset": suites.dataset} if suites.dataset else {}
    for where, suite in {**suites.by_source, **whole}.items():
        for number, each in enumerate(suite.expectations):
            if known() and each.type not in known():
                wrong = f"there is no expectation {each.type!r}"
                yield f"suite of {where}: expectations.{number}: {wrong}; {_like(each.type)}"


@cache
def known() -> frozenset[str]:
    """The expectations of Great Expectations and of our own, by the names of their files: to import the library takes
    three seconds. None where it lies in no files; then the run tells."""
    from tasks.stages.data.validate.questions import TEXTS  # pyarrow again

    spec = find_spec("great_expectations")
    core = Path(spec.origin or "").parent / "expectations" / "core" if spec else Path()
    there = {file.stem for file in core.glob("[a-z]*.py")}
    return frozenset(there | {TEXTS} if there else ())


def _like(wrong: str) -> str:
    import difflib

    near = difflib.get_close_matches(wrong, known(), n=2)
    return f"did you mean {' or '.join(near)}?" if near else "Great Expectations' documentation lists them"
