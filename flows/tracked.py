"""MLflow's runs, kept as runs stand: one MLflow run a run, told by the watch.

A flow's process has no time for it: MLflow takes seconds to import, and a run goes on within a second of its decision.
The watch imports it once. What it has shown is known by the time of the last journal, in `.hallmark/tracked`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from flows.partly import Parts
from tasks.core import files
from tasks.core.errors import InputError, Unavailable
from tasks.runs import curve, journal
from tasks.runs.journal import Journal

if TYPE_CHECKING:
    from tasks.runs.tracked import Sent

SHOWN = "tracked"


class Tracked:
    """The runs of one checkout, from look to look."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._state = root / ".hallmark"
        self._shown: dict[str, str] = {}
        """What was shown of runs that go on. Their processes may be killed, which writes nothing."""
        self._sent: dict[str, Sent] = {}
        """How far MLflow has the curves of these."""

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
        if self._shown.get(run) == (outline := self._outline(known)):
            return  # progress alone is nothing to show
        sent = _show(self._root, known, self._sent.get(run))
        for kept in (self._shown, self._sent):
            kept.pop(run, None)
        if known.status == "running":
            self._shown[run], self._sent[run] = outline, sent

    def _outline(self, known: Journal) -> str:
        """A journal without what changes every few seconds, and how much there is of its curve."""
        stages = {name: line.model_copy(update={"seconds": 0.0, "progress": ""}) for name, line in known.stages.items()}
        points = self._state / "runs" / known.run / curve.NAME
        size = points.lstat().st_size if points.exists() else 0
        return f"{size} {known.model_copy(update={'stages': stages, 'doing': ''}).model_dump_json()}"

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


def _show(root: Path, known: Journal, sent: "Sent | None") -> "Sent":
    from tasks.runs import tracked  # loads MLflow, for a run that trains and for no other

    sent = sent or tracked.Sent()
    if found := tracked.picture(root, known):
        tracked.show(root, found, sent)
    return sent
