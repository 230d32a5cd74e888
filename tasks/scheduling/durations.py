"""Durations and local times as people write them in a file: `30m`, `6h`, `7d`; `2026-03-02 03:00`."""

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

SECONDS_BY_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
MAX_DURATION = timedelta(days=366)


def parse_duration(value: Any) -> timedelta:
    """Parse a duration such as `90s`, `30m`, `6h`, `7d` or `2w`.

    Raises:
        ValueError: The text is not a duration, or is out of range.
    """
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"([0-9]{1,9})\s*([smhdw])", str(value).strip())
    if match is None or isinstance(value, bool):
        raise ValueError("expected a number and a unit: 90s, 30m, 6h, 7d or 2w")
    length = timedelta(seconds=int(match[1]) * SECONDS_BY_UNIT[match[2]])
    if not timedelta(0) < length <= MAX_DURATION:
        raise ValueError(f"expected more than nothing and at most {MAX_DURATION.days} days")
    return length


def format_duration(length: timedelta) -> str:
    """Format a duration in the largest unit that divides it, for example `90s` or `6h`.

    Fractions of a second are dropped.
    """
    seconds = int(length.total_seconds())
    unit = next(
        (
            name
            for name in reversed(SECONDS_BY_UNIT)
            if seconds >= SECONDS_BY_UNIT[name] and seconds % SECONDS_BY_UNIT[name] == 0
        ),
        "s",
    )
    return f"{seconds // SECONDS_BY_UNIT[unit]}{unit}"


def parse_local_time(value: Any) -> datetime:
    """Parse a local time without a time zone.

    Raises:
        ValueError: The value is not a time, or has a time zone.
    """
    if zone := getattr(value, "_yaml", {}).get("tz"):
        raise ValueError(f"it is by the clock of `timezone`, so it takes no zone of its own; leave {zone} out")
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    if isinstance(value, datetime):
        value = value.isoformat()
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("expected a day and a time, as in 2026-03-02 03:00") from None
    if moment.tzinfo is not None:
        raise ValueError("it is by the clock of `timezone`, so it takes no zone of its own; leave that out")
    return moment


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "description": "a number and a unit, as in 30m"}),
]
LocalTime = Annotated[
    datetime, BeforeValidator(parse_local_time), WithJsonSchema({"type": "string", "description": "2026-03-02 03:00"})
]
