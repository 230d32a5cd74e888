"""Search of all files of the checkout's state, of DVC's remote and of the sources for a person.

Files are searched as they are and unpacked. The search finds values, tokens and record ids, but not what a model has
learned, and not the values that the vault still holds encrypted: of these, the tokens are found. What was not searched
is listed with the result.
"""

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, NamedTuple

from tasks.core.databases.addresses import LEDGER_URL_VARIABLE, VAULT_URL_VARIABLE
from tasks.core.errors import HallmarkError
from tasks.core.layout import Layout
from tasks.declarations import declarations
from tasks.erase import file_contents, remote_outputs, searched_files
from tasks.erase.search_terms import SHORT_VALUE, VALUE, SearchTerms
from tasks.erase.searched_files import Gaps, link_target
from tasks.erase.subject import Subject
from tasks.runs.checkout import Checkout
from tasks.runs.reporting import mlflow_runs
from tasks.stages.data.readers.content import open_content
from tasks.suppression.place_kinds import OTHER, Kind, kind_of_path

NOT_SEARCHED = (
    "git: commits of runs and the history of files that people committed",
    "weights of models, which may have learned from a record",
    "backups, exports, and copies that somebody made",
    "temporary folders of machines, also those of Ray",
    "texts in another encoding than UTF-8, Latin-1, or UTF-16 with a byte order mark",
)
"""Places that no verification searches."""
BY_HAND_FOLDERS = ("artefacts", "measured")
"""Folders of the checkout itself that stages write which somebody runs by hand."""
MAX_MEMORY_BYTES = 64 << 20
"""Size in bytes from which the copy of a source is a temporary file."""


class FoundPlace(NamedTuple):
    kind: Kind
    path: str
    """Path relative to `.hallmark`, location of a source, or path in the remote."""
    what: list[str]
    """Kinds of findings: `value`, `short value`, `token` or `record id`, sorted."""


class SearchResult(NamedTuple):
    places: list[FoundPlace]
    files: int
    bytes: int
    not_searched: list[str]
    """Descriptions of what was not searched."""


def search_all(here: Checkout, subject: Subject) -> SearchResult:
    """Search the checkout's state, outputs of stages run by hand, the remote and the sources for a person."""
    terms = SearchTerms(subject)
    search = _Search(terms, [*NOT_SEARCHED, *_places_elsewhere(here, terms)])
    search.search_folder(here.state, kind_of_path)
    for name in BY_HAND_FOLDERS:
        search.search_folder(here.root / name, lambda _: OTHER, f"../{name}/")
    url = remote_outputs.remote_url(here.root)
    if url and "://" not in url and Path(url).is_dir():
        search.search_folder(Path(url), lambda _: "remote")
    elif url:
        search.not_searched.append(f"DVC's remote at {url}")
    search.places += _search_sources(here, subject, terms, search.not_searched)
    return SearchResult(search.places, search.files, search.bytes, search.not_searched + search.gaps.texts())


class _Search:
    def __init__(self, terms: SearchTerms, not_searched: list[str]) -> None:
        self.terms, self.not_searched = terms, not_searched
        self.gaps = Gaps(lambda place: "a file whose name is about the person" if terms.find(_bytes(place)) else place)
        self.places: list[FoundPlace] = []
        self.files = self.bytes = 0

    def search_folder(self, folder: Path, kind_of: Callable[[Path], Kind], prefix: str = "") -> None:
        for path, size in searched_files.walk_entries(folder, self.gaps, prefix):
            relative = path.relative_to(folder)
            place = prefix + relative.as_posix()
            if size is None:
                what = self.terms.find(_bytes(place)) | self.terms.find(_bytes(link_target(path, folder)))
            else:
                self.files, self.bytes = self.files + 1, self.bytes + size
                what = self._search_file(path, place, searched_files.may_hold_rows(relative))
            if what:
                self.places.append(FoundPlace(kind_of(relative), place, sorted(what)))

    def _search_file(self, path: Path, place: str, may_hold_rows: bool) -> set[str]:
        found = self.terms.find(_bytes(place))
        try:
            for block in file_contents.read_contents(path, partial(self.gaps.add, place=place)):
                found |= self.terms.find(block, with_short_values=may_hold_rows)
        except FileNotFoundError:  # a process removed it meanwhile
            return set()
        except OSError as error:
            self.gaps.add(f"files that cannot be read ({error.strerror})", place)
        return found


def _places_elsewhere(here: Checkout, terms: SearchTerms) -> Iterator[str]:
    """Yield descriptions of the servers and machines that this project uses, as its settings name them."""
    if os.environ.get(LEDGER_URL_VARIABLE):
        yield "the ledger's Postgres database"
        yield "folders .hallmark of other machines with this ledger: carry the erasure out on each of them"
    if os.environ.get(VAULT_URL_VARIABLE):
        yield "the vault's Postgres database, in which the erasure removes the values of the person's tokens"
    if not mlflow_runs.is_own_database(Layout(here.root)):
        yield "the MLflow server, whose owner removes records that are marked as deleted: mlflow gc"
    if terms.has_short_values:
        yield "models and their vocabularies for values of fewer than six letters or digits, which others have too"


def _search_sources(here: Checkout, subject: Subject, terms: SearchTerms, missing: list[str]) -> Iterator[FoundPlace]:
    """Search the content that the person's sources have now, as their owners declare them."""
    declared = declarations.sources_by_id(here.ledger, here.governance)
    for name in sorted({each.source_id for each in subject.records}):
        if name not in declared:
            missing.append(f"source {name}, which is declared no longer")
            continue
        source = declared[name]
        gaps = list[str]()
        try:
            with open_content(source, here.root) as file, SpooledTemporaryFile(MAX_MEMORY_BYTES) as copy:
                shutil.copyfileobj(file, copy)
                copy.seek(0)
                found = _find_in_source(copy, source.encoding, terms, gaps.append)
        except (HallmarkError, OSError):
            missing.append(f"source {name}, which cannot be opened")
            continue
        missing += [f"source {name}: {gap}" for gap in dict.fromkeys(gaps)]
        if found:
            yield FoundPlace("source", source.location, sorted(found))


def _find_in_source(file: IO[bytes], encoding: str, terms: SearchTerms, on_gap: file_contents.OnGap) -> set[str]:
    found = set[str]()
    for block in file_contents.contents_of(file, on_gap):
        found |= terms.find(block)
        if encoding.lower().replace("-", "") != "utf8":
            found |= terms.find(block.decode(encoding, "replace").encode())
    return found & {VALUE, SHORT_VALUE}


def undecided(places: Collection[FoundPlace], kept: Collection[Kind]) -> list[FoundPlace]:
    """Return the places that nobody decided to keep."""
    return [place for place in places if place.kind not in kept]


def _bytes(place: str) -> bytes:
    return place.encode(errors="surrogateescape")
