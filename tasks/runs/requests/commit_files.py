"""Files as they are in a commit, without the checkout's uncommitted edits. A run of the commit reads these files.

Commands that request a run, checks before a run starts, and triggers read files through this module, so that they see
the same files as the run.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.runs.git.repository import Repository
from tasks.runs.requests.resolution import read_params
from tasks.sources.location_variables import fill_variables
from tasks.sources.sources import Source
from tasks.stages.data.readers import content


@dataclass(frozen=True)
class CommitFiles:
    checkout: Repository
    commit: str

    @staticmethod
    def at_head(checkout: Repository) -> "CommitFiles":
        return CommitFiles(checkout, checkout.commit_id("HEAD"))

    @contextmanager
    def open_source(self, source: Source) -> Iterator[IO[bytes]]:
        """Open the content of a source: the committed file if the commit holds one, else the current file or object.

        Raises:
            InputError: The source cannot be opened as declared.
            Unavailable: The object store cannot be reached.
        """
        blob = self._source_blob(source)
        if blob is None:
            with content.open_content(source, self.checkout.root) as file:
                yield file
            return
        with self.checkout.open_blob(blob, self._temporary_folder()) as file:
            yield file

    def read_params(self, path: str, changes: Mapping[str, str]) -> Params:
        """Return the validated parameters with `changes` applied.

        If the commit does not hold the params file, the file in the checkout is read.

        Raises:
            InputError: The file cannot be read, or the parameters are not valid.
        """
        text = self.read_text(path)
        return read_params(self.checkout.root / path, changes, text)[0]

    def require_text(self, path: str) -> str:
        """Return the content of a text file in the commit.

        Raises:
            InputError: The commit does not hold the file, or the file is not UTF-8.
        """
        text = self.read_text(path)
        if text is None:
            raise InputError(f"{path}: no such file in commit {self.commit[:12]}; commit it, or name another one")
        return text

    def read_text(self, path: str) -> str | None:
        """Return the content of a text file in the commit; None if the commit does not hold the file.

        Raises:
            InputError: The file is not UTF-8.
        """
        blob = self.checkout.blob_id(self.commit, path)
        if blob is None:
            return None
        try:
            return self.checkout.run_git_bytes("cat-file", "blob", blob).decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path} in commit {self.commit[:12]}: cannot be read as UTF-8 text ({error})") from None

    def describe_edited_files(self, params: str, sources: Iterable[Source]) -> list[str]:
        """Return descriptions of the params file and of the sources that differ between checkout and commit."""
        files = {params: params} | {_local_path(each): f"source {each.id} ({each.location})" for each in sources}
        return [what for path, what in files.items() if path and self.checkout.differs_on_disk(self.commit, path)]

    def _source_blob(self, source: Source) -> str | None:
        path = _local_path(source)
        return self.checkout.blob_id(self.commit, path) if path else None

    def _temporary_folder(self) -> Path:
        state = Layout(self.checkout.root).state
        state.mkdir(parents=True, exist_ok=True)
        return state


def _local_path(source: Source) -> str:
    with suppress(InputError):
        location = fill_variables(source.location)
        return "" if "://" in location else location
    return ""
