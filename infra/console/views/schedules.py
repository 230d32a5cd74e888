"""Adopted schedules and triggers, with the last run that each requested and the next occasions."""

from datetime import datetime
from itertools import islice

from infra.console.site import RequestState
from infra.console.views.signing_form import SigningForm, key_fingerprints, optional_fields
from tasks.core.documents.config import FrozenModel
from tasks.core.files import sha256_bytes
from tasks.policy.people import Person
from tasks.scheduling import deployments_in_force, overview
from tasks.scheduling.deployments_in_force import DeploymentsInForce
from tasks.scheduling.occasion_log import PASSED_OVER, TAKEN, OccasionLog
from tasks.scheduling.overview import DueTime, ScheduleStatus
from tasks.scheduling.signed_statements import SWITCH

MAX_OCCASIONS = 20
MAX_ENTRIES_SEARCHED = 500


class Schedules(FrozenModel):
    rows: list[ScheduleStatus]
    coming: list[DueTime]
    problem: str
    """Reason why the adopted schedules cannot be read; empty if they can."""


def schedules(here: RequestState, person: Person) -> Schedules:
    stands, book = (
        deployments_in_force.read_deployments(here.ledger, here.governance),
        OccasionLog().update(here.ledger),
    )
    return Schedules(
        rows=[overview.make_status(name, stands, book, here.ledger_time) for name in stands.deployments.named],
        coming=overview.next_due_times(stands, here.ledger_time, MAX_OCCASIONS),
        problem=stands.error_text or "",
    )


class PastOccasion(FrozenModel):
    time: datetime
    reason: str
    run: str
    """Id of the requested run; empty if none was requested."""
    passed_over: str
    """Reason why no run was requested; empty if a run was requested."""


class SchedulePage(FrozenModel):
    name: str
    row: ScheduleStatus
    coming: list[DueTime]
    asked: list[PastOccasion]
    asked_of: SigningForm | None
    """Form for pausing or resuming the schedule or trigger, to be signed in the browser; null for an auditor."""


def schedule(here: RequestState, person: Person, name: str) -> SchedulePage:
    stands, book = (
        deployments_in_force.read_deployments(here.ledger, here.governance),
        OccasionLog().update(here.ledger),
    )
    stands.require_in_force(name)
    return SchedulePage(
        name=name,
        row=overview.make_status(name, stands, book, here.ledger_time),
        coming=[each for each in overview.next_due_times(stands, here.ledger_time, MAX_OCCASIONS) if each.name == name],
        asked=_past_occasions(here, name),
        asked_of=None if person.is_only_auditor(here.ledger_time) else _signing_form(here, person, name, stands),
    )


def _signing_form(here: RequestState, person: Person, name: str, stands: DeploymentsInForce) -> SigningForm:
    deed = "resume" if name in stands.pauses else "pause"
    environment = here.governance.policy.environment
    return SigningForm(
        path=f"/schedules/{name}",
        type=SWITCH.uri,
        person=person.id,
        keys=key_fingerprints(here, person),
        about={"deed": deed, "name": name, "environment": environment, "follows": stands.predecessor_digest(name)},
        defaults=optional_fields(SWITCH),
        digests=[sha256_bytes(name.encode())],
        wish={"deed": deed},
    )


def _past_occasions(here: RequestState, name: str) -> list[PastOccasion]:
    found = [
        entry for kind in (TAKEN, PASSED_OVER) for entry in islice(here.ledger.newest_first(kind), MAX_ENTRIES_SEARCHED)
    ]
    own = [
        entry for entry in sorted(found, key=lambda entry: entry.seq, reverse=True) if entry.body.get("name") == name
    ]
    return [
        PastOccasion(
            time=entry.time,
            reason=str(entry.body.get("reason", "")),
            run=str(entry.body.get("run", "")),
            passed_over=str(entry.body.get("why", "")),
        )
        for entry in own[:MAX_OCCASIONS]
    ]
