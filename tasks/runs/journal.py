"""What happened so far in a run, for whoever watches: `hallmark run`, `hallmark status`, the run's last summary.

One JSON file a run, replaced whole at every change by the one process that executes the run. It is a view: nothing
is decided by it.
"""

from pathlib import Path
from typing import Literal

from tasks.core import files
from tasks.core.config import Frozen
from tasks.core.layout import Layout
from tasks.runs.hold import held
from tasks.runs.request import checked_run_id

Status = Literal["running", "waiting", "promoted", "unchanged", "experiment", "failed", "interrupted"]
"""`interrupted` is never written, here and of a stage: a killed process writes nothing. `as_it_stands` finds it."""

FINISHED: tuple[Status, ...] = ("promoted", "unchanged", "experiment", "failed")


class StageLine(Frozen):
    state: Literal["running", "done", "cached", "failed", "interrupted"]
    seconds: float = 0.0
    """Wall-clock seconds, start of `dvc repro` to its end."""
    progress: str = ""
    """The stage's last progress line."""


class GateLine(Frozen):
    state: str
    """passed, failed, rejected, expired, waiting, void (policy changed), or skipped for tier experiment."""
    waiting_for: list[str] = []
    decided_by: list[str] = []


class Journal(Frozen):
    run: str
    requested_by: str
    reason: str | None = None
    """Why it was asked for, where that was said."""
    use_case: str = ""
    demo: bool = False
    status: Status = "running"
    flow_run: str | None = None
    """Id in Prefect of the flow run that executes it."""
    commit: str | None = None
    """Last commit under refs/hallmark/runs/ID."""
    stages: dict[str, StageLine] = {}
    """Of the flow run above: one that takes the run up goes through all of them again."""
    doing: str = ""
    """What the run does between stages and gates, in words; empty while one of those is at work."""
    gates: dict[str, GateLine] = {}
    release: str | None = None
    """Name and version of the release it made, or that it equals."""
    error: str | None = None
    exit_code: int = 0
    """Of a failed run: 1 a gate said no, 2 an input is wrong, 3 something needed is away (tasks/core/errors.py)."""

    @property
    def finished(self) -> bool:
        return self.status in FINISHED


def path(state: Path, run_id: str) -> Path:
    return state / "runs" / f"{checked_run_id(run_id)}.json"


def read(state: Path, run_id: str) -> Journal | None:
    """What is known of a run; None where there is none of that id. Raises InputError for what is no run's id."""
    file = path(state, run_id)
    return Journal.model_validate_json(file.read_bytes()) if file.exists() else None


def read_all(state: Path) -> list[Journal]:
    """Every run of this checkout as it stands, oldest first."""
    written = sorted((state / "runs").glob("*.json"), key=lambda file: (_made(file), file.name))
    return [as_it_stands(state, Journal.model_validate_json(file.read_bytes())) for file in written]


def newest(state: Path, most: int, below: str = "") -> list[Journal]:
    """The runs with the last ids, newest first, as they stand; of those with ids before one where it is given. An id
    begins with the time at which it was given out."""
    names = sorted((file.stem for file in (state / "runs").glob("*.json")), reverse=True)
    wanted = [name for name in names if not below or name < below][:most]
    return [as_it_stands(state, Journal.model_validate_json(path(state, name).read_bytes())) for name in wanted]


def _made(file: Path) -> float:
    """When the run of a journal was made; of one that was never resolved, when its journal was written last."""
    return Layout(file.with_suffix("")).made or file.stat().st_mtime


def as_it_stands(state: Path, known: Journal) -> Journal:
    """What is known of a run, `interrupted` where it was left as running and no process executes it."""
    if known.status != "running" or held(state, known.run):
        return known
    latest = read(state, known.run) or known  # it may have ended since
    return _interrupted(latest) if latest.status == "running" else latest


def _interrupted(known: Journal) -> Journal:
    stages = {
        name: line.model_copy(update={"state": "interrupted"}) if line.state == "running" else line
        for name, line in known.stages.items()
    }
    return known.model_copy(update={"status": "interrupted", "stages": stages})


def write(state: Path, journal: Journal) -> None:
    files.write_bytes(path(state, journal.run), journal.model_dump_json(indent=2).encode())
