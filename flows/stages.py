"""DVC stages as Prefect tasks."""

import time
from collections.abc import Callable
from typing import Any

from prefect import task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from flows.lifecycle import current_flow_run, show_activity, update_journal
from tasks.core import progress
from tasks.core.errors import HallmarkError, ProcessDied, Refused, TimeLimitExceeded, Unavailable
from tasks.core.escaping import escape_markdown
from tasks.core.formatting import format_duration
from tasks.gates import record_chain
from tasks.runs import journal, run_entries
from tasks.runs import stage as made
from tasks.runs.journal import StageState
from tasks.runs.outputs.dvc import INGEST_STAGE, StageOutcome
from tasks.runs.run import Run
from tasks.runs.takeover import ELSEWHERE_MESSAGE, describe_other_machine
from tasks.scheduling import deployments_in_force


def run_stages(run: Run, *names: str) -> None:
    """Execute stages in order, and stop if an owner has withdrawn a source of the run.

    A stage whose outputs already exist is recorded as well, because an earlier process could have been killed before it
    recorded the stage.
    """
    for name in names:
        require_continuable(run)
        if not _is_stage_finished(run, name):
            outcome = run_with_retries(run, name)
            run_entries.record_stage(run.ledger(), run.layout, run.id, outcome)


FAILURE_KINDS: tuple[tuple[type[HallmarkError], str], ...] = (
    (TimeLimitExceeded, "late"),
    (ProcessDied, "died"),
    (Unavailable, "away"),
)
"""Exception classes of failures, each with its key in `retries` of deployments.yaml. Subclasses come before their base
class."""


def run_with_retries(run: Run, name: str) -> StageOutcome:
    """Execute a stage, and retry it after failures as often as the adopted deployments allow.

    Each attempt is a separate Prefect task run.

    Raises:
        HallmarkError: The last attempt failed.
    """
    in_force = deployments_in_force.read_deployments(run.ledger(), run.governance()).deployments
    waits = {kind: iter(retry.wait_seconds()) for kind, retry in in_force.retries if retry}
    while True:
        try:
            return run_stage(run, name, in_force.timeout(name))
        except HallmarkError as error:
            kind = next((kind for of, kind in FAILURE_KINDS if isinstance(error, of)), "")
            seconds = next(waits.get(kind, iter(())), None)
            if seconds is None:
                raise
            get_run_logger().warning(f"stage {name}: {error}; it is tried again in {seconds:g} s")
            with show_activity(run.id, f"waiting {format_duration(seconds)} to try {name} again"):
                time.sleep(seconds)
            require_continuable(run)


def require_continuable(run: Run) -> None:
    """Verify that no source of the run was withdrawn, and that no other machine has taken over the run.

    Raises:
        Refused: A source was withdrawn, or the run continues on another machine.
    """
    if other := describe_other_machine(run.ledger(), run.checkout.root, run.id):
        raise Refused(ELSEWHERE_MESSAGE.format(run.id, other))
    if block_reason := run.withdrawal_reason():
        raise Refused(f"run {run.id} stops: {block_reason}; then: hallmark run --resume {run.id}")


def _is_stage_finished(run: Run, name: str) -> bool:
    """Return whether this flow run has finished a stage and the ledger has its record.

    A resumed flow run starts from the top and skips such stages. A wrong answer does no harm, because a gate digests
    the files in the worktree. Results that Prefect stores are not used, because a stored result specifies how it is
    deserialized, and unpickling it can execute code.
    """
    flow_run, known = current_flow_run(), journal.read_journal(run.layout.state, run.id)
    if flow_run is None or known is None or known.flow_run != str(flow_run.id):
        return False
    line = known.stages.get(name)
    done = line is not None and line.state in ("done", "cached")
    return done and run_entries.is_stage_recorded(run.ledger(), run.layout, run.id, name)


