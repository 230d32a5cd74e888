"""Runs of a schedule or trigger that have not ended."""

from tasks.ledger.ledger import Ledger
from tasks.runs import run_entries
from tasks.scheduling.occasion_log import OccasionLog


def find_open_run(ledger: Ledger, log: OccasionLog, name: str) -> str | None:
    """Return the id of a run that a schedule or trigger has requested and that has not ended; None if there is none.

    A run whose process died too often has ended, because only a person lets it go on.
    """
    last = log.last_taken(name)
    if last and not _has_ended(ledger, last.run):
        return last.run
    return next(iter(waiting_runs(ledger, log, name)), None)


def waiting_runs(ledger: Ledger, log: OccasionLog, name: str) -> list[str]:
    """Return the runs of a schedule or trigger that wait at a gate, oldest first."""
    own = log.taken_runs(name)
    return list(dict.fromkeys(entry.subject for entry in ledger.open_questions() if entry.subject in own))


def _has_ended(ledger: Ledger, run: str) -> bool:
    died = ledger.entries(run_entries.INTERRUPTED_KIND, run)
    return bool(ledger.entries(run_entries.ENDED_KIND, run)) or bool(died and not died[-1].body.get("goes_on"))
