"""Runs whose files are needed, and why.

Needed are runs that can go on, runs of which a release was made, the newest runs of each use case, and all runs that
ended fewer than `keep_days` days ago (tasks/policy/policy.py).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from tasks.core.errors import DOCUMENT_ERRORS
from tasks.core.files import read_json
from tasks.core.formatting import format_count
from tasks.core.layout import EXPERIMENT_TIER, Layout
from tasks.ledger.ledger import Ledger
from tasks.policy.policy import Policy
from tasks.registry.promote import intents
from tasks.runs import journal, run_entries
from tasks.runs.journal import Journal
from tasks.runs.run_lock import is_run_executing


class RunNeeds:
    """Needs for the files of runs, as of one time."""

    def __init__(self, state: Path, ledger: Ledger, policy: Policy, runs: Iterable[Journal]) -> None:
        """Read the ledger.

        Args:
            state: State folder of the checkout.
            ledger: Ledger of the checkout.
            policy: Policy in force.
            runs: Journals of all runs of the checkout, oldest first.
        """
        self._state, self._policy = state, policy
        with ledger.reading():
            self._now = ledger.now()
            self._ends = {entry.subject: entry.time for entry in ledger.entries(run_entries.ENDED_KIND)}
            self._released = {str(entry.body.get("run")) for entry in ledger.entries(intents.INTENT_KIND)}
            self._waiting = {entry.subject for entry in ledger.open_questions()}
        self._newest = set({(run.use_case, run.status, self._is_experiment(run)): run.run for run in runs}.values())

    def reason(self, run: Journal) -> str:
        """Return why the files of a run are needed; empty if they are not."""
        known = journal.with_current_status(self._state, run)
        if known.status == "unreadable":
            return "its journal cannot be read"
        if is_run_executing(self._state, known.run) or not known.is_finished:
            return f"{known.status}: it can go on"
        if known.run in self._waiting:
            return "a gate waits for people"
        if known.run in self._released:
            return "a release was made of it"
        if known.run in self._newest:
            return "the newest of its use case with this status"
        return self._reason_by_age(known.run)

    def _is_experiment(self, run: Journal) -> bool:
        return _tier_name(Layout(self._state / "runs" / run.run)) == EXPERIMENT_TIER

    def _reason_by_age(self, run: str) -> str:
        ended, tier = self._ends.get(run), _tier_name(Layout(self._state / "runs" / run))
        if ended is None:
            return "the ledger does not say when it ended"
        if tier not in self._policy.tiers:
            return "policy has no rule for its risk tier"
        days = self._policy.tiers[tier].keep_days
        if days is None:
            return f"policy keeps runs of risk tier {tier}"
        if self._now - ended < timedelta(days=days):
            return f"it ended less than {format_count(days, 'day')} ago"
        return ""

    def expiry_of_unfinished_work(self) -> datetime | None:
        """Return the time before which policy keeps no files of any risk tier; None if it keeps some for ever."""
        days = [tier.keep_days for tier in self._policy.tiers.values()]
        return None if None in days else self._now - timedelta(days=max(each for each in days if each is not None))


def _tier_name(layout: Layout) -> str | None:
    try:
        return str(read_json(layout.authority_path)["tier"])
    except (OSError, *DOCUMENT_ERRORS):
        return None
