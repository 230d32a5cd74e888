"""Who watches over a ledger's gates, deadlines and schedules, as the lease says, for `hallmark status` and `doctor`."""

from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from tasks.core.progress import duration
from tasks.ledger import ledger
from tasks.ledger.leases import open_leases

NAME = "watch"
"""Of the lease."""
LATE = timedelta(minutes=5)
"""How long nobody may watch before it is worth a word: a restart takes less."""


class Watching(NamedTuple):
    words: str
    """Who watches since when; else since when nobody has."""
    is_missing: bool
    """Whether nobody has watched for longer than LATE."""


def who(root: Path) -> Watching:
    """Writes nothing. Raises Unavailable where the ledger's database is away, InputError for a wrong URL of it."""
    state = root / ".hallmark"
    if not ledger.is_there(state):
        return Watching("nobody has watched yet", True)
    lease, now = open_leases(state).read(NAME)
    if lease is None:
        return Watching("nobody has watched yet", True)
    if not lease.is_over(now):
        return Watching(f"{lease.place}, since {lease.since:%Y-%m-%d %H:%M:%S} UTC", False)
    gone = max(timedelta(0), now - lease.until)
    return Watching(f"nobody for {duration(gone.total_seconds())}; before: {lease.place}", gone > LATE)