@task(task_run_name="{name}", persist_result=False)
def run_stage(run: Run, name: str, max_seconds: float | None = None) -> StageOutcome:
    """Execute one stage in the run's worktree, and show its log and progress in Prefect.

    The outputs of an earlier execution are used instead if a signed record shows that it had the same materials.
    `max_seconds` is the maximum number of seconds; None for no limit.

    Raises:
        Refused: Stage `ingest` would read rows about somebody who is to be forgotten since the run was resolved.
    """
    if name == INGEST_STAGE:
        run.require_suppression()
    listener, ledger, governed = _OutputListener(run, name), run.ledger(), run.governance()
    by = made.load_worker_keys(governed, ledger)
    _update_stage_state(run, name, StageState(state="running"))
    try:
        known = record_chain.records_of_run(ledger, governed, run.id).get(name)
        outcome = made.provide_outputs(run.layout, name, by, listener.receive_line, known, max_seconds=max_seconds)
        if name == INGEST_STAGE and outcome.cached and (unknown := _count_unknown_tokens(run)):
            listener.receive_line(
                f"the vault does not know {unknown} of the tokens in the cached output; reading again"
            )
            outcome = made.provide_outputs(
                run.layout, name, by, listener.receive_line, force=True, max_seconds=max_seconds
            )
    except HallmarkError:
        _update_stage_state(run, name, StageState(state="failed", seconds=listener.elapsed_seconds()))
        raise
    _update_stage_state(
        run, name, StageState(state="cached" if outcome.cached else "done", seconds=round(outcome.seconds, 2))
    )
    listener.finish()
    return outcome


def _count_unknown_tokens(run: Run) -> int:
    from tasks.inquiry.vault_coverage import count_unknown_tokens

    return count_unknown_tokens(run.layout)


def _update_stage_state(run: Run, name: str, line: StageState) -> None:
    known = journal.read_journal(run.layout.state, run.id)
    assert known is not None
    if (before := known.stages.get(name)) is not None:
        again = before.state == "failed" and line.state == "running"
        line = line.model_copy(update={"tries": before.tries + again})
    update_journal(known, stages=known.stages | {name: line})


PROGRESS_LOG_SECONDS = 30.0
"""Minimum time in seconds between two progress lines in the log, so that they do not hide other lines."""


MAX_LOG_CHARS = 2_000_000
"""Maximum number of characters of one stage's output in the log, which Prefect keeps in its database and in a file."""


class BoundedLog:
    """Log of one stage's output, whose code decides what it prints and could fill the disk."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._chars = 0

    def add(self, line: str) -> None:
        """Write a line, unless the stage has printed too much. A note stands for the first line that is left out."""
        before, self._chars = self._chars, self._chars + len(line) + 1
        if self._chars <= MAX_LOG_CHARS:
            self._write(line)
        elif before <= MAX_LOG_CHARS:
            self._write(f"the stage has printed {MAX_LOG_CHARS:,} characters; what it prints from here on is not kept")


class _OutputListener:
    def __init__(self, run: Run, name: str) -> None:
        self.run, self.name = run, name
        self.log = BoundedLog(get_run_logger().info)
        self.artifact: Any = None
        self.percent = 0.0
        self.started = time.monotonic()
        self.logged = float("-inf")

    def receive_line(self, line: str) -> None:
        if not (reported := progress.parse_progress_line(line)):
            self.log.add(line)
            return
        _update_stage_state(
            self.run, self.name, StageState(state="running", seconds=self.elapsed_seconds(), progress=reported.text)
        )
        if reported.percent is not None:
            self.percent = reported.percent
        self._show(self.percent, reported.text)
        if time.monotonic() - self.logged > PROGRESS_LOG_SECONDS:
            self.logged = time.monotonic()
            self.log.add(f"{self.name} {reported.text}")

    def elapsed_seconds(self) -> float:
        return round(time.monotonic() - self.started, 1)

    def _show(self, percent: float, text: str) -> None:
        description = escape_markdown(f"{self.name} in run {self.run.id}: {text}")
        if self.artifact is None:
            self.artifact = create_progress_artifact(percent, description=description)
        else:
            update_progress_artifact(self.artifact, percent, description=description)

    def finish(self) -> None:
        if self.artifact is not None:
            self._show(100.0, f"done in {self.elapsed_seconds():.0f} s")
