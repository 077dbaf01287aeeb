from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from engine.cli.show.moments import date_and_time, since
from engine.core.expressions.calendar import DAY, HOUR, MINUTE, SECOND, iso


@pytest.mark.parametrize(
    ("span", "shown"),
    [
        (0, "+0s"),
        (59 * SECOND + 999_999, "+59s"),
        (MINUTE, "+1m"),
        (45 * MINUTE + 3 * SECOND, "+45m 3s"),
        (HOUR, "+1h"),
        (23 * HOUR + 59 * MINUTE, "+23h 59m"),
        (DAY, "+1d 0h"),
        (40 * DAY + 5 * HOUR + MINUTE, "+40d 5h"),
    ],
)
def test_a_span_has_its_two_largest_units(span: int, shown: str) -> None:
    assert since(span) == shown


def test_an_instant_in_words_and_in_iso_8601() -> None:
    instant = 1_795_330_800_123_456
    assert date_and_time(instant, ZoneInfo("Asia/Tokyo")) == "Sun 22 Nov 2026 16:00 Asia/Tokyo"
    assert iso(instant) == "2026-11-22T07:00:00.123456Z"
    assert iso(-(10**18)).startswith("0")
