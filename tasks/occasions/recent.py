"""The runs that were resolved last, and what they were asked for with."""

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
"""Runs that are looked through."""


class Resolved(NamedTuple):
    """A run that has begun."""

    run: str
    entry: Entry
    """That it was resolved."""
    request: Request
    """Nothing rests on who signed it."""


def runs_of(ledger: Ledger, asks: Asks) -> Iterator[Resolved]:
    """Of the last runs those of the same params file and risk tier, newest first: an experiment that somebody tried
    with `--set` is no run in place of one that a trigger asks for."""
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
