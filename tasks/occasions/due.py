"""Which times of schedules have come, and what becomes of those that passed while nothing ran."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tasks.occasions import times
from tasks.occasions.book import Book
from tasks.occasions.declared import Schedule
from tasks.occasions.standing import Standing
from tasks.occasions.taking import Occasion

GRACE = timedelta(minutes=10)
"""How late a run may be asked for and still be on time: a runner that starts anew misses nothing."""
COUNTED = 1000
"""Missed times are counted up to here."""


class Due(NamedTuple):
    occasion: Occasion
    passed_over: str
    """Why no run is made of it; empty: one is."""


def due(standing: Standing, book: Book, now: datetime) -> Iterator[Due]:
    """What schedules ask for now. Of several times that passed the last is looked at, and the others are counted there:
    two runs of one schedule at once have the same inputs."""
    for name, schedule in standing.deployments.schedules.items():
        if name not in standing.paused and (found := _of(name, schedule, standing.since[name], book, now)):
            yield found


def _of(name: str, schedule: Schedule, since: datetime, book: Book, now: datetime) -> Due | None:
    since = max(since, book.last_due(name, now) or since)
    last = schedule.newest(since, now) if since < now else None
    if last is None or book.knows(key := f"{name}/{spelled(last)}"):
        return None
    passed = times.up_to(schedule.after(since), last, COUNTED + 1)
    more = f"{COUNTED:,} and more" if len(passed) > COUNTED else str(len(passed) - 1)
    late = now - last > GRACE
    reason = f"schedule {name}, due {schedule.local(last)} {schedule.timezone}"
    if late:
        reason += ", missed while nothing ran"
    facts = {"missed": more} if len(passed) > 1 else {}
    occasion = Occasion(
        key, name, reason, schedule.params, schedule.changes, schedule.cool_down, last, facts, schedule.pool
    )
    skipped = late and schedule.missed == "skip"
    return Due(occasion, f"nothing asked for it within {GRACE.seconds // 60} minutes" if skipped else "")


def coming(standing: Standing, now: datetime, count: int) -> list[tuple[datetime, str]]:
    """The next times at which schedules are due, and whose, at most `count`, in order. Those that rest have none."""
    found = [
        (moment, name)
        for name, schedule in standing.deployments.schedules.items()
        if name not in standing.paused
        for moment in _first(schedule, now, count)
    ]
    return sorted(found)[:count]


def _first(schedule: Schedule, now: datetime, count: int) -> Iterator[datetime]:
    for _, moment in zip(range(count), schedule.after(now), strict=False):
        yield moment


def spelled(moment: datetime) -> str:
    """As keys have it: UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
