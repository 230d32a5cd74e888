"""Schedules and triggers in force, what each asked for last, and what comes next."""

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
LOOKS = 500
"""Occasions of any name that a page looks through, of each kind."""


class ScheduleRow(Frozen):
    name: str
    kind: str
    """schedule or trigger."""
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
    """By the schedule's own clock."""
    name: str


class Schedules(Frozen):
    rows: list[ScheduleRow]
    coming: list[Coming]
    problem: str
    """Why what is in force cannot be read; empty where it can."""


def schedules(here: Here, person: Person) -> Schedules:
    """What is in force."""
    stands, book = standing.read(here.ledger, here.governance), Book().update(here.ledger)
    return Schedules(
        rows=[_row(here, name, stands, book) for name in stands.deployments.named],
        coming=_coming(here, stands),
        problem=stands.problem or "",
    )


class Asking(Frozen):
    """A run that it asked for, or an occasion that it let go by."""

    time: datetime
    reason: str
    run: str
    """Empty where none was asked for."""
    passed_over: str
    """Why none was; empty where one was."""


class SchedulePage(Frozen):
    name: str
    row: ScheduleRow
    coming: list[Coming]
    asked: list[Asking]
    """Newest first."""
    asked_of: Asked | None
    """What their browser signs to let it rest, or go on; null for an auditor, who changes nothing."""


def schedule(here: Here, person: Person, name: str) -> SchedulePage:
    """Raises InputError where none of that name is in force."""
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
    """The newest occasions, among the last that any schedule or trigger had."""
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
