"""Newest resolved runs, with their requests."""

from collections.abc import Iterator
from typing import NamedTuple

from tasks.core.errors import HallmarkError
from tasks.gates.signed_request import KIND as REQUESTED
from tasks.gates.signed_request import REQUEST, Request
from tasks.ledger.ledger import Entry, Ledger
from tasks.occasions.declared import Asks
from tasks.runs.records import RESOLVED

TIER = "use_case.risk_tier"
RECENT = 50
"""Maximum number of runs that are searched."""


class Resolved(NamedTuple):
    run: str
    entry: Entry
    request: Request
    """Request for the run; its signature is not verified."""


def runs_of(ledger: Ledger, asks: Asks) -> Iterator[Resolved]:
    """Yield the last runs of the same params file and risk tier, newest first.

    An experiment that somebody tried with `--set` has another tier, and does not replace a run that a trigger requests.
    """
    for _, entry in zip(range(RECENT), ledger.newest_first(RESOLVED), strict=False):
        for request in _requests(ledger, entry.subject):
            if request.params == asks.params and request.changes.get(TIER) == asks.changes.get(TIER):
                yield Resolved(entry.subject, entry, request)


def _requests(ledger: Ledger, run: str) -> Iterator[Request]:
    for entry in ledger.entries(REQUESTED, run):
        try:
            yield REQUEST.said(entry.body["envelope"])
        except (HallmarkError, KeyError, TypeError):
            continue
