"""State of the watch of a ledger, read from its lease, for `hallmark status` and `hallmark doctor`."""

from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from tasks.core.formatting import format_duration, format_exact_time
from tasks.ledger import ledger
from tasks.ledger.leases import open_leases

LEASE_NAME = "watch"
MAX_ABSENCE = timedelta(minutes=5)
"""Maximum time without a watch before the watch counts as missing. A restart takes less."""


class WatchStatus(NamedTuple):
    description: str
    """Holder of the lease and the start time of its watch. If there is no watch, it is the time since the last one
    instead."""
    is_missing: bool
    """Whether there has been no watch for longer than MAX_ABSENCE."""


def read_watch_status(root: Path) -> WatchStatus:
    """Return the state of the watch, without changing anything.

    Raises:
        Unavailable: The ledger's database cannot be reached.
        InputError: The URL of the database is invalid.
    """
    state = root / ".hallmark"
    if not ledger.ledger_exists(state):
        return WatchStatus("nobody has watched yet", True)
    lease, now = open_leases(state).read_lease(LEASE_NAME)
    if lease is None:
        return WatchStatus("nobody has watched yet", True)
    if not lease.is_over(now):
        return WatchStatus(f"{lease.place}, since {format_exact_time(lease.since)}", False)
    absence = max(timedelta(0), now - lease.until)
    return WatchStatus(
        f"nobody for {format_duration(absence.total_seconds())}; before: {lease.place}", absence > MAX_ABSENCE
    )
