"""Resolution of sources: the digests and rules of a run's sources are fixed before its first stage."""

import hashlib
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from tasks.core.errors import InputError, Unavailable
from tasks.core.files import sha256_file
from tasks.core.layout import Layout
from tasks.runs.requests import quick_checks
from tasks.runs.requests.quick_checks import SourceOpener
from tasks.sources import source_places
from tasks.sources.resolved_sources import ResolvedSource, ResolvedSources, ResolvedTruth, python_minor_version
from tasks.sources.sources import Source, Sources
from tasks.stages.data.protect.owner_detectors.kinds import check_files
from tasks.stages.data.protect.owner_detectors.pinned_files import locate_detector, require_digest
from tasks.stages.data.readers.content import open_content, read_blocks
from tasks.supervise import source_grants

PRIVATE_KEY_HEADER_PATTERN = re.compile(
    rb"(\xef\xbb\xbf)?\s*(-----BEGIN |Bag Attributes|PuTTY-User-Key-File|AGE-SECRET-KEY-)"
)
"""Pattern of the beginning of a file with a private key, or with certificates and a private key. Data files do not
begin like this."""
OPENSSH_KEY_PATTERN = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----\s")
"""Pattern of an OpenSSH private key, which can follow other lines in a file."""
MAX_KEY_FILE_BYTES = 1 << 16
"""Maximum size in bytes of files that are searched for an OpenSSH private key. In a larger file, such a key can be part
of a text."""


def resolve_sources(
    declared: Sources, root: Path, today: date, vault_fingerprint: str, suppressed: Iterable[str] = ()
) -> ResolvedSources:
    """Resolve every source to the digest of its current content.

    Retention is computed from the first day of the month, so that all runs of a month have the same inputs. A record is
    excluded from the beginning of the month in which its retention ends.

    Args:
        declared: Sources to resolve.
        root: Folder from which relative locations are resolved.
        today: Current date.
        vault_fingerprint: Fingerprint of the vault key.
        suppressed: Digests of the people and rows that `ingest` leaves out.

    Raises:
        InputError: The content of a source cannot be read, or a detector of it cannot be used (`check_detectors`).
        Unavailable: An object store cannot be reached.
    """
    for source in declared.sources:
        check_detectors(source, root)
    first = today.replace(day=1)
    after = (first + timedelta(days=32)).replace(day=1)
    return ResolvedSources(
        sources=[
            resolve_source(source, root).model_copy(update={"cutoff": after - timedelta(days=source.retention_days)})
            for source in declared.sources
        ],
        terms=declared.terms,
        edition_words=declared.edition_words,
        truth=_resolve_truth(declared.truth, root) if declared.truth else None,
        as_of=first,
        vault=vault_fingerprint,
        suppressed=sorted(set(suppressed)),
        python=python_minor_version(),
    )


def check_sources(declared: Sources, root: Path, open_source: SourceOpener) -> None:
    """Open every source as a run does, so that missing or malformed sources are reported before the run starts.

    Raises:
        InputError: Sources cannot be opened as declared; the message names all of them.
        Unavailable: An object store cannot be reached, and there are no other errors.
    """
    wrong, unavailable = [], []
    for source in declared.sources:
        try:
            require_allowed_location(source, root)
            check_detectors(source, root)
            quick_checks.check_source(source, open_source)
        except InputError as error:
            wrong.append(str(error))
        except Unavailable as error:
            unavailable.append(str(error))
    try:
        if declared.truth:
            _resolve_truth(declared.truth, root)
    except InputError as error:
        wrong.append(str(error))
    if wrong or unavailable:
        raise (InputError if wrong else Unavailable)("\n".join(wrong + unavailable))


def resolve_source(source: Source, root: Path) -> ResolvedSource:
    """Return a source with the SHA-256 digest and the size in bytes of its current content."""
    digest, size = hashlib.sha256(), 0
    require_allowed_location(source, root)
    with open_content(source, root) as file:
        for block in read_blocks(file, source):
            if not size and _holds_private_key(block):
                raise InputError(f"source {source.id}: it holds a private key; correct its location in sources.yaml")
            digest.update(block)
            size += len(block)
    return ResolvedSource(source=source, sha256=digest.hexdigest(), bytes=size)


def check_detectors(source: Source, root: Path) -> None:
    """Verify the digest, the files and the labels of the detectors that a source's owner has added.

    Raises:
        InputError: A detector is missing, is in a location where no data is allowed, has another digest, is not of its
            kind, or gives labels that are not mapped.
        Unavailable: A package that it needs is not installed.
    """
    for detector in source.detectors:
        located = locate_detector(source, detector, root)
        source_grants.require_allowed_location(located.where, located.path, Layout(root))
        require_digest(located)
        check_files(located)


def _holds_private_key(block: bytes) -> bool:
    return bool(
        PRIVATE_KEY_HEADER_PATTERN.match(block)
        or (len(block) <= MAX_KEY_FILE_BYTES and OPENSSH_KEY_PATTERN.search(block))
    )


def require_allowed_location(source: Source, root: Path) -> None:
    """Verify that a source and its detectors may be where they are, and that the variables in its location are set.

    Raises:
        InputError: The location is not allowed, or a variable is not set.
    """
    layout = Layout(root)
    named = [(f"source {source.id}", path) for path in source_places.find_files(source)]
    named += [(f"source {source.id}: detector {each.name}", each.path) for each in source.detectors]
    for subject, path in named:
        with suppress(OSError, ValueError, RuntimeError):  # not a path; opening the source reports that
            place = layout.resolve_path(str(Path(path).expanduser()))
            source_grants.require_allowed_location(subject, place, layout)


def _resolve_truth(path: str, root: Path) -> ResolvedTruth:
    layout = Layout(root)
    place = layout.resolve_path(path)
    source_grants.require_allowed_location("truth", place, layout)
    if not place.is_file():
        raise InputError(f"truth: there is no file {path}; correct `truth` in sources.yaml, or take it out")
    return ResolvedTruth(path=path, sha256=sha256_file(place))
