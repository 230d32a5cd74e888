"""Schedules and triggers in force, with the last run that each requested and the next occasions."""

from datetime import datetime
from itertools import islice

from infra.console.site import Here
from infra.console.views.asked import Asked, keys_of
from tasks.core.config import Frozen
from tasks.core.files import sha256_bytes
from tasks.occasions import due, standing
from tasks.occasions.book import PASSED_OVER, TAKEN, Book
from tasks.occasions.declared import Schedule
from tasks.occasions.signed_deed import SWITCH_TYPE
from tasks.occasions.standing import Standing
from tasks.policy.people import Person

COMING = 20
"""Maximum number of next occasions, and of past ones, on a page."""
LOOKS = 500
"""Maximum number of ledger entries of each kind that are searched for past occasions."""


class ScheduleRow(Frozen):
    name: str
    kind: str
    """`schedule` or `trigger`."""
    when: str
    state: str
    next: datetime | None
    zone: str
    last_run: str
    last_reason: str
    params: str


class Coming(Frozen):
    due: datetime
    local: str
    """Time in the time zone of the schedule."""
    name: str


class Schedules(Frozen):
    rows: list[ScheduleRow]
    coming: list[Coming]
    problem: str
    """Reason why the schedules in force cannot be read; empty if they can."""


def schedules(here: Here, person: Person) -> Schedules:
    stands, book = standing.read(here.ledger, here.governance), Book().update(here.ledger)
    return Schedules(
        rows=[_row(here, name, stands, book) for name in stands.deployments.named],
        coming=_coming(here, stands),
        problem=stands.problem or "",
    )


class Asking(Frozen):
    """Past occasion, which led to a run request or was passed over."""

    time: datetime
    reason: str
    run: str
    """Id of the requested run; empty if none was requested."""
    passed_over: str
    """Reason why no run was requested; empty if one was."""


class SchedulePage(Frozen):
    name: str
    row: ScheduleRow
    coming: list[Coming]
    asked: list[Asking]
    """Past occasions, newest first."""
    asked_of: Asked | None
    """Form that pauses or resumes the schedule or trigger, which the browser signs; null for an auditor."""


def schedule(here: Here, person: Person, name: str) -> SchedulePage:
    """Return the page of a schedule or trigger.

    Raises:
        InputError: No schedule or trigger of this name is in force.
    """
    stands, book = standing.read(here.ledger, here.governance), Book().update(here.ledger)
    stands.require(name)
    return SchedulePage(
        name=name,
        row=_row(here, name, stands, book),
        coming=[each for each in _coming(here, stands) if each.name == name],
        asked=_asked(here, name),
        asked_of=None if person.only_reads(here.now) else _to_sign(here, person, name, stands),
    )


def _to_sign(here: Here, person: Person, name: str, stands: Standing) -> Asked:
    deed = "resume" if name in stands.paused else "pause"
    environment = here.governance.policy.environment
    return Asked(
        path=f"/schedules/{name}",
        type=SWITCH_TYPE,
        person=person.id,
        keys=keys_of(here, person),
        about={"deed": deed, "name": name, "environment": environment, "follows": stands.follows(name)},
        digests=[sha256_bytes(name.encode())],
        wish={"deed": deed},
    )


def _asked(here: Here, name: str) -> list[Asking]:
    """Return the newest occasions of one name, among the last LOOKS of all names."""
    found = [entry for kind in (TAKEN, PASSED_OVER) for entry in islice(here.ledger.newest_first(kind), LOOKS)]
    own = [
        entry for entry in sorted(found, key=lambda entry: entry.seq, reverse=True) if entry.body.get("name") == name
    ]
    return [
        Asking(
            time=entry.time,
            reason=str(entry.body.get("reason", "")),
            run=str(entry.body.get("run", "")),
            passed_over=str(entry.body.get("why", "")),
        )
        for entry in own[:COMING]
    ]


def _coming(here: Here, stands: Standing) -> list[Coming]:
    named = stands.deployments.schedules
    return [
        Coming(due=moment, local=f"{named[name].local(moment)} {named[name].timezone}", name=name)
        for moment, name in due.coming(stands, here.now, COMING)
    ]


def _row(here: Here, name: str, stands: Standing, book: Book) -> ScheduleRow:
    asks, paused, last = stands.deployments.named[name], stands.paused.get(name), book.taken(name)
    schedule = asks if isinstance(asks, Schedule) else None
    return ScheduleRow(
        name=name,
        kind="schedule" if schedule else "trigger",
        when=schedule.in_words if schedule else f"on {asks.timing['on']}",
        state=f"paused by {paused.person}: {paused.reason}" if paused else "active",
        next=next(schedule.after(here.now), None) if schedule and not paused else None,
        zone=schedule.timezone if schedule and not paused else "",
        last_run=(last.run or "") if last else "",
        last_reason=(last.reason or "") if last else "",
        params=asks.params,
    )
