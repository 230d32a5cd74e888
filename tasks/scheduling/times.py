"""Times at which a schedule is due: by a cron expression in a time zone, or at intervals from an anchor.

A cron expression that names hours follows local time. When clocks go forward, times in the skipped hour are due once,
at the moment after it. When clocks go back, times in the repeated hour are due in the first of the two. An expression
for every hour follows elapsed time, so it is due in both.

An interval follows elapsed time; a day is 24 hours, whatever local time does.
"""

import zoneinfo
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

EVERY_HOUR = "*"
SEARCH_START = datetime(2024, 1, 1)
"""Date from which the first due time of a cron expression is searched. It is in a leap year, so that 29 February is
found."""
SEARCH_MARGIN = timedelta(days=2)
"""Length of time by which a search in local time begins before the given moment. No time zone has ever skipped more."""
SEARCH_SPANS = (timedelta(days=2), timedelta(days=70), timedelta(days=800), timedelta(days=365 * 30))

MACHINE_DEPENDENT_ZONES = ("localtime", "Factory")
"""Time zone names that are refused, because their local time differs from machine to machine."""


@cache
def get_time_zone(name: str) -> ZoneInfo:
    """Return a time zone of the IANA database.

    Raises:
        ValueError: The zone does not exist, in which case the message names similar ones, or its local time depends on
            the machine.
    """
    if name in MACHINE_DEPENDENT_ZONES:
        raise ValueError(f"{name!r} is another time on another machine; name the zone, as in Europe/Berlin or UTC")
    known = zoneinfo.available_timezones()
    if name in known:
        return ZoneInfo(name)
    alike = get_close_matches(name, known, n=3, cutoff=0.6)
    hint = f"; is it {' or '.join(alike)}?" if alike else ", as in Europe/Berlin or UTC"
    raise ValueError(f"there is no time zone {name!r} in the IANA database{hint}")


def require_cron(expression: str) -> None:
    """Verify that a cron expression has five valid fields and is due at some time.

    Raises:
        ValueError: The expression is malformed or never due.
    """
    if len(expression.split()) != 5:
        raise ValueError(
            f"expected the five fields of cron (minute, hour, day of month, month, day of week), got {expression!r}"
        )
    try:
        minute, hour, day, _, weekday = expression.split()
        CronSim(" ".join([minute, hour, day, "*", weekday]), SEARCH_START)
    except (CronSimError, ValueError, AssertionError) as error:
        raise ValueError(f"it is no cron expression: {str(error) or 'one of its fields'} ({expression!r})") from None
    try:
        comes = next(CronSim(expression, SEARCH_START), None) is not None
    except CronSimError as error:
        if "day" not in str(error):
            raise ValueError(f"it is no cron expression: {error} ({expression!r})") from None
        comes = False
    if not comes:
        raise ValueError(f"{expression!r} never comes: none of its months has such a day")


def cron_times_after(expression: str, tz: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Yield the due times of a cron expression later than `after` (with time zone), in UTC and in order."""
    minute, _, *rest = expression.split()
    every_hour = CronSim(expression, SEARCH_START).hours == set(range(24))
    local = after.astimezone(tz)
    if every_hour:
        found: Iterator[datetime] = CronSim(" ".join([minute, EVERY_HOUR, *rest]), local)
    else:
        wall = CronSim(expression, local.replace(tzinfo=None) - SEARCH_MARGIN)
        found = (_from_local_time(moment, tz) for moment in wall)
    last = after
    for moment in found:
        if (due := moment.astimezone(UTC)) > last:
            yield due
            last = due


def _from_local_time(local_time: datetime, tz: ZoneInfo) -> datetime:
    """Return the first moment at which local time is `local_time`.

    If local time skips `local_time`, return the moment after the gap.
    """
    while (moment := local_time.replace(tzinfo=tz, fold=0)) != _round_trip(moment, tz):
        local_time += timedelta(minutes=1)
    return moment


def _round_trip(moment: datetime, tz: ZoneInfo) -> datetime:
    return moment.astimezone(UTC).astimezone(tz)


def interval_times_after(length: timedelta, anchor: datetime, after: datetime) -> Iterator[datetime]:
    """Yield the times `anchor` + n * `length` (n >= 0) that are later than `after`, in UTC and in order."""
    number = max(0, (after - anchor) // length + 1)
    while True:
        yield anchor + number * length
        number += 1


def last_cron_time(expression: str, tz: ZoneInfo, since: datetime, upto: datetime) -> datetime | None:
    """Return the last due time of a cron expression after `since` and up to `upto`, or None if there is none."""
    for back in SEARCH_SPANS:
        begin = max(since, upto - back)
        found = deque(_take_until(cron_times_after(expression, tz, begin), upto), maxlen=1)
        if found or begin == since:
            return found[0] if found else None
    return None


def _take_until(moments: Iterator[datetime], upto: datetime) -> Iterator[datetime]:
    for moment in moments:
        if moment > upto:
            return
        yield moment


def first_times(moments: Iterator[datetime], upto: datetime, most: int) -> list[datetime]:
    return list(islice(_take_until(moments, upto), most))
