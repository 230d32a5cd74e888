"""A run of a checkout: status, figures and evidence, and waiting for it."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hallmark.ledger_warnings import warn_if_changed
from infra.prefect import server
from tasks.core.errors import TimeLimitExceeded, Unavailable
from tasks.core.facts import Fact
from tasks.core.graph import STAGES
from tasks.gates import cases
from tasks.gates.evidence import Evidence, read_facts
from tasks.runs import journal
from tasks.runs.checkout import Checkout
from tasks.runs.journal import GateState, Journal
from tasks.runs.run import run_layout
from tasks.runs.run_lock import is_run_executing

RunStatus = Literal[
    "requested", "running", "waiting", "promoted", "unchanged", "experiment", "failed", "interrupted", "unreadable"
]
"""State of a run. `requested`: it was asked for and has not begun. `waiting`: a gate waits for people, and no process
of the run exists. The others are those of `hallmark runs list`."""
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Run:
    """A run. Its properties read its state anew each time."""

    root: Path
    """Folder of the checkout."""
    id: str

    @property
    def status(self) -> RunStatus:
        known = self._journal()
        return known.status if known else "requested"

    @property
    def error(self) -> str | None:
        """Reason why the run failed; None if it did not."""
        known = self._journal()
        return known.error if known else None

    @property
    def gates(self) -> dict[str, GateState]:
        """Gates that the run has reached, with their state, what they wait for, and who decided."""
        known = self._journal()
        return known.gates if known else {}

    @property
    def release(self) -> str | None:
        """Name of the release that the run made, or that its candidate equals; None if there is none yet."""
        known = self._journal()
        return known.release if known else None

    @property
    def facts(self) -> dict[str, Fact]:
        """Figures of all stages so far, named as policies name them, such as `evaluate.exact_match`.

        Raises:
            InputError: A file is not as a stage writes it.
        """
        return read_facts(run_layout(self.root, self.id), STAGES)

    def evidence(self, gate: str) -> Evidence:
        """Return the evidence with which the run last opened a gate: figures, checks, digests, decisions it needs.

        Raises:
            InputError: The run has not opened the gate.
            Refused: The ledger does not hold the evidence as it was written.
        """
        warn_if_changed(self.root)
        return cases.newest_case(Checkout(self.root).ledger, self.id, gate).evidence

    def wait(self, timeout: float | None = None, through_gates: bool = False) -> RunStatus:
        """Wait until the run has ended or waits at a gate, and return its status.

        Args:
            timeout: Maximum number of seconds; None for no limit.
            through_gates: Whether to go on waiting while people decide.

        Raises:
            TimeLimitExceeded: The time is over. The run goes on.
            Unavailable: The run has not begun, and nothing is up that would begin it.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while not self._has_stopped(through_gates):
            if until is not None and time.monotonic() > until:
                raise TimeLimitExceeded(f"run {self.id} is {self.status} after {timeout:g} s; it goes on")
            time.sleep(POLL_SECONDS)
        return self.status

    def _journal(self) -> Journal | None:
        state = self.root / ".hallmark"
        known = journal.read_journal(state, self.id)
        return journal.with_current_status(state, known) if known else None

    def _has_stopped(self, through_gates: bool) -> bool:
        status = self.status
        if status == "requested" and server.find(self.root) is None:
            raise Unavailable(f"run {self.id} has not begun, and no runner is up; `hallmark run --resume {self.id}`")
        if status == "waiting":
            return not through_gates and not is_run_executing(self.root / ".hallmark", self.id)
        return status not in ("requested", "running")
