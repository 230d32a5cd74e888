"""Notices about releases: promotions that are unfinished, and promotions that do not count."""

from collections.abc import Iterator

from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import promotion, releases


def list_notices(ledger: Ledger, governed: Governance) -> Iterator[str]:
    for label in promotion.interrupted_releases(ledger, governed):
        yield f"the promotion of {label} is not finished; `hallmark up` finishes or undoes it"
    for wrong in releases.promotion_problems(ledger, governed):
        yield f"not counted: {wrong}"
