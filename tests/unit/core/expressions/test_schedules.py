"""Schedules over both changes of the year, and those that are none."""

from __future__ import annotations

from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from engine.core.expressions.calendar import HOUR, LAST_INSTANT, from_instant, parse_iso
from engine.core.expressions.schedules import Fires, schedule_problem

BERLIN = ZoneInfo("Europe/Berlin")


def fires(fields: str, start: str, most: int = 3, zone: ZoneInfo = BERLIN) -> list[str]:
    at = parse_iso(start, zone)
    assert at is not None
    known = Fires(fields, zone, at)

    def each() -> list[int]:
        found: list[int] = []
        now = at
        while len(found) < most and (fire := known.first_from(now)) is not None:
            found.append(fire)
            now = fire + 1
        return found

    return [from_instant(one, zone).isoformat(timespec="minutes") for one in each()]


@pytest.mark.parametrize(
    ("fields", "start", "expected"),
    [
        ("0 9 * * mon", "2026-11-22", ["2026-11-23T09:00+01:00", "2026-11-30T09:00+01:00"]),
        # The moment of the beginning is one of them, the one before isn't.
        ("0 9 * * *", "2026-11-22T09:00", ["2026-11-22T09:00+01:00", "2026-11-23T09:00+01:00"]),
        (
            "0 9 * * *",
            "2026-11-22T09:00:00.000001",
            ["2026-11-23T09:00+01:00", "2026-11-24T09:00+01:00"],
        ),
        ("0 9 L * *", "2026-02-01", ["2026-02-28T09:00+01:00", "2026-03-31T09:00+02:00"]),
        # Spring: 02:30 doesn't come, the gap's end does; two times in one gap are one.
        ("30 2 * * *", "2026-03-29", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        ("0,30 2 * * *", "2026-03-29", ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
        # Autumn: what comes twice is taken the first time, unless hours are counted.
        ("30 2 * * *", "2026-10-25", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        ("30 * * * *", "2026-10-25T02:00", ["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"]),
    ],
)
def test_a_schedule_fires_as_debians_cron_does(
    fields: str, start: str, expected: list[str]
) -> None:
    assert fires(fields, start, 2) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("0 9 * * *", ["2011-12-29T09:00-10:00", "2011-12-31T09:00+14:00"]),
        ("0 0 * * *", ["2011-12-29T00:00-10:00", "2011-12-31T00:00+14:00"]),
        ("0 0 * * fri", ["2012-01-06T00:00+14:00", "2012-01-13T00:00+14:00"]),
        ("0 0 30 12 *", ["2012-12-30T00:00+14:00", "2013-12-30T00:00+14:00"]),
    ],
)
def test_a_day_that_never_was_has_no_fire(fields: str, expected: list[str]) -> None:
    assert fires(fields, "2011-12-29", 2, ZoneInfo("Pacific/Apia")) == expected


def test_a_beginning_in_the_second_of_two_equal_hours_doesnt_fire_for_the_first() -> None:
    start = parse_iso("2026-10-25T02:15:00+01:00", BERLIN)
    assert start is not None
    first = Fires("30 2 * * *", BERLIN, start).first_from(start)
    assert first is not None
    assert from_instant(first, BERLIN).isoformat() == "2026-10-26T02:30:00+01:00"


def test_users_may_ask_in_whatever_order() -> None:
    start = parse_iso("2026-11-22", BERLIN)
    assert start is not None
    known = Fires("0 * * * *", BERLIN, start)
    late, early = start + 100 * HOUR, start + HOUR + 1
    assert known.first_from(late) == late
    assert known.first_from(early) == start + 2 * HOUR


def test_at_the_end_of_the_calendar_there_is_none_any_more() -> None:
    known = Fires("0 0 1 1 *", ZoneInfo("UTC"), LAST_INSTANT - HOUR)
    assert known.first_from(LAST_INSTANT) is None


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("99 9 * * *", "bad minute"),
        ("0 9 ? * *", "bad day-of-month"),
        ("0 9 30 2 *", "bad day-of-month"),
        ("0 9 * * mo", "bad day-of-week"),
        ("*/0 * * * *", "bad minute"),
    ],
)
def test_what_is_no_schedule_says_which_field_is_wrong(fields: str, problem: str) -> None:
    assert schedule_problem(fields) == problem


def test_what_is_one_is_one() -> None:
    good = ("0 9 * * mon", "*/5 * * * *", "0 0 L * *", "0 0 * * 5L", "0 0 29 2 *", "0 0 * 2 mon#5")
    assert [one for one in islice(map(schedule_problem, good), None) if one] == []
