"""State of each schedule and trigger, and the next times at which schedules are due, for commands and pages."""

from datetime import datetime

from tasks.core.documents.config import FrozenModel, IsoTime
from tasks.scheduling import due_times
from tasks.scheduling.deployments_file import Schedule
from tasks.scheduling.deployments_in_force import DeploymentsInForce
from tasks.scheduling.occasion_log import OccasionLog


class ScheduleStatus(FrozenModel):
    name: str
    kind: str
    """Either `schedule` or `trigger`."""
    when: str
    state: str
    next: IsoTime | None
    """Next due time; null for a trigger, and for a schedule that is paused or whose declarer holds no role."""
    next_local: str
    """Next due time as text, in the time zone of the schedule; empty if there is none."""
    last_run: str | None
    """Id of the run that was requested last; null if there is none."""
    last_reason: str | None
    params: str
    since: IsoTime
    """Time at which the schedule or trigger became active with its current timing."""


class DueTime(FrozenModel):
    name: str
    due: IsoTime
    local: str
    """Due time as text, in the time zone of the schedule."""


def make_status(name: str, standing: DeploymentsInForce, log: OccasionLog, now: datetime) -> ScheduleStatus:
    asks, paused, last = standing.deployments.named[name], standing.pauses.get(name), log.last_taken(name)
    schedule = asks if isinstance(asks, Schedule) else None
    rests = paused or name in standing.without_declarer
    moment = next(schedule.due_times_after(now), None) if schedule and not rests else None
    return ScheduleStatus(
        name=name,
        kind="schedule" if schedule else "trigger",
        when=schedule.in_words if schedule else f"on {asks.timing['on']}",
        state=_state(name, standing),
        next=moment,
        next_local=_local_time(schedule, moment) if schedule and moment else "",
        last_run=last.run if last else None,
        last_reason=last.reason if last else None,
        params=asks.params,
        since=standing.active_since[name],
    )


def _state(name: str, standing: DeploymentsInForce) -> str:
    if paused := standing.pauses.get(name):
        return f"paused by {paused.person}: {paused.reason}"
    if name in standing.without_declarer:
        return (
            f"asks for no run: {standing.declared_by[name]}, who declared it, holds no role any more; "
            "declare it again: hallmark deploy"
        )
    return "active"


def next_due_times(standing: DeploymentsInForce, now: datetime, count: int) -> list[DueTime]:
    schedules = standing.deployments.schedules
    return [
        DueTime(name=name, due=moment, local=_local_time(schedules[name], moment))
        for moment, name in due_times.next_due_times(standing, now, count)
    ]


def _local_time(schedule: Schedule, moment: datetime) -> str:
    return f"{schedule.format_local_time(moment)} {schedule.timezone}"
