"""When a schedule is due: by cron in a time zone, or every so often from an anchor.

A cron expression with hours of its own is by the clock on the wall. When clocks go forward, what falls into the hour
that is left out is due at the moment after it, once. When they go back, what falls into the hour that comes twice is
due in the first of the two. An expression for every hour counts hours as they pass, so that it is due in both.

An interval counts time as it passes; a day is 24 hours, whatever the clock on the wall does.
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
A_DAY = datetime(2024, 1, 1)
"""Any, of a leap year: from when to look whether an expression comes at all."""
MARGIN = timedelta(days=2)
"""How far before a moment to begin by the clock on the wall: no zone ever skipped more."""
LOOKS_BACK = (timedelta(days=2), timedelta(days=70), timedelta(days=800), timedelta(days=365 * 30))


@cache
def zone(name: str) -> ZoneInfo:
    """Raises ValueError for what is no zone of the IANA database, with those that are spelled alike."""
    known = zoneinfo.available_timezones()
    if name in known:
        return ZoneInfo(name)
    alike = get_close_matches(name, known, n=3, cutoff=0.6)
    hint = f"; is it {' or '.join(alike)}?" if alike else ", as in Europe/Berlin or UTC"
    raise ValueError(f"there is no time zone {name!r} in the IANA database{hint}")


def require_cron(expression: str) -> None:
    """Raises ValueError for what is no cron expression of five fields, and for one that never comes."""
    if len(expression.split()) != 5:
        raise ValueError(
            f"expected the five fields of cron (minute, hour, day of month, month, day of week), got {expression!r}"
        )
    try:
        minute, hour, day, _, weekday = expression.split()
        CronSim(" ".join([minute, hour, day, "*", weekday]), A_DAY)
    except (CronSimError, ValueError, AssertionError) as error:
        raise ValueError(f"it is no cron expression: {str(error) or 'one of its fields'} ({expression!r})") from None
    try:
        comes = next(CronSim(expression, A_DAY), None) is not None
    except CronSimError as error:
        if "day" not in str(error):
            raise ValueError(f"it is no cron expression: {error} ({expression!r})") from None
        comes = False
    if not comes:
        raise ValueError(f"{expression!r} never comes: none of its months has such a day")


def cron_after(expression: str, tz: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Every moment later than `after` (aware) at which an expression is due, in UTC, in order."""
    minute, _, *rest = expression.split()
    every_hour = CronSim(expression, A_DAY).hours == set(range(24))
    local = after.astimezone(tz)
    if every_hour:
        found: Iterator[datetime] = CronSim(" ".join([minute, EVERY_HOUR, *rest]), local)
    else:
        wall = CronSim(expression, local.replace(tzinfo=None) - MARGIN)
        found = (_on_the_clock(moment, tz) for moment in wall)
    last = after
    for moment in found:
        if (due := moment.astimezone(UTC)) > last:
            yield due
            last = due


def _on_the_clock(wall: datetime, tz: ZoneInfo) -> datetime:
    """The first moment at which the clock on the wall shows `wall`; where it never does, the moment after the gap."""
    while (moment := wall.replace(tzinfo=tz, fold=0)) != _there_and_back(moment, tz):
        wall += timedelta(minutes=1)
    return moment


def _there_and_back(moment: datetime, tz: ZoneInfo) -> datetime:
    return moment.astimezone(UTC).astimezone(tz)


def every_after(length: timedelta, anchor: datetime, after: datetime) -> Iterator[datetime]:
    """Every moment later than `after` (aware) that is a number of lengths from `anchor` (in UTC), not before it."""
    number = max(0, (after - anchor) // length + 1)
    while True:
        yield anchor + number * length
        number += 1


def newest(expression: str, tz: ZoneInfo, since: datetime, upto: datetime) -> datetime | None:
    """The last moment later than `since` and not later than `upto` at which an expression is due."""
    for back in LOOKS_BACK:
        begin = max(since, upto - back)
        found = deque(_until(cron_after(expression, tz, begin), upto), maxlen=1)
        if found or begin == since:
            return found[0] if found else None
    return None


def _until(moments: Iterator[datetime], upto: datetime) -> Iterator[datetime]:
    for moment in moments:
        if moment > upto:
            return
        yield moment


def up_to(moments: Iterator[datetime], upto: datetime, most: int) -> list[datetime]:
    """At most `most` of the moments that are not later than `upto`."""
    return list(islice(_until(moments, upto), most))
