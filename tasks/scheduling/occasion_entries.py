"""The one run of an occasion, or the reason why it has none.

    occasion.taken        the ledger has the run's id and its signed request; from here on the occasion has one run
    the flow run          Prefect creates it by the run's id, so that repeated calls create one
    occasion.started      all steps are done

A second process finds the first entry, and after a crash between two steps the remaining steps are done from that
entry. The key of an occasion is the name of its schedule and the time, or the name of its trigger and the event, so two
machines that share a ledger derive the same key.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tasks.core.files import sha256_bytes
from tasks.core.formatting import format_time
from tasks.gates import cases
from tasks.ledger.ledger import Entry, Ledger
from tasks.runs import team_usage
from tasks.runs.request import RunRequest
from tasks.runs.requests.signed_requests import Envelope
from tasks.scheduling import open_runs
from tasks.scheduling.deployments_file import OpenRunRule
from tasks.scheduling.durations import format_duration
from tasks.scheduling.occasion_log import PASSED_OVER, STARTED, TAKEN, OccasionLog


@dataclass(frozen=True)
class Occasion:
    key: str
    name: str
    reason: str
    """Reason for the run, in words. It becomes part of the signed run request."""
    params: str
    changes: dict[str, str]
    cool_down: timedelta | None = None
    due_at: datetime | None = None
    """Time at which the schedule is due; None for a trigger."""
    facts: dict[str, Any] = field(default_factory=dict)
    pool: str | None = None
    """Work pool that executes the run; None for the runner of this installation."""
    open_run: OpenRunRule = "queue"
    """Rule for the time in which an earlier run of the same schedule or trigger has not ended."""
    is_reported: bool = False
    """Whether a person reported the event. That person then signs a run request, even if no run follows."""


class OccasionRequest(NamedTuple):
    request: RunRequest
    envelope: Envelope


RequestSigner = Callable[[str], OccasionRequest]
"""Function that signs a run request with the given run id. It raises the same errors as any other run request."""


def record_occasion(
    ledger: Ledger, log: OccasionLog, occasion: Occasion, installation: str, sign_request: RequestSigner,
    find_quota_problem: Callable[[], str] = str,
) -> Entry | None:  # fmt: skip
    """Record in the ledger that a run is requested for an occasion, or why no run is requested.

    Args:
        ledger: Ledger of the installation.
        log: Occasions that the ledger already has.
        occasion: Occasion to record.
        installation: Id of the installation.
        sign_request: Function that signs the run request. It is called outside of the transaction, because signing can
            take time. If it raises an error, nothing is recorded. If no run is requested, it is called only for an
            event that a person reported: the person's permission is checked and their signature recorded in any case.
        find_quota_problem: Function that returns the reason why the run would exceed its team's quota; empty if it
            would not.

    Returns:
        Entry of the ledger, or None if the ledger already had the occasion.
    """
    if log.update(ledger).contains(occasion.key):
        return None
    now = ledger.now()
    run = f"{now:%Y%m%d-%H%M%S}-{sha256_bytes(occasion.key.encode())[:8]}"
    why = _skip_reason(ledger, log, occasion, now)
    over_quota = "" if why else find_quota_problem()
    asked = None if (why or over_quota) and not occasion.is_reported else sign_request(run)
    with ledger.transaction():
        if log.update(ledger).contains(occasion.key):
            return None
        why = why or _skip_reason(ledger, log, occasion, now)  # another machine may have taken one since
        over_quota = "" if why else over_quota or find_quota_problem()
        by = {"requested_by": asked.request.requested_by, "envelope": asked.envelope} if asked else {}
        if asked is None or why or over_quota:
            more = (by if occasion.is_reported else {}) | ({team_usage.OVER_QUOTA_KEY: True} if over_quota else {})
            return _append_passed_over(ledger, occasion, why or over_quota, more)
        if occasion.open_run == "replace":
            for waiting in open_runs.waiting_runs(ledger, log, occasion.name):
                cases.close_gates_of_run(ledger, waiting, cases.REPLACED_STATE)
        return ledger.append(
            TAKEN, occasion.key, _entry_body(occasion) | by | {"run": run, "installation": installation}
        )


def record_passed_over(ledger: Ledger, log: OccasionLog, occasion: Occasion, why: str) -> Entry | None:
    with ledger.transaction():
        return None if log.update(ledger).contains(occasion.key) else _append_passed_over(ledger, occasion, why)


def record_started(ledger: Ledger, log: OccasionLog, key: str, run: str, flow_run: str) -> Entry | None:
    with ledger.transaction():
        if ledger.entries(STARTED, key):
            return None
        entry = ledger.append(STARTED, key, {"run": run, "flow_run": flow_run})
    log.update(ledger)
    return entry


def _append_passed_over(ledger: Ledger, occasion: Occasion, why: str, by: dict[str, Any] | None = None) -> Entry:
    return ledger.append(PASSED_OVER, occasion.key, _entry_body(occasion) | {"why": why} | (by or {}))


def _entry_body(occasion: Occasion) -> dict[str, Any]:
    due = occasion.due_at.isoformat() if occasion.due_at else None
    pool = {"pool": occasion.pool} if occasion.pool else {}
    return {"name": occasion.name, "reason": occasion.reason, "due": due, **pool, **occasion.facts}


def _skip_reason(ledger: Ledger, log: OccasionLog, occasion: Occasion, now: datetime) -> str:
    if why := _cool_down_reason(log, occasion, now):
        return why
    before = open_runs.find_open_run(ledger, log, occasion.name) if occasion.open_run == "skip" else None
    return f"run {before} has not ended" if before else ""


def _cool_down_reason(book: OccasionLog, occasion: Occasion, now: datetime) -> str:
    before = book.last_taken_time(occasion.name, now)
    if before is None or occasion.cool_down is None or now - before >= occasion.cool_down:
        return ""
    return f"{format_duration(occasion.cool_down)} have not passed since the run of {format_time(before)}"
