"""When schedules are due: by the clock on the wall, over daylight saving, in both hemispheres."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest

from tasks.scheduling import durations, times
from tasks.scheduling.deployments_file import Schedule

BERLIN, SANTIAGO, LORD_HOWE = (
    times.get_time_zone(name) for name in ("Europe/Berlin", "America/Santiago", "Australia/Lord_Howe")
)


def dues(cron: str, zone: str, after: str, count: int) -> list[str]:
    tz = times.get_time_zone(zone)
    begin = datetime.fromisoformat(after).replace(tzinfo=tz)
    return [
        f"{moment.astimezone(tz):%m-%d %H:%M%z}" for moment in islice(times.cron_times_after(cron, tz, begin), count)
    ]


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", ["03-29 03:00+0200", "03-30 02:30+0200"]),
        ("*/30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", ["03-29 03:00+0200", "03-30 02:00+0200"]),
        ("0 */2 * * *", "Europe/Berlin", "2026-03-28 23:30",
         ["03-29 00:00+0100", "03-29 03:00+0200", "03-29 04:00+0200"]),
        ("0 * * * *", "Europe/Berlin", "2026-03-29 00:30", ["03-29 01:00+0100", "03-29 03:00+0200"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00", ["10-25 02:30+0200", "10-26 02:30+0100"]),
        ("*/30 2 * * *", "Europe/Berlin", "2026-10-25 01:00",
         ["10-25 02:00+0200", "10-25 02:30+0200", "10-26 02:00+0100"]),
        ("0 * * * *", "Europe/Berlin", "2026-10-25 01:30",
         ["10-25 02:00+0200", "10-25 02:00+0100", "10-25 03:00+0100"]),
        ("30 0 * * *", "America/Santiago", "2026-09-05 12:00", ["09-06 01:00-0300", "09-07 00:30-0300"]),
        ("30 23 * * *", "America/Santiago", "2026-04-04 12:00", ["04-04 23:30-0300", "04-05 23:30-0400"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", ["10-04 02:30+1100", "10-05 02:15+1100"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00", ["04-05 01:45+1100", "04-06 01:45+1030"]),
    ],
)  # fmt: skip
def test_no_hour_is_lost_and_none_counts_twice(cron: str, zone: str, after: str, expected: list[str]) -> None:
    assert dues(cron, zone, after, len(expected)) == expected


@pytest.mark.parametrize("tz", [BERLIN, SANTIAGO, LORD_HOWE], ids=str)
@pytest.mark.parametrize("cron", ["30 2 * * *", "15 1 * * *", "0 0 * * *", "59 23 * * *"])
def test_a_daily_schedule_is_due_once_a_day_all_year(cron: str, tz: object) -> None:
    begin = datetime(2026, 1, 1, tzinfo=tz) - timedelta(seconds=1)
    found = times.first_times(
        times.cron_times_after(cron, tz, begin), datetime(2026, 12, 31, 23, 59, 59, tzinfo=tz), 1000
    )
    days = Counter(moment.astimezone(tz).date() for moment in found)
    assert set(days.values()) == {1} and len(days) == 365
    assert all(earlier < later for earlier, later in pairwise(found))


def test_it_does_not_matter_from_where_one_looks() -> None:
    """Every start finds the same times after it: a runner that starts anew loses none."""
    begin, cron = datetime(2026, 10, 24, 22, tzinfo=UTC), "*/20 1-3 * * *"
    whole = times.first_times(times.cron_times_after(cron, BERLIN, begin), begin + timedelta(hours=9), 100)
    for minutes in range(0, 540, 7):
        start = begin + timedelta(minutes=minutes)
        assert times.first_times(times.cron_times_after(cron, BERLIN, start), begin + timedelta(hours=9), 100) == [
            moment for moment in whole if moment > start
        ]


def test_an_interval_counts_time_as_it_passes() -> None:
    daily = Schedule(every="1d", anchor="2026-03-27 03:00", timezone="Europe/Berlin")
    assert daily.in_words == "every 1d"
    found = [
        daily.format_local_time(moment)
        for moment in islice(daily.due_times_after(datetime(2026, 3, 27, tzinfo=UTC)), 3)
    ]
    assert found == ["2026-03-27 03:00", "2026-03-28 03:00", "2026-03-29 04:00"]
    assert daily.last_due_time(datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 29, 2, tzinfo=UTC)) == datetime(
        2026, 3, 29, 2, tzinfo=UTC
    )
    assert daily.last_due_time(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)) is None, (
        "not before it"
    )


def test_the_last_time_is_found_however_long_ago_it_was() -> None:
    yearly = Schedule(cron="0 3 29 2 *", timezone="Europe/Berlin")
    assert yearly.last_due_time(datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)) == datetime(
        2024, 2, 29, 2, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
        ("61 * * * *", "it is no cron expression: Bad minute"),
        ("0 0 * 13 *", "it is no cron expression: Bad month"),
        ("0 0 0 * *", "it is no cron expression: Bad day-of-month"),
        ("* * *", "expected the five fields of cron"),
        ("0 3 * * * *", "expected the five fields of cron"),
        ("@daily", "expected the five fields of cron"),
        ("0 0 * * 🙂", "it is no cron expression"),
    ],
)
def test_what_is_no_cron_or_never_comes_is_refused(cron: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        times.require_cron(cron)


@pytest.mark.parametrize("name", ["Europe/Berln", "../../etc/passwd", "", "/etc/localtime", "CET+1"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="there is no time zone"):
        times.get_time_zone(name)


@pytest.mark.parametrize("name", ["localtime", "Factory"])
def test_a_zone_that_is_another_one_on_another_machine_is_refused(name: str) -> None:
    """Every such zone of the database is refused, since each machine reads the file in force."""
    with pytest.raises(ValueError, match=f"{name}' is another time on another machine; name the zone"):
        Schedule.model_validate({"cron": "0 3 * * *", "timezone": name})


@pytest.mark.parametrize("given", ["0m", "-3h", "3 parsecs", "", True, None, 5, "99999999w", "1.5h"])
def test_a_length_of_time_has_a_number_and_a_unit(given: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        durations.parse_duration(given)
    assert (
        durations.format_duration(durations.parse_duration("36h")) == "36h"
        and durations.format_duration(durations.parse_duration("14d")) == "2w"
    )


@pytest.mark.parametrize("given", ["2026-03-02T03:00Z", "soon", 3])
def test_an_anchor_is_by_the_clock_of_its_zone(given: object) -> None:
    with pytest.raises(ValueError, match=r"takes no zone|expected a day"):
        durations.parse_local_time(given)
