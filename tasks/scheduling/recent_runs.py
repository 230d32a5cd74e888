"""Newest resolved runs, with their requests."""

from collections.abc import Iterator
from typing import NamedTuple

from tasks.core.errors import HallmarkError
from tasks.gates.signed_request import ENTRY_KIND as REQUESTED
from tasks.gates.signed_request import REQUEST_KIND, SignedRunRequest
from tasks.ledger.ledger import Entry, Ledger
from tasks.runs.run_entries import RESOLVED_KIND
from tasks.scheduling.deployments_file import RunSettings

TIER_KEY = "use_case.risk_tier"
MAX_RUNS = 50


class ResolvedRun(NamedTuple):
    run: str
    entry: Entry
    request: SignedRunRequest
    """Run request. Its signature was not verified."""


def matching_runs(ledger: Ledger, settings: RunSettings) -> Iterator[ResolvedRun]:
    """Yield the last runs with the same params file and risk tier, newest first.

    An experiment that a person started with `--set` has another tier, so it does not replace a run that a trigger
    requests.
    """
    for _, entry in zip(range(MAX_RUNS), ledger.newest_first(RESOLVED_KIND), strict=False):
        for request in _requests(ledger, entry.subject):
            if request.params == settings.params and request.changes.get(TIER_KEY) == settings.changes.get(TIER_KEY):
                yield ResolvedRun(entry.subject, entry, request)


def _requests(ledger: Ledger, run: str) -> Iterator[SignedRunRequest]:
    for entry in ledger.entries(REQUESTED, run):
        try:
            yield REQUEST_KIND.unverified_document(entry.body["envelope"])
        except (HallmarkError, KeyError, TypeError):
            continue
