"""Pinning sources: what a run will read and by which rules, fixed before its first stage."""

import hashlib
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from tasks.core.errors import InputError, Unavailable
from tasks.core.files import sha256_file
from tasks.core.layout import Layout
from tasks.runs import first_look
from tasks.runs.first_look import Opener
from tasks.sources.sources import (
    ResolvedSource,
    ResolvedSources,
    ResolvedTruth,
    Source,
    Sources,
    expand,
    minor_version,
)
from tasks.stages.data.readers.content import BLOCK, opened
from tasks.supervise import grants


def resolve_sources(inventory: Sources, root: Path, today: date, vault: str) -> ResolvedSources:
    """Every source pinned. `root` is where relative locations start, `vault` the fingerprint of the vault's key.

    Days count from the first of the month, so that the runs of a month have the same inputs, and a record leaves at
    the beginning of the month in which its time ends, never late. Raises InputError where there is nothing to read,
    Unavailable where a store is out of reach.
    """
    first = today.replace(day=1)
    after = (first + timedelta(days=32)).replace(day=1)
    return ResolvedSources(
        sources=[
            resolve_source(source, root).model_copy(update={"cutoff": after - timedelta(days=source.retention_days)})
            for source in inventory.sources
        ],
        terms=inventory.terms,
        edition_words=inventory.edition_words,
        truth=_truth(inventory.truth, root) if inventory.truth else None,
        as_of=first,
        vault=vault,
        python=minor_version(),
    )


def check_sources(inventory: Sources, root: Path, opened: Opener) -> None:
    """Open every source as a run will, so that one that is away, or not as declared, is told before the run is started.

    Raises InputError with all that cannot be opened as they are declared, Unavailable where only stores are away.
    """
    wrong, away = [], []
    for source in inventory.sources:
        try:
            require_data(source, root)
            first_look.source(source, opened)
        except InputError as error:
            wrong.append(str(error))
        except Unavailable as error:
            away.append(str(error))
    try:
        if inventory.truth:
            _truth(inventory.truth, root)
    except InputError as error:
        wrong.append(str(error))
    if wrong or away:
        raise (InputError if wrong else Unavailable)("\n".join(wrong + away))


def resolve_source(source: Source, root: Path) -> ResolvedSource:
    """The source with the SHA-256 and the size in bytes of its content now, a local file or an S3 object."""
    digest, size = hashlib.sha256(), 0
    require_data(source, root)
    with opened(source, root) as file:
        while block := file.read(BLOCK):
            digest.update(block)
            size += len(block)
    return ResolvedSource(source=source, sha256=digest.hexdigest(), bytes=size)


def require_data(source: Source, root: Path) -> None:
    """Raises InputError where a source lies where no data is, or a variable of its location is not set."""
    location, layout = expand(source.location), Layout(root)
    if "://" in location:
        return
    with suppress(OSError, ValueError, RuntimeError):  # it is no path, which whoever opens it tells
        grants.require_data(source.id, layout.locate(str(Path(location).expanduser())), layout)


def _truth(path: str, root: Path) -> ResolvedTruth:
    file = Layout(root).locate(path)
    if not file.is_file():
        raise InputError(f"truth: there is no file {path}; correct `truth` in sources.yaml, or take it out")
    return ResolvedTruth(path=path, sha256=sha256_file(file))
