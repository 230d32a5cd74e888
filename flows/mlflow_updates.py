"""MLflow runs, one for each Hallmark run that trains, which the watch keeps up to date.

The watch imports MLflow once. The processes of flows do not update MLflow, because importing it takes seconds, and a
run must continue within a second of a decision. `.hallmark/tracked` contains the modification time of the last journal
that was sent to MLflow.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from flows.partial_work import PartialWork
from tasks.core import files
from tasks.core.errors import InputError, Unavailable
from tasks.runs import journal
from tasks.runs.journal import Journal
from tasks.runs.reporting import training_curve

if TYPE_CHECKING:
    from tasks.runs.reporting.mlflow_sync import SentCurve

LAST_UPDATE_FILE = "tracked"


class MlflowSync:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._state = root / ".hallmark"
        self._shown_content: dict[str, str] = {}
        """Content that was last shown of each run in progress. These runs are examined at every update, because a
        killed process does not write to its journal."""
        self._sent_curves: dict[str, SentCurve] = {}

    def update(self, _: Path | None = None) -> list[str]:
        """Send all changes since the last update to MLflow. The returned list is always empty.

        Raises:
            PartialFailure: Some runs could not be sent.
            Unavailable: MLflow or the ledger cannot be reached. The next update begins with the run that could not be
                sent.
        """
        since, parts = self._read_last_update(), PartialWork()
        for time, run in sorted(self._changed_runs(since)):
            try:
                self._update_run(run)
            except Unavailable:
                raise
            except Exception as error:  # an unreadable run does not keep others from being shown
                parts.add_failures([f"run {run} is not shown in MLflow: {error or type(error).__name__}"])
            if time > since:
                files.write_bytes(self._state / LAST_UPDATE_FILE, str(since := time).encode())
        return parts.finish()

    def _update_run(self, run: str) -> None:
        written = journal.read_journal(self._state, run)
        if written and written.status == "unreadable":
            raise InputError(written.error)
        if written is None or written.cleaned_at or "train" not in written.stages:
            return
        known = journal.with_current_status(self._state, written)
        if self._shown_content.get(run) == (outline := self._summarise(known)):
            return  # only progress has changed, which is not shown
        sent = _send_run(self._root, known, self._sent_curves.get(run))
        for cache in (self._shown_content, self._sent_curves):
            cache.pop(run, None)
        if known.status == "running":
            self._shown_content[run], self._sent_curves[run] = outline, sent

    def _summarise(self, known: Journal) -> str:
        stages = {name: line.model_copy(update={"seconds": 0.0, "progress": ""}) for name, line in known.stages.items()}
        points = self._state / "runs" / known.run / training_curve.CURVE_PATH
        size = points.lstat().st_size if points.exists() else 0
        return f"{size} {known.model_copy(update={'stages': stages, 'doing': ''}).model_dump_json()}"

    def _changed_runs(self, since: int) -> Iterator[tuple[int, str]]:
        for run in journal.run_ids(self._state):
            time = journal.journal_path(self._state, run).lstat().st_mtime_ns
            if time > since or run in self._shown_content:
                yield time, run

    def _read_last_update(self) -> int:
        try:
            return int((self._state / LAST_UPDATE_FILE).read_text())
        except (FileNotFoundError, ValueError):
            return 0


def _send_run(root: Path, known: Journal, sent: "SentCurve | None") -> "SentCurve":
    from tasks.runs.reporting import mlflow_sync  # imports MLflow, only once a run trains

    sent = sent or mlflow_sync.SentCurve()
    if found := mlflow_sync.read_mlflow_content(root, known):
        mlflow_sync.update_mlflow(root, found, sent)
    return sent
