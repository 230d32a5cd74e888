"""Times that somebody else wrote: at the edge of the calendar some have no spelling in UTC."""

from datetime import UTC, datetime


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError for one without a zone, or that lies outside of the years 1 to 9999."""
    if moment.utcoffset() is None:
        raise ValueError("a time needs its zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"expected a time in the years 1 to 9999 of UTC, got {moment.isoformat()}") from None
