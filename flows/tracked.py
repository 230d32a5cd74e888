"""MLflow's runs, kept as runs stand: one MLflow run a run, told by the watch.

A flow's process has no time for it: MLflow takes seconds to import, and a run goes on within a second of its decision.
The watch imports it once. What it has shown is known by the time of the last journal, in `.hallmark/tracked`.
"""

from collections.abc import Iterator
from pathlib import Path

from flows.partly import Parts
from tasks.core import files
from tasks.core.errors import InputError, Unavailable
from tasks.runs import journal
from tasks.runs.journal import Journal

SHOWN = "tracked"


class Tracked:
    """The runs of one checkout, from look to look."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._state = root / ".hallmark"
        self._shown: dict[str, str] = {}
        """What was shown of runs that go on. Their processes may be killed, which writes nothing."""

    def look(self, _: Path | None = None) -> list[str]:
        """Show what changed since the last look. Returns nothing to tell; raises Partly where a run could not be shown,
        and Unavailable where MLflow or the ledger is away: the next look begins there."""
        since, parts = self._since(), Parts()
        for time, run in sorted(self._changed(since)):
            try:
                self._one(run)
            except Unavailable:
                raise
            except Exception as error:  # one that cannot be read keeps no other from being shown
                parts.failed([f"run {run} is not shown in MLflow: {error or type(error).__name__}"])
            if time > since:
                files.write_bytes(self._state / SHOWN, str(since := time).encode())
        return parts.done()

    def _one(self, run: str) -> None:
        written = journal.read(self._state, run)
        if written and written.status == "unreadable":
            raise InputError(written.error)
        if written is None or "train" not in written.stages:
            return
        known = journal.as_it_stands(self._state, written)
        if self._shown.get(run) == _outline(known):
            return  # progress alone is nothing to show
        shown = _show(self._root, known)
        self._shown.pop(run, None)
        if known.status == "running":
            self._shown[run] = _outline(known) if shown else ""

    def _changed(self, since: int) -> Iterator[tuple[int, str]]:
        for run in journal.names(self._state):
            time = journal.path(self._state, run).lstat().st_mtime_ns
            if time > since or run in self._shown:
                yield time, run

    def _since(self) -> int:
        try:
            return int((self._state / SHOWN).read_text())
        except (FileNotFoundError, ValueError):
            return 0


def _show(root: Path, known: Journal) -> bool:
    from tasks.runs import tracked  # loads MLflow, for a run that trains and for no other

    found = tracked.picture(root, known)
    return found is None or tracked.show(root, found)


def _outline(known: Journal) -> str:
    """A journal without what changes every few seconds."""
    stages = {name: line.model_copy(update={"seconds": 0.0, "progress": ""}) for name, line in known.stages.items()}
    return known.model_copy(update={"stages": stages, "doing": ""}).model_dump_json()
