"""Times of messages, as numbers by which they are ordered."""

import math
import re
from datetime import UTC, date, datetime, time
from typing import Any

UNIX_TIME = re.compile(r"\d{9,13}(\.\d{1,9})?")
MIN_MILLISECONDS = 1e11
"""Number from which on a Unix time is in milliseconds. As seconds it would be after the year 5000."""
CLOCK = re.compile(r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]\d(?:[.,]\d{1,9})?)")
"""Pattern of a time within a recording, such as 00:01:02.500 or 01:02."""


def parse_time(value: Any) -> float:
    """Return a time in seconds, or NaN if the value is no time. A time without an offset is in UTC."""
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime.combine(value, time())
        return _timestamp(moment)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _unix_seconds(value)
    if not isinstance(value, str):
        return math.nan
    text = value.strip()
    if UNIX_TIME.fullmatch(text):
        return _unix_seconds(float(text))
    if clock := CLOCK.fullmatch(text):
        return parse_clock(clock)
    try:
        return _timestamp(datetime.fromisoformat(text))
    except ValueError:
        return math.nan


def parse_clock(clock: re.Match[str]) -> float:
    hours, minutes, seconds = clock.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))


def _unix_seconds(value: float) -> float:
    if not 0 <= value < 1e14:
        return math.nan
    return value / 1000 if value >= MIN_MILLISECONDS else float(value)


def _timestamp(moment: datetime) -> float:
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return math.nan
