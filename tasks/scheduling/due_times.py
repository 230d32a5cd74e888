"""Occasions of schedules: times that are due, and times that passed while nothing ran."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tasks.scheduling import times
from tasks.scheduling.deployments_file import Schedule
from tasks.scheduling.deployments_in_force import DeploymentsInForce
from tasks.scheduling.occasion_entries import Occasion
from tasks.scheduling.occasion_log import OccasionLog

MAX_DELAY = timedelta(minutes=10)
"""Maximum delay with which a scheduled run still counts as on time. It allows for a restart of the runner."""
MAX_COUNTED_TIMES = 1000


class DueOccasion(NamedTuple):
    occasion: Occasion
    skip_reason: str
    """Reason why no run is requested for the occasion; empty if a run is requested."""


def due_occasions(in_force: DeploymentsInForce, log: OccasionLog, now: datetime) -> Iterator[DueOccasion]:
    """Yield the occasions of schedules that are due now.

    If more than one due time of a schedule has passed, only the last one becomes an occasion, because two runs at the
    same time would have the same inputs. The occasion states how many due times were missed.
    """
    for name, schedule in in_force.deployments.schedules.items():
        if name not in in_force.pauses and (
            found := _due_occasion(name, schedule, in_force.active_since[name], log, now)
        ):
            yield found


def _due_occasion(
    name: str, schedule: Schedule, since: datetime, book: OccasionLog, now: datetime
) -> DueOccasion | None:
    since = max(since, book.last_due_time(name, now) or since)
    last = schedule.last_due_time(since, now) if since < now else None
    if last is None or book.contains(key := f"{name}/{format_key_time(last)}"):
        return None
    passed = times.first_times(schedule.due_times_after(since), last, MAX_COUNTED_TIMES + 1)
    more = f"{MAX_COUNTED_TIMES:,} and more" if len(passed) > MAX_COUNTED_TIMES else str(len(passed) - 1)
    late = now - last > MAX_DELAY
    reason = f"schedule {name}, due {schedule.format_local_time(last)} {schedule.timezone}"
    if late:
        reason += ", missed while nothing ran"
    facts = {"missed": more} if len(passed) > 1 else {}
    occasion = Occasion(
        key,
        name,
        reason,
        schedule.params,
        schedule.changes,
        schedule.cool_down,
        last,
        facts,
        schedule.pool,
        open_run=schedule.open_run,
    )
    skipped = late and schedule.missed == "skip"
    return DueOccasion(occasion, f"nothing asked for it within {MAX_DELAY.seconds // 60} minutes" if skipped else "")


def next_due_times(in_force: DeploymentsInForce, now: datetime, count: int) -> list[tuple[datetime, str]]:
    """Return the next due times of schedules, at most `count`, in order, each with the name of its schedule.

    Schedules that are paused, or whose declarer holds no role any more, are left out.
    """
    found = [
        (moment, name)
        for name, schedule in in_force.deployments.schedules.items()
        if name not in (*in_force.pauses, *in_force.without_declarer)
        for moment in _first_times(schedule, now, count)
    ]
    return sorted(found)[:count]


def first_due_times(in_force: DeploymentsInForce, now: datetime) -> dict[str, datetime]:
    """Return the next due time of each schedule that is not paused, if the person who declared it still has a role."""
    return {
        name: moment
        for name, schedule in in_force.deployments.schedules.items()
        if name not in (*in_force.pauses, *in_force.without_declarer)
        for moment in _first_times(schedule, now, 1)
    }


def _first_times(schedule: Schedule, now: datetime, count: int) -> Iterator[datetime]:
    for _, moment in zip(range(count), schedule.due_times_after(now), strict=False):
        yield moment


def format_key_time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
