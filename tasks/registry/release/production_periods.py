"""Periods in which each promotion statement of a model was the newest.

All code that needs the time of a promotion uses these periods. A period begins at the signed time or at the time of the
ledger entry, whichever is later. It never begins before the previous period. Setting a clock or a time in the database
back therefore has no effect.
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


def production_periods(model_promotions: Promotions) -> list[ProductionPeriod]:
    begins: list[datetime] = []
    for signed in model_promotions.valid_statements:
        written = [signed.entry.time] if signed.entry else []
        begins.append(max([signed.promotion.time, *written, *begins[-1:]]))
    ends: list[datetime | None] = [*begins[1:], None]
    return [ProductionPeriod(signed, begins[i], ends[i]) for i, signed in enumerate(model_promotions.valid_statements)]
