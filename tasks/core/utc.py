"""Conversion of times in documents to UTC. Times outside the years 1 to 9999 are refused."""

from datetime import UTC, datetime


def to_utc(moment: datetime) -> datetime:
    """Convert a time to UTC.

    Raises:
        ValueError: The time has no time zone, or is outside the years 1 to 9999 in UTC.
    """
    if moment.utcoffset() is None:
        raise ValueError("a time needs its zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"expected a time in the years 1 to 9999 of UTC, got {moment.isoformat()}") from None
