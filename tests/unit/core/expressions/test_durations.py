"""Durations: what authors write, and what it adds."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from engine.core.expressions.calendar import from_instant, parse_iso
from engine.core.expressions.durations import (
    DAY,
    HOUR,
    LAST_INSTANT,
    MINUTE,
    SECOND,
    WEEK,
    DurationError,
    parse_duration,
)

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P2D", 2 * DAY),
        ("PT45M", 45 * MINUTE),
        ("P1W", WEEK),
        ("P1DT2H", DAY + 2 * HOUR),
        ("PT1H30M5S", HOUR + 30 * MINUTE + 5 * SECOND),
        ("PT0.25S", SECOND // 4),
        ("PT0S", 0),
        ("P365D", 365 * DAY),
        ("45m", 45 * MINUTE),
        ("2d 4h", 2 * DAY + 4 * HOUR),
        ("2d4h", 2 * DAY + 4 * HOUR),
        ("1w 1d 1h 1m 1s 1ms", WEEK + DAY + HOUR + MINUTE + SECOND + 1_000),
        ("90s", 90 * SECOND),
        ("500ms", SECOND // 2),
        (" 10s ", 10 * SECOND),
    ],
)
def test_a_duration_is_exact(text: str, expected: int) -> None:
    assert parse_duration(text).microseconds == expected


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("", "PT45M"),
        ("45", "45m"),
        ("P", "PT45M"),
        ("PT", ""),
        ("P1DT", ""),
        ("pt45m", "PT45M"),
        ("45M", "45m"),
        ("2 days", "2d"),
        ("1m 1h", ""),
        ("1.5h", ""),
        ("P1.5D", ""),
        ("-P1D", "P1D"),
        ("P45M", "PT45M"),
        ("P101Y", ""),
        ("P40000D", ""),
        ("9" * 50 + "d", ""),
        ("P1D2H", ""),
        ("soon", ""),
        ("٤d", ""),
    ],
)
def test_what_is_no_duration_says_what_would_be(text: str, remedy: str) -> None:
    with pytest.raises(DurationError) as caught:
        parse_duration(text)
    assert remedy in caught.value.remedy


def test_a_sign_stands_only_where_it_may() -> None:
    assert parse_duration("-P1D", signed=True).microseconds == -DAY
    assert parse_duration("+2h", signed=True).microseconds == 2 * HOUR
    assert parse_duration("- 2h", signed=True).microseconds == -2 * HOUR


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("P1D", "2026-03-28T12:00:00", "2026-03-29T13:00:00+02:00"),  # 24 hours, not a wall day
        ("P1M", "2026-01-31T09:00:00", "2026-02-28T09:00:00+01:00"),
        ("P1M", "2026-02-28T09:00:00", "2026-03-28T09:00:00+01:00"),
        ("P1M", "2026-03-15T09:00:00", "2026-04-15T09:00:00+02:00"),
        ("P1Y", "2024-02-29T09:00:00", "2025-02-28T09:00:00+01:00"),
        ("P1Y2M", "2026-11-30T09:00:00", "2028-01-30T09:00:00+01:00"),
        ("P1MT1H", "2026-01-01T00:00:00", "2026-02-01T01:00:00+01:00"),
        ("P1M", "2026-02-28T02:30:00", "2026-03-28T02:30:00+01:00"),
        ("P1M", "2026-02-28T23:30:00", "2026-03-28T23:30:00+01:00"),
        ("-P1M", "2026-03-31T09:00:00", "2026-02-28T09:00:00+01:00"),
        ("-P1Y", "2026-01-01T09:00:00", "2025-01-01T09:00:00+01:00"),
    ],
)
def test_a_duration_is_added(text: str, start: str, expected: str) -> None:
    instant = parse_iso(start, BERLIN)
    assert instant is not None
    later = parse_duration(text, signed=True).add_to(instant, BERLIN)
    assert from_instant(later, BERLIN).isoformat() == expected


def test_months_have_no_fixed_length() -> None:
    month = parse_duration("P1M")
    assert not month.fixed
    with pytest.raises(DurationError, match="no fixed length"):
        _ = month.microseconds


def test_adding_never_leaves_the_calendar() -> None:
    century = parse_duration("P100Y")
    assert century.add_to(LAST_INSTANT - DAY, BERLIN) == LAST_INSTANT
    assert parse_duration("P36500D").add_to(LAST_INSTANT, BERLIN) == LAST_INSTANT
    assert century.add_to(2**63, BERLIN) == LAST_INSTANT
