"""Progress of a run on the screen: a line for each change of a stage or gate, and a status line on a terminal."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from infra.cli.progress_display import ProgressDisplay
from infra.cli.shared import console
from infra.prefect import client
from infra.prefect.server import RunningPrefect
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable
from tasks.core.formatting import format_duration
from tasks.runs import journal
from tasks.runs.journal import Journal
from tasks.runs.run_lock import is_run_executing

JOURNAL_POLL_SECONDS = 0.5
PREFECT_SECONDS = 5.0
"""Seconds between two requests to Prefect about the end of the flow run. All other progress comes from the journal."""


def show_until_done(root: Path, prefect: RunningPrefect, run_id: str, flow_run_id: str, quiet: bool) -> None:
    """Show the progress of a run until it has finished or is suspended at a gate.

    Raises:
        Refused: The flow run failed with this error before the journal recorded its end.
        InputError: The flow run failed with this error before the journal recorded its end.
        Unavailable: The runner has ended, or the flow run ended in another way before the journal recorded its end. It
            may have been killed, the disk may be full, or another process may be executing the run.
    """
    asked, waiting = time.monotonic(), False
    with ProgressDisplay(None if quiet else console) as screen:
        shown = _PrintedLines(screen)
        while True:
            state, message = "", ""
            if waiting or time.monotonic() - asked > PREFECT_SECONDS:
                asked = time.monotonic()
                state, message = client.state_of(root, prefect, flow_run_id)
            # The journal is read after Prefect's answer: if the flow run has ended by then, the journal is complete.
            known = journal.read_journal(root / ".hallmark", run_id)
            mine = known if known and known.flow_run == flow_run_id else None
            if mine:
                shown.update(mine)
            waiting = mine is not None and mine.status == "waiting"
            if (mine and mine.is_finished) or (waiting and state == client.PAUSED_STATE):
                return
            if state in client.ENDED_STATES:
                raise _end_error(run_id, state, message)
            if state and not prefect.runner.is_alive() and not is_run_executing(root / ".hallmark", run_id):
                raise Unavailable(f"the runner ended; run {run_id} goes on after `hallmark up`")
            time.sleep(JOURNAL_POLL_SECONDS)


def _end_error(run_id: str, state: str, message: str) -> HallmarkError:
    said = re.match(r"[^:]*: (Refused|InputError): (.*)", message, re.DOTALL)  # Prefect: "… an exception: NAME: TEXT"
    if said:
        return Refused(said[2]) if said[1] == "Refused" else InputError(said[2])
    how = "was interrupted" if state in client.INTERRUPTED_STATES else f"ended as {state}"
    return Unavailable(f"run {run_id} {how}: {message}\ngo on: hallmark run --resume {run_id}")


@contextmanager
def detaching_on_interrupt(run_id: str) -> Iterator[None]:
    """Exit with code 130 on Ctrl-C, and print that the run continues without this command."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"run {run_id} goes on without this command: hallmark runs show {run_id}", file=sys.stderr)
        raise typer.Exit(130) from None


class _PrintedLines:
    def __init__(self, screen: ProgressDisplay) -> None:
        self.screen = screen
        self.lines: dict[str, str] = {}

    def update(self, known: Journal) -> None:
        if known.doing:
            self.screen.show_step(known.doing)
        for name, line in known.stages.items():
            if line.state != "running":
                self._print_if_changed(name, f"  {name:<18} {line.state:<7} {format_duration(line.seconds):>9}")
            elif not known.doing:
                self.screen.show_step(name, line.progress)
        for gate, standing in known.gates.items():
            by = f" by {', '.join(standing.decided_by)}" if standing.decided_by else ""
            self._print_if_changed(f"gate {gate}", f"  {gate + ' gate':<18} {standing.state}{by}")

    def _print_if_changed(self, name: str, text: str) -> None:
        if self.lines.get(name) != text:
            self.lines[name] = text
            self.screen.line(text)
