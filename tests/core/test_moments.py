"""Times that somebody else wrote are those of a calendar, or refused in words."""

from datetime import UTC, datetime

import pytest

from tasks.core.utc import to_utc


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-01T00:00:00"])
def test_a_time_that_utc_has_none_of_is_refused(time: str) -> None:
    with pytest.raises(ValueError, match=r"needs its zone|in the years 1 to 9999"):
        to_utc(datetime.fromisoformat(time))


@pytest.mark.parametrize("time", ["0001-01-01T14:00:00+14:00", "9999-12-31T09:59:59-14:00"])
def test_the_first_and_the_last_are_times(time: str) -> None:
    assert to_utc(datetime.fromisoformat(time)).tzinfo is UTC
