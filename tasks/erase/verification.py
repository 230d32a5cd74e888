"""Search of all files of the checkout's state, of DVC's remote and of the sources for a person.

Files are searched as they are and unpacked. The search finds values, tokens and record ids, but not what a model has
learned, and not the values that the vault still holds encrypted: of these, the tokens are found.
"""

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path, PurePath
from tempfile import SpooledTemporaryFile
from typing import IO, NamedTuple

from tasks.cleanup import run_files
from tasks.core.errors import HallmarkError
from tasks.declarations import declarations
from tasks.erase import file_contents, remote_outputs
from tasks.erase.search_terms import VALUE, SearchTerms
from tasks.erase.subject import Subject
from tasks.runs.checkout import Checkout
from tasks.stages.data.readers.content import open_content
from tasks.suppression.place_kinds import Kind, kind_of_path

NOT_SEARCHED = (
    "git: commits of runs and the history of files that people committed",
    "weights of models, which may have learned from a record",
    "backups, exports, and copies that somebody made",
)
"""Places that no verification searches."""

MAX_MEMORY_BYTES = 64 << 20
"""Size in bytes from which the copy of a source is a temporary file."""
DATABASE_SUFFIXES = (".db", ".db-wal", ".db-shm")


class FoundPlace(NamedTuple):
    kind: Kind
    path: str
    """Path relative to `.hallmark`, location of a source, or path in the remote."""
    what: list[str]
    """Kinds of findings: `value`, `token` or `record id`, sorted."""


class SearchResult(NamedTuple):
    places: list[FoundPlace]
    files: int
    bytes: int
    not_searched: list[str]
    """Descriptions of places that could not be searched."""


def search_all(here: Checkout, subject: Subject) -> SearchResult:
    """Search the checkout's state, the remote and the sources for a person."""
    terms, missing = SearchTerms(subject), list(NOT_SEARCHED)
    places, files, size = [], 0, 0
    for path in _files(here.state):
        files, size = files + 1, size + path.stat().st_size
        relative = path.relative_to(here.state)
        if what := _search_file(path, relative, terms, missing):
            places.append(FoundPlace(kind_of_path(relative), relative.as_posix(), sorted(what)))
    url = remote_outputs.remote_url(here.root)
    if url and "://" not in url:
        for path in _files(Path(url)):
            files, size = files + 1, size + path.stat().st_size
            if what := _search_file(path, path.relative_to(url), terms, missing):
                places.append(FoundPlace("remote", path.relative_to(url).as_posix(), sorted(what)))
    elif url:
        missing.append(f"DVC's remote at {url}")
    places += _search_sources(here, subject, terms, missing)
    return SearchResult(places, files, size, missing)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def _search_file(path: Path, relative: PurePath, terms: SearchTerms, missing: list[str]) -> set[str]:
    found = terms.find(relative.as_posix().encode())
    try:
        for block in file_contents.read_contents(path):
            found |= terms.find(block)
    except FileNotFoundError:  # a process removed it meanwhile
        return set()
    except OSError as error:
        missing.append(f"{relative}: it cannot be read ({error.strerror})")
    return found


def _search_sources(here: Checkout, subject: Subject, terms: SearchTerms, missing: list[str]) -> Iterator[FoundPlace]:
    """Search the content that the person's sources have now, as their owners declare them."""
    declared = declarations.sources_by_id(here.ledger, here.governance)
    for name in sorted({each.source_id for each in subject.records}):
        if name not in declared:
            missing.append(f"source {name}, which is declared no longer")
            continue
        source = declared[name]
        try:
            with open_content(source, here.root) as file, SpooledTemporaryFile(MAX_MEMORY_BYTES) as copy:
                shutil.copyfileobj(file, copy)
                copy.seek(0)
                found = _find_in_source(copy, source.encoding, terms)
        except (HallmarkError, OSError):
            missing.append(f"source {name}, which cannot be opened")
            continue
        if found:
            yield FoundPlace("source", source.location, sorted(found))


def _find_in_source(file: IO[bytes], encoding: str, terms: SearchTerms) -> set[str]:
    found = set[str]()
    for block in file_contents.contents_of(file):
        found |= terms.find(block)
        if encoding.lower().replace("-", "") != "utf8":
            found |= terms.find(block.decode(encoding, "replace").encode())
    return found & {VALUE}


def undecided(places: Collection[FoundPlace], kept: Collection[Kind]) -> list[FoundPlace]:
    """Return the places that nobody decided to keep."""
    return [place for place in places if place.kind not in kept]


def remove_place(here: Checkout, place: FoundPlace) -> bool:
    """Remove a file in which something was found. Return False for a file that an audit or a database needs."""
    base = Path(remote_outputs.remote_url(here.root) or "") if place.kind == "remote" else here.state
    path = base / place.path
    if path.suffix in DATABASE_SUFFIXES or _is_kept_of_run(path.relative_to(base), place.kind):
        return False
    run_files.remove(path)
    return True


def _is_kept_of_run(relative: Path, kind: Kind) -> bool:
    """Return whether a file is one that stays of a run, such as its evidence, or a journal."""
    if kind != "runs":
        return False
    _, *rest = relative.parts[relative.parts.index("runs") :]
    return len(rest) < 2 or rest[1] in run_files.KEPT_NAMES
