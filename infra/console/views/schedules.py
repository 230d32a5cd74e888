"""Schedules and triggers in force, what each asked for last, and what comes next."""

from datetime import datetime

from infra.console.site import Here
from tasks.core.config import Frozen
from tasks.occasions import due, standing
from tasks.occasions.book import Book
from tasks.occasions.declared import Schedule
from tasks.occasions.standing import Standing
from tasks.policy.people import Person

COMING = 20


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
    named = stands.deployments.schedules
    return Schedules(
        rows=[_row(here, name, stands, book) for name in stands.deployments.named],
        coming=[
            Coming(due=moment, local=f"{named[name].local(moment)} {named[name].timezone}", name=name)
            for moment, name in due.coming(stands, here.now, COMING)
        ],
        problem=stands.problem or "",
    )


def _row(here: Here, name: str, stands: Standing, book: Book) -> ScheduleRow:
    asks, paused, last = stands.deployments.named[name], stands.paused.get(name), book.taken(name)
    schedule = asks if isinstance(asks, Schedule) else None
    return ScheduleRow(
        name=name,
        kind="schedule" if schedule else "trigger",
        when=schedule.in_words if schedule else f"on {asks.timing['on']}",
        state=f"paused by {paused.person}: {paused.reason}" if paused else "active",
        next=next(schedule.after(here.now), None) if schedule and not paused else None,
        zone=schedule.timezone if schedule else "",
        last_run=(last.run or "") if last else "",
        last_reason=(last.reason or "") if last else "",
        params=asks.params,
    )
