"""What happened so far in a run, for whoever watches: `hallmark run`, `hallmark status`, the run's last summary.

One JSON file a run, replaced whole at every change by the one process that executes the run. It is a view: nothing
is decided by it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from tasks.core import files
from tasks.core.config import Frozen
from tasks.core.layout import Layout
from tasks.runs.hold import held
from tasks.runs.request import checked_run_id, is_run_id

Status = Literal["running", "waiting", "promoted", "unchanged", "experiment", "failed", "interrupted", "unreadable"]
"""`interrupted` is never written, here and of a stage: a killed process writes nothing. `as_it_stands` finds it. So
is `unreadable`, which `read` says of a journal that is none."""

FINISHED: tuple[Status, ...] = ("promoted", "unchanged", "experiment", "failed")


class StageLine(Frozen):
    state: Literal["running", "done", "cached", "failed", "interrupted"]
    seconds: float = 0.0
    """Wall-clock seconds, start of `dvc repro` to its end."""
    progress: str = ""
    """The stage's last progress line."""
    tries: int = 1
    """How often this flow run began it; more than once after failures that may pass."""


class GateLine(Frozen):
    state: str
    """passed, failed, rejected, expired, waiting, void (policy changed), or skipped for tier experiment."""
    waiting_for: list[str] = []
    decided_by: list[str] = []


def in_words(status: Status | str, gates: Mapping[str, GateLine]) -> str:
    """Where a run stands: one that stopped at a gate which still waits, for a waiver, has not failed for good."""
    waits = [name for name, line in gates.items() if line.state == "waiting"]
    return f"stopped, the {waits[-1]} gate waits" if status == "failed" and waits else status


class Journal(Frozen):
    run: str
    requested_by: str
    reason: str | None = None
    """Why it was asked for, where that was said."""
    use_case: str = ""
    price_per_hour: float | None = None
    """USD for an hour of the machine, as the run's parameters have it; null before it was resolved."""
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

    @property
    def in_words(self) -> str:
        return in_words(self.status, self.gates)


def path(state: Path, run_id: str) -> Path:
    return state / "runs" / f"{checked_run_id(run_id)}.json"


def read(state: Path, run_id: str) -> Journal | None:
    """What is known of a run; None where there is none of that id. Raises InputError for what is no run's id.

    Of a journal that cannot be read no more than that, so that it takes no other run away.
    """
    file = path(state, run_id)
    if not file.is_file():
        return None
    try:
        known = Journal.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return _unreadable(run_id, f"{file} cannot be read as the journal of a run")
    return known if known.run == run_id else _unreadable(run_id, f"{file} is the journal of another run")


def _unreadable(run_id: str, problem: str) -> Journal:
    error = f"{problem}; `hallmark run --resume {run_id}` writes it anew; where there is no such run, remove it"
    return Journal(run=run_id, requested_by="", status="unreadable", error=error)


def names(state: Path) -> list[str]:
    """The runs that have a journal here. A file that has no run's name is nobody's journal."""
    return [file.stem for file in (state / "runs").glob("*.json") if is_run_id(file.stem)]


def read_all(state: Path) -> list[Journal]:
    """Every run of this checkout as it stands, oldest first."""
    return _standing(state, sorted(names(state), key=lambda name: (_made(path(state, name)), name)))


def newest(state: Path, most: int, below: str = "") -> list[Journal]:
    """The runs with the last ids, newest first, as they stand; of those with ids before one where it is given. An id
    begins with the time at which it was given out."""
    known = sorted(names(state), reverse=True)
    return _standing(state, [name for name in known if not below or name < below][:most])


def _standing(state: Path, wanted: list[str]) -> list[Journal]:
    return [as_it_stands(state, known) for name in wanted if (known := read(state, name))]


def _made(file: Path) -> float:
    """When the run of a journal was made; of one that was never resolved, when its journal was written last."""
    return Layout(file.with_suffix("")).made or file.lstat().st_mtime


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
