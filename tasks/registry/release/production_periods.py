"""Periods in which each promotion statement of a model was the newest.

All code that needs the time of a promotion uses these periods. A period begins at the time that was signed or at the
time of the ledger entry, whichever is later, and never before the previous period. Setting back a time in the database
or on a clock therefore has no effect.
"""

from dataclasses import dataclass
from datetime import datetime

from tasks.registry.release.promotions import Promotions, SignedPromotion


@dataclass(frozen=True)
class ProductionPeriod:
    signed: SignedPromotion
    since: datetime
    until: datetime | None
    """End of the period; None if the statement is still the newest."""


def production_periods(line: Promotions) -> list[ProductionPeriod]:
    begins: list[datetime] = []
    for signed in line.valid:
        written = [signed.entry.time] if signed.entry else []
        begins.append(max([signed.promotion.time, *written, *begins[-1:]]))
    ends: list[datetime | None] = [*begins[1:], None]
    return [ProductionPeriod(signed, begins[i], ends[i]) for i, signed in enumerate(line.valid)]
