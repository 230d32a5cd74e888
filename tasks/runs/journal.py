"""Journal of a run: its state, stage by stage, for people who watch it with `hallmark run` and `hallmark runs`.

Each run has one JSON file. The process that executes the run rewrites the whole file at every change. No decision
depends on the journal.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.layout import Layout
from tasks.runs.request import is_run_id, require_run_id
from tasks.runs.run_lock import is_run_executing

RunStatus = Literal["running", "waiting", "promoted", "unchanged", "experiment", "failed", "interrupted", "unreadable"]
"""Status of a run. Two values are never stored: `interrupted`, which is derived because a killed process cannot store
it, and `unreadable`, which stands for a damaged journal."""

FINISHED_STATUSES: tuple[RunStatus, ...] = ("promoted", "unchanged", "experiment", "failed")


class StageState(FrozenModel):
    state: Literal["running", "done", "cached", "failed", "interrupted"]
    seconds: float = 0.0
    progress: str = ""
    tries: int = 1
    """Number of times that the flow run has started the stage, including retries."""


class GateState(FrozenModel):
    state: str
    """State of the gate: passed, failed, rejected, expired, waiting, void (policy has changed), or skipped (risk tier
    `experiment`)."""
    waiting_for: list[str] = []
    decided_by: list[str] = []


def status_in_words(status: RunStatus | str, gates: Mapping[str, GateState]) -> str:
    """Return the status of a run in words.

    If a gate of a failed run is still waiting, the run can continue after a waiver. Its status is then, for example,
    `stopped, the data gate waits`.
    """
    waits = [name for name, line in gates.items() if line.state == "waiting"]
    return f"stopped, the {waits[-1]} gate waits" if status == "failed" and waits else status


class Journal(FrozenModel):
    run: str
    requested_by: str
    reason: str | None = None
    use_case: str = ""
    price_per_hour: float | None = None
    """Price of one machine hour in USD, from the run's parameters; null before the run is resolved."""
    demo: bool = False
    status: RunStatus = "running"
    flow_run: str | None = None
    """Id of the Prefect flow run that executes the run."""
    commit: str | None = None
    """Latest commit on the run's ref, refs/hallmark/runs/ID."""
    stages: dict[str, StageState] = {}
    """State of each stage that the current flow run has executed, by stage name. A new flow run that continues the run
    starts with an empty mapping."""
    doing: str = ""
    """Description of the current activity between stages and gates; empty during a stage or gate."""
    gates: dict[str, GateState] = {}
    release: str | None = None
    """Name and version of the release that the run created, or of the champion if the candidate is unchanged."""
    error: str | None = None
    cleaned_at: datetime | None = None
    """Time at which `hallmark clean` removed the files of the run; null if it did not."""
    exit_code: int = 0
    """Exit code of a failed run: 1 if a gate or verification failed, 2 if an input is wrong, 3 if something is
    unavailable (tasks/core/errors.py)."""

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED_STATUSES

    @property
    def status_in_words(self) -> str:
        return status_in_words(self.status, self.gates)

    @property
    def seconds(self) -> float:
        return sum(line.seconds for line in self.stages.values())

    @property
    def cost(self) -> float | None:
        """Cost of the stages in USD at the hourly price; None before the price is known."""
        return None if self.price_per_hour is None else self.seconds / 3600 * self.price_per_hour

    @property
    def activity(self) -> str:
        if self.error:
            return self.error.strip().splitlines()[-1]
        at_work = next(
            (f"{name}: {line.progress}" for name, line in self.stages.items() if line.state == "running"), ""
        ).removesuffix(": ")
        waits = "; ".join(f"{name} gate: {wanted}" for name, gate in self.gates.items()
                          if gate.state == "waiting" for wanted in gate.waiting_for)  # fmt: skip
        return self.doing or at_work or (waits if self.status == "waiting" else "")


def journal_path(state: Path, run_id: str) -> Path:
    return state / "runs" / f"{require_run_id(run_id)}.json"


def read_journal(state: Path, run_id: str) -> Journal | None:
    """Return the journal of a run; None if there is none.

    A damaged journal is returned with status `unreadable`, so that it does not prevent other runs from being listed.

    Raises:
        InputError: `run_id` is not a valid run id.
    """
    file = journal_path(state, run_id)
    if not file.is_file():
        return None
    try:
        known = Journal.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return unreadable_journal(run_id, f"{file} cannot be read as the journal of a run")
    return known if known.run == run_id else unreadable_journal(run_id, f"{file} is the journal of another run")


def unreadable_journal(run_id: str, problem: str, remove: str = "it") -> Journal:
    """Return a journal with status `unreadable`, which stands for one that is missing or damaged.

    Args:
        run_id: Id of the run.
        problem: Problem with the journal, for the error.
        remove: What to remove if there is no such run, for the error.
    """
    error = f"{problem}; `hallmark run --resume {run_id}` writes it anew; where there is no such run, remove {remove}"
    return Journal(run=run_id, requested_by="", status="unreadable", error=error)


def run_ids(state: Path) -> list[str]:
    """Return the ids of the runs that have a journal in this checkout. Files with other names are ignored."""
    return [file.stem for file in (state / "runs").glob("*.json") if is_run_id(file.stem) and file.is_file()]


def read_journals(state: Path) -> list[Journal]:
    """Return the journals of all runs of this checkout, oldest first, each with its current status."""
    return _with_current_statuses(state, sorted(run_ids(state), key=lambda name: (resolved_at(state, name), name)))


def read_newest_journals(state: Path, limit: int, below_id: str = "") -> list[Journal]:
    """Return the journals of the `limit` newest runs, newest first, each with its current status.

    Runs are sorted by id, which begins with the creation time. If `below_id` is given, only runs with smaller ids are
    returned.
    """
    known = sorted(run_ids(state), reverse=True)
    return _with_current_statuses(state, [name for name in known if not below_id or name < below_id][:limit])


def _with_current_statuses(state: Path, wanted: list[str]) -> list[Journal]:
    return [with_current_status(state, known) for name in wanted if (known := read_journal(state, name))]


def resolved_at(state: Path, run_id: str) -> float:
    """Return the Unix time at which a run was resolved.

    If it was not, this is the modification time of its journal, or else of its worktree. It is 0 if neither exists.
    """
    file = journal_path(state, run_id)
    worktree = file.with_suffix("")
    if at := Layout(worktree).resolved_at:
        return at
    for path in (file, worktree):
        with suppress(OSError):
            return path.lstat().st_mtime
    return 0.0


def with_current_status(state: Path, journal: Journal) -> Journal:
    """Return a journal with its current status: `interrupted` instead of `running` if no process executes the run."""
    if journal.status != "running" or is_run_executing(state, journal.run):
        return journal
    latest = read_journal(state, journal.run) or journal  # the run may have ended meanwhile
    return _as_interrupted(latest) if latest.status == "running" else latest


def _as_interrupted(known: Journal) -> Journal:
    stages = {
        name: line.model_copy(update={"state": "interrupted"}) if line.state == "running" else line
        for name, line in known.stages.items()
    }
    return known.model_copy(update={"status": "interrupted", "stages": stages})


def write_journal(state: Path, journal: Journal) -> None:
    files.write_bytes(journal_path(state, journal.run), journal.model_dump_json(indent=2).encode())
