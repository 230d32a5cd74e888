"""Command `hallmark runs stop`, which ends the process of one run."""

import time
from typing import Annotated

from infra.cli import run_argument, shared
from infra.cli.shared import console
from infra.prefect import client, server
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.runs import journal
from tasks.runs.run_lock import is_run_executing

STOP_TIMEOUT_SECONDS = 60.0


def stop(run: Annotated[str, run_argument.REQUIRED_RUN]) -> None:
    """Stop a run that this checkout's runner is executing. Outputs of its finished stages are kept.

    A run that waits at a gate has no process. To end it, reject it at the gate.

    Example: hallmark runs stop 20260303-0300
    """
    where = shared.checkout_root()
    state = where / ".hallmark"
    known = journal.read_journal(state, run)
    if known is None:
        raise InputError(f"there is no run {run!r} here; `hallmark runs list` lists those that are")
    stands = journal.with_current_status(state, known).status
    up = server.find(where)
    if stands != "running" or known.flow_run is None:
        raise InputError(f"run {run} is {stands}, and no process executes it here: there is nothing to stop")
    if up is None:
        raise Unavailable("Prefect, which ends the process of a run, is not up; `hallmark up`")
    client.cancel_flow_run(where, up, known.flow_run)
    deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
    while is_run_executing(state, run):
        if time.monotonic() > deadline:
            raise Unavailable(
                f"run {run} did not end within {STOP_TIMEOUT_SECONDS:.0f} s; `hallmark down` ends all runs"
            )
        time.sleep(0.1)
    ended = journal.with_current_status(state, journal.read_journal(state, run) or known).status
    if ended != "interrupted":
        raise Refused(f"run {run} ended before it could be stopped: it is {ended}; `hallmark runs show {run}`")
    console.print(f"run {run} is stopped; to go on with it: hallmark run --resume {run}")
