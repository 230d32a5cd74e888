"""What a run of a commit reads where the checkout has something else: committed files count, uncommitted edits do not.

Whatever asks for a run, checks one before it starts, or answers to a change looks through here, so that it sees what
the run will see.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.runs.repository import Repository
from tasks.runs.resolve import read_params
from tasks.sources.sources import Source, expand
from tasks.stages.data.readers import content


@dataclass(frozen=True)
class Committed:
    """A commit of a checkout."""

    checkout: Repository
    commit: str

    @staticmethod
    def head(checkout: Repository) -> "Committed":
        return Committed(checkout, checkout.commit_of("HEAD"))

    @contextmanager
    def opened(self, source: Source) -> Iterator[IO[bytes]]:
        """A source's content: of a file that the commit holds the committed one, else what lies there now.

        Raises as `content.opened`.
        """
        blob = self._blob(source)
        if blob is None:
            with content.opened(source, self.checkout.root) as file:
                yield file
            return
        with self.checkout.opened(blob, self._aside()) as file:
            yield file

    def params(self, path: str, changes: Mapping[str, str]) -> Params:
        """The parameters with `changes` applied. Raises InputError as `read_params`."""
        text = self.text(path)
        return read_params(self.checkout.root / path, changes, text)[0]

    def require_text(self, path: str) -> str:
        """As `text`. Raises InputError if the commit does not hold the file, too."""
        text = self.text(path)
        if text is None:
            raise InputError(f"{path}: no such file in commit {self.commit[:12]}; commit it, or name another one")
        return text

    def text(self, path: str) -> str | None:
        """A committed text file; None if the commit does not hold it. Raises InputError if it is no UTF-8."""
        blob = self.checkout.blob(self.commit, path)
        if blob is None:
            return None
        try:
            return self.checkout.read("cat-file", "blob", blob).decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path} in commit {self.commit[:12]}: cannot be read as UTF-8 text ({error})") from None

    def edited(self, params: str, sources: Iterable[Source]) -> list[str]:
        """The params file and each source that the checkout has otherwise than the commit, as people know them."""
        files = {params: params} | {_path(each): f"source {each.id} ({each.location})" for each in sources}
        return [what for path, what in files.items() if path and self.checkout.differs_on_disk(self.commit, path)]

    def _blob(self, source: Source) -> str | None:
        path = _path(source)
        return self.checkout.blob(self.commit, path) if path else None

    def _aside(self) -> Path:
        state = Layout(self.checkout.root).state
        state.mkdir(parents=True, exist_ok=True)
        return state


def _path(source: Source) -> str:
    """Where a source lies; empty in a store, and if a variable of its location is not set, which opening it tells."""
    with suppress(InputError):
        location = expand(source.location)
        return "" if "://" in location else location
    return ""
