"""Instants, zones, dates and wall clocks, in exact integers.

An instant is microseconds since 1970-01-01 UTC (POSIX: no leap seconds). A local time that a
spring change skips is taken later by the gap (02:30 becomes 03:30), one that an autumn change
repeats is taken the first time: what PEP 495 calls ``fold=0``. Durations live in ``durations``.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from engine.core.expressions.durations import (
    DAY,
    FIRST_INSTANT,
    HOUR,
    LAST_INSTANT,
    MINUTE,
    SECOND,
    WEEK,
    Duration,
    DurationError,
    parse_duration,
)

__all__ = [
    "DAY",
    "FIRST_INSTANT",
    "HOUR",
    "LAST_INSTANT",
    "MINUTE",
    "SECOND",
    "WEEK",
    "Duration",
    "DurationError",
    "at_wall",
    "calendar_days",
    "find_zone",
    "from_instant",
    "iso",
    "moved_by",
    "next_wall_time",
    "parse_duration",
    "parse_iso",
    "parse_wall_time",
    "to_instant",
    "utc",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_DAY = timedelta(days=1)

_ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_NOT_ZONES = frozenset({"posix", "right", "localtime", "posixrules", "Factory"})

_WALL_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r" ?(?:([Zz])|([+-])([0-9]{2})(?::?([0-9]{2})(?::([0-9]{2}))?)?)?)?"
)

_USUAL = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}"
    r"(?:\.[0-9]{3}|\.[0-9]{6})?Z?"
)
"""How programs write it."""


def to_instant(moment: datetime) -> int:
    """Microseconds since the epoch of an aware ``moment``, exactly."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def utc(instant: int) -> datetime:
    """The aware datetime in UTC, years 2 to 9998, others moved to the edge."""
    if not FIRST_INSTANT <= instant <= LAST_INSTANT:
        instant = min(max(instant, FIRST_INSTANT), LAST_INSTANT)
    return _EPOCH + timedelta(microseconds=instant)


def from_instant(instant: int, zone: ZoneInfo) -> datetime:
    """The aware datetime in ``zone``; years 2 to 9998, others moved to the edge."""
    return utc(instant).astimezone(zone)


@lru_cache(maxsize=2048)
def find_zone(name: str) -> ZoneInfo | None:
    """The IANA zone of that name, or None: for an unknown or odd name, never an exception."""
    if len(name) > 64 or _ZONE_NAME.fullmatch(name) is None:
        return None
    if name.split("/", 1)[0] in _NOT_ZONES:
        return None
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None


def iso(instant: int) -> str:
    """ISO 8601 in UTC, to the microsecond: ``2026-11-22T09:00:00.000000Z``."""
    return f"{utc(instant):%Y-%m-%dT%H:%M:%S.%f}Z".rjust(27, "0")


def parse_iso(text: str, zone: ZoneInfo) -> int | None:
    """The instant of an ISO 8601 date or date and time, or None if ``text`` isn't one.

    Without an offset it is local in ``zone``; a date alone is its midnight. Years 2 to 9998, and
    9999, by which many say "never", is read as 9998; the seventh and later digits of a second are
    dropped.
    """
    if _USUAL.fullmatch(text) is not None and "0002" <= text[:4] <= "9998":
        return _usual_instant(text, zone)
    match = _ISO.fullmatch(text.strip()) if len(text) <= 64 else None
    if match is None or match[1] < "0002":
        return None
    year, month, day, hour, minute, second, digits, zulu, sign, *offset = match.groups()
    fraction = int(digits[:6].ljust(6, "0")) if digits else 0
    clock = (int(hour or 0), int(minute or 0), int(second or 0), fraction)
    try:
        local = datetime(
            min(int(year), 9998), int(month), int(day), *clock, tzinfo=UTC if zulu or sign else zone
        )
    except ValueError:
        return None
    if not sign:
        return to_instant(local)
    hours, minutes, seconds = (int(part or 0) for part in offset)
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    ahead = hours * HOUR + minutes * MINUTE + seconds * SECOND
    return to_instant(local) - (ahead if sign == "+" else -ahead)


def _usual_instant(text: str, zone: ZoneInfo) -> int | None:
    """A fifth of the time that it takes part by part."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return to_instant(moment if moment.tzinfo is not None else moment.replace(tzinfo=zone))


def parse_wall_time(text: str) -> time | None:
    """The time of day of ``HH:MM`` or ``HH:MM:SS``, or None."""
    match = _WALL_TIME.fullmatch(text)
    return time(int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def at_wall(day: date, at: time, zone: ZoneInfo) -> int:
    """The instant when clocks in ``zone`` show ``at`` on ``day``, of the years 2 to 9998.

    Later by the gap in a spring gap, the first time in an autumn fold.
    """
    return to_instant(datetime.combine(day, at.replace(fold=0), zone))


def next_wall_time(
    after: int,
    zone: ZoneInfo,
    at: time,
    weekdays: AbstractSet[int] | None = None,
    days: int = 0,
) -> int:
    """The first instant after ``after`` when clocks in ``zone`` show ``at``.

    Strictly after, so a loop that waits until 09:00 goes round once a day. ``days`` counts calendar
    days from the local day of ``after``: with 2 it is the day after tomorrow or, if ``weekdays``
    (0 Monday … 6 Sunday, as :meth:`date.weekday`; None or empty for all) don't allow that one, the
    next that they do. A day that the zone skipped whole counts as a day and is passed over.
    """
    return _next_wall_time(after, zone, at, frozenset(weekdays) if weekdays else None, days)


@lru_cache(maxsize=4096)  # users are taken in sets, at one moment, and live in few zones
def _next_wall_time(
    after: int, zone: ZoneInfo, at: time, weekdays: frozenset[int] | None, days: int
) -> int:
    day = from_instant(after, zone).date() + timedelta(days=max(0, min(days, 36_525)))
    for _ in range(16):
        if day.year > 9997:
            break
        if not weekdays or day.weekday() in weekdays:
            instant = at_wall(day, at, zone)
            local = from_instant(instant, zone)
            skipped = local.date() != day and local.time() == at
            if instant > after and not skipped:
                return instant
        day += _ONE_DAY
    return LAST_INSTANT


def calendar_days(earlier: int, later: int, zone: ZoneInfo) -> int:
    """How many midnights in ``zone`` lie from ``earlier`` to ``later``; negative the other way."""
    return (from_instant(later, zone).date() - from_instant(earlier, zone).date()).days


def moved_by(offset: Duration, instant: int, zone: ZoneInfo) -> int:
    """``instant`` moved by ``offset``; months and whole days keep the clock time in ``zone``."""
    instant = Duration(offset.text, offset.months).add_to(instant, zone)
    sign = -1 if offset.elapsed < 0 else 1
    days, rest = divmod(abs(offset.elapsed), DAY)
    if days:
        local = from_instant(instant, zone) + timedelta(days=sign * days)
        instant = at_wall(local.date(), local.time(), zone)
    return instant + sign * rest
