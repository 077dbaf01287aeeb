"""Wall clocks over both changes of the year, in zones that do it differently."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.expressions.calendar import (
    FIRST_INSTANT,
    HOUR,
    LAST_INSTANT,
    at_wall,
    calendar_days,
    find_zone,
    from_instant,
    next_wall_time,
    parse_iso,
    parse_wall_time,
    to_instant,
)

BERLIN = ZoneInfo("Europe/Berlin")
NINE = time(9, 0)

ZONES_AND_CHANGES = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Santiago", "2026-04-05"),
    ("America/Santiago", "2026-09-06"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Africa/Casablanca", "2026-03-22"),
    ("Pacific/Apia", "2011-09-24"),
    ("Pacific/Apia", "2012-04-01"),
    ("Asia/Kathmandu", "2026-03-29"),
    ("Asia/Kathmandu", "2026-10-25"),
]


def instant(text: str, zone: ZoneInfo = BERLIN) -> int:
    found = parse_iso(text, zone)
    assert found is not None
    return found


@pytest.mark.parametrize(("name", "change"), ZONES_AND_CHANGES)
def test_until_nine_is_nine_on_the_days_around_a_change(name: str, change: str) -> None:
    zone = ZoneInfo(name)
    start = date.fromisoformat(change) - timedelta(days=3)
    after = at_wall(start, time(22, 30), zone)
    for day in range(1, 7):
        after = next_wall_time(after, zone, NINE)
        local = from_instant(after, zone)
        assert (local.date(), local.time()) == (start + timedelta(days=day), NINE)


@pytest.mark.parametrize(("name", "change"), ZONES_AND_CHANGES)
def test_every_hour_of_the_day_comes_once_a_day(name: str, change: str) -> None:
    zone = ZoneInfo(name)
    first = date.fromisoformat(change) - timedelta(days=1)
    for minutes in range(0, 24 * 60, 30):
        at = time(minutes // 60, minutes % 60)
        here = at_wall(first, at, zone)
        following = [here := next_wall_time(here, zone, at) for _ in range(3)]
        assert [from_instant(one, zone).date() for one in following] == [
            first + timedelta(days=days) for days in (1, 2, 3)
        ]
        for one in following:
            shown = from_instant(one, zone).time()
            assert shown == at or change == str(from_instant(one, zone).date())
            assert shown >= at


def test_a_time_in_a_spring_gap_is_taken_later() -> None:
    after = instant("2026-03-28T12:00:00")
    woken = from_instant(next_wall_time(after, BERLIN, time(2, 30)), BERLIN)
    assert woken.isoformat() == "2026-03-29T03:30:00+02:00"
    howe = ZoneInfo("Australia/Lord_Howe")  # half an hour
    woken = from_instant(at_wall(date(2026, 10, 4), time(2, 15), howe), howe)
    assert woken.isoformat() == "2026-10-04T02:45:00+11:00"
    santiago = ZoneInfo("America/Santiago")  # at midnight
    woken = from_instant(at_wall(date(2026, 9, 6), time(0, 30), santiago), santiago)
    assert woken.isoformat() == "2026-09-06T01:30:00-03:00"


def test_a_time_in_an_autumn_fold_is_taken_the_first_time_and_once() -> None:
    after = instant("2026-10-24T12:00:00")
    first = next_wall_time(after, BERLIN, time(2, 30))
    assert from_instant(first, BERLIN).isoformat() == "2026-10-25T02:30:00+02:00"
    between = first + HOUR // 2
    again = next_wall_time(between, BERLIN, time(2, 30))
    assert from_instant(again, BERLIN).isoformat() == "2026-10-26T02:30:00+01:00"


def test_a_day_the_zone_skipped_is_passed_over() -> None:
    apia = ZoneInfo("Pacific/Apia")  # had no 30 December 2011, a Friday
    after = instant("2011-12-29T12:00:00", apia)
    assert from_instant(next_wall_time(after, apia, NINE), apia).date() == date(2011, 12, 31)
    friday = next_wall_time(after, apia, NINE, {4})
    assert from_instant(friday, apia).date() == date(2012, 1, 6)
    tomorrow = next_wall_time(after, apia, NINE, days=1)
    assert from_instant(tomorrow, apia).date() == date(2011, 12, 31)


def test_the_next_wall_time_is_strictly_later() -> None:
    nine = instant("2026-06-01T09:00:00")
    assert next_wall_time(nine - 1, BERLIN, NINE) == nine
    assert next_wall_time(nine, BERLIN, NINE) == nine + 24 * HOUR


@pytest.mark.parametrize(
    ("weekdays", "days", "expected"),
    [
        (None, 0, "2026-06-05"),  # a Friday
        (set(), 0, "2026-06-05"),
        ({0}, 0, "2026-06-08"),
        ({4}, 0, "2026-06-05"),
        ({3}, 0, "2026-06-11"),
        (None, 1, "2026-06-06"),
        (None, 10, "2026-06-15"),
        ({0, 1}, 1, "2026-06-08"),
        ({0}, 4, "2026-06-15"),
        (None, -5, "2026-06-05"),
    ],
)
def test_weekdays_and_days_pick_the_day(
    weekdays: set[int] | None, days: int, expected: str
) -> None:
    after = instant("2026-06-05T08:00:00")
    woken = next_wall_time(after, BERLIN, NINE, weekdays, days)
    assert from_instant(woken, BERLIN).isoformat() == f"{expected}T09:00:00+02:00"


def test_a_weekday_that_has_passed_today_is_next_week() -> None:
    after = instant("2026-06-05T10:00:00")
    woken = next_wall_time(after, BERLIN, NINE, {4})
    assert from_instant(woken, BERLIN).date() == date(2026, 6, 12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-28", "2026-03-27T23:00:00+00:00"),
        ("2026-03-28T12:00", "2026-03-28T11:00:00+00:00"),
        ("2026-03-28 12:00:01", "2026-03-28T11:00:01+00:00"),
        ("2026-03-28T12:00:00.5", "2026-03-28T11:00:00.500000+00:00"),
        ("2026-03-28T12:00:00,123456789Z", "2026-03-28T12:00:00.123456+00:00"),
        ("2026-03-28t12:00:00z", "2026-03-28T12:00:00+00:00"),
        ("2026-03-28T12:00:00+05:45", "2026-03-28T06:15:00+00:00"),
        ("2026-03-28T12:00:00-0330", "2026-03-28T15:30:00+00:00"),
        ("2026-03-28T12:00:00+02", "2026-03-28T10:00:00+00:00"),
        ("  2026-03-28T12:00:00 +02:00 ", "2026-03-28T10:00:00+00:00"),
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00+00:00"),
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00+00:00"),
        ("1800-01-01T00:00:00Z", "1800-01-01T00:00:00+00:00"),
    ],
)
def test_iso_dates_are_read(text: str, expected: str) -> None:
    assert from_instant(instant(text), ZoneInfo("UTC")).isoformat() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "2026",
        "2026-03",
        "20260328",
        "2026-3-8",
        "2026-02-30",
        "2026-03-28T25:00:00",
        "2026-03-28T12",
        "2026-03-28T12:00:00+25:00",
        "2026-03-28T12:00:00+02:60",
        "0000-01-01",
        "0001-01-01",
        "٢٠٢٦-٠٣-٢٨",
        "2026-W12-1",
        "2026-03-28\x00",
        "1" * 100_000,
    ],
)
def test_what_is_no_iso_date_is_none(text: str) -> None:
    assert parse_iso(text, BERLIN) is None


@pytest.mark.parametrize("rest", ["-12-31", "-12-31T23:59:59Z", "-12-31T23:59:59-12:00"])
def test_the_year_in_which_never_is_written_is_the_last_one(rest: str) -> None:
    assert parse_iso(f"9999{rest}", BERLIN) == parse_iso(f"9998{rest}", BERLIN) is not None


def test_instants_are_exact_at_every_microsecond() -> None:
    for moment in (0, 1, -1, 1_774_700_999_999_999, -62_000_000_000_000_001):
        assert to_instant(from_instant(moment, BERLIN)) == moment
    assert to_instant(datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)) == 1_767_225_600_000_001


def test_an_instant_beyond_the_calendar_stays_at_its_edge() -> None:
    assert to_instant(from_instant(2**63, BERLIN)) == LAST_INSTANT
    assert to_instant(from_instant(-(2**63), BERLIN)) == FIRST_INSTANT
    assert next_wall_time(2**62, BERLIN, NINE) == LAST_INSTANT


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "Etc/GMT+5", "America/Indiana/Knox"])
def test_a_zone_is_found(name: str) -> None:
    assert find_zone(name) == ZoneInfo(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Europe",
        "Europe/",
        "Europe/Nowhere",
        "/etc/passwd",
        "../../etc/passwd",
        "Europe/../UTC",
        "posix/UTC",
        "right/UTC",
        "localtime",
        "Factory",
        "Europe/Berlin\x00",
        "Europe\\Berlin",
        "tzdata.zi",
        "UTC ",
        "\ud800",
        "x" * 10_000,
    ],
)
def test_an_odd_zone_is_none_and_never_an_error(name: str) -> None:
    assert find_zone(name) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("09:00", time(9)),
        ("23:59", time(23, 59)),
        ("06:07:08", time(6, 7, 8)),
        ("9:00", None),
        ("24:00", None),
        ("12:60", None),
        ("noon", None),
    ],
)
def test_a_wall_time_is_read(text: str, expected: time | None) -> None:
    assert parse_wall_time(text) == expected


def test_calendar_days_count_midnights_not_hours() -> None:
    late, early = instant("2026-03-28T23:59:00"), instant("2026-03-29T00:01:00")
    assert calendar_days(late, early, BERLIN) == 1
    assert calendar_days(early, late, BERLIN) == -1
    assert calendar_days(late, instant("2026-03-30T00:00:00"), BERLIN) == 2


@given(
    parts=st.tuples(
        *(st.integers(low, high) for low, high in ((1, 9999), (0, 13), (0, 32))),
        *(st.integers(0, most) for most in (25, 61, 61)),
    ),
    fraction=st.sampled_from(["", ".000", ".123", ".123456"]),
    zulu=st.booleans(),
    name=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_a_time_is_the_same_however_it_is_written(
    parts: tuple[int, ...], fraction: str, zulu: bool, name: str
) -> None:
    year, month, day, hour, minute, second = parts
    clock = f"{hour:02}:{minute:02}:{second:02}{fraction}"
    usual = f"{year:04}-{month:02}-{day:02}T{clock}{'Z' if zulu else ''}"
    odd = f"{year:04}-{month:02}-{day:02}t{clock}{'+00:00' if zulu else ''}"
    assert parse_iso(usual, ZoneInfo(name)) == parse_iso(odd, ZoneInfo(name))
