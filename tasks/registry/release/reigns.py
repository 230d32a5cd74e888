"""From when until when each promotion statement of a model was the newest: the one answer to when a release came.

A statement counts from the later of two times, its own, which is signed, and its entry's; and never before the one that
it follows. A time moved back in the database, or by a clock, so moves nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from tasks.registry.release.promotions import Promotions, Signed


@dataclass(frozen=True)
class Reign:
    """A statement and the time in which it was the newest."""

    signed: Signed
    since: datetime
    until: datetime | None
    """None if it still is."""


def reigns(line: Promotions) -> list[Reign]:
    """Every statement with the time in which it counted, oldest first."""
    begins: list[datetime] = []
    for signed in line.valid:
        written = [signed.entry.time] if signed.entry else []
        begins.append(max([signed.promotion.time, *written, *begins[-1:]]))
    ends: list[datetime | None] = [*begins[1:], None]
    return [Reign(signed, begins[i], ends[i]) for i, signed in enumerate(line.valid)]
