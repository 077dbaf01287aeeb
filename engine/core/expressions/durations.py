"""Durations as authors write them: ISO 8601 (``P1DT2H``) or short (``2d 4h``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

_LONGEST = 36_525 * DAY
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9998, 12, 31, tzinfo=UTC)
LAST_INSTANT = (_LAST - _EPOCH).days * DAY
FIRST_INSTANT = (datetime(2, 1, 1, tzinfo=UTC) - _EPOCH).days * DAY

_CALENDAR = r"(?:(?P<years>[0-9]{1,9})Y)?(?:(?P<months>[0-9]{1,9})M)?"
_ISO = re.compile(
    rf"P(?=[0-9T]){_CALENDAR}"
    r"(?:(?P<weeks>[0-9]{1,9})W)?(?:(?P<days>[0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,9})H)?(?:(?P<minutes>[0-9]{1,9})M)?"
    r"(?:(?P<seconds>[0-9]{1,9})(?:\.(?P<fraction>[0-9]{1,6}))?S)?)?"
)
_SHORT = re.compile(
    r"(?:(?P<weeks>[0-9]{1,9})w ?)?(?:(?P<days>[0-9]{1,9})d ?)?(?:(?P<hours>[0-9]{1,9})h ?)?"
    r"(?:(?P<minutes>[0-9]{1,9})m(?!s) ?)?(?:(?P<seconds>[0-9]{1,9})s ?)?"
    r"(?:(?P<thousandths>[0-9]{1,9})ms)?"
)


class DurationError(ValueError):
    """The text isn't a duration. ``message`` says why, ``remedy`` what would be right."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time: ``months`` by the calendar plus ``elapsed`` microseconds.

    Days and weeks are 24 hours and 7 times 24 hours, whatever the clocks do; years and months
    have no fixed length and are counted in the zone's calendar.
    """

    text: str
    months: int = 0
    elapsed: int = 0

    @property
    def fixed(self) -> bool:
        """Whether it is the same length everywhere: no years, no months."""
        return self.months == 0

    @property
    def microseconds(self) -> int:
        """Its exact length. Raises DurationError for years and months, which have none."""
        if self.months:
            raise DurationError(
                f"{self.text!r} has no fixed length here: years and months differ",
                "count in days or weeks, as in P30D",
            )
        return self.elapsed

    def add_to(self, instant: int, zone: ZoneInfo) -> int:
        """The instant this much later (earlier if negative), both microseconds UTC.

        Months keep the local wall clock and day, or take the month's last day (31 January + P1M
        is 28 February). The result never leaves the years 2 to 9998.
        """
        if self.months:
            instant = _add_months(_bounded(instant), self.months, zone)
        return _bounded(instant + self.elapsed)


def _bounded(instant: int) -> int:
    return min(max(instant, FIRST_INSTANT), LAST_INSTANT)


def _add_months(instant: int, months: int, zone: ZoneInfo) -> int:
    local = (_EPOCH + timedelta(microseconds=instant)).astimezone(zone)
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    if not 2 <= year <= 9997:
        return LAST_INSTANT if months > 0 else FIRST_INSTANT
    day = min(local.day, _days_in(year, month + 1))
    moved = local.replace(year=year, month=month + 1, day=day, fold=0)
    return (moved.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def _days_in(year: int, month: int) -> int:
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return (following - timedelta(days=1)).day


@lru_cache(maxsize=4096)
def parse_duration(text: str, *, signed: bool = False) -> Duration:
    """Read ``PT45M``, ``P1DT2H``, ``P2W``, ``P1M``, or ``45m``, ``2d 4h``, ``90s``, ``500ms``.

    With ``signed`` a leading ``-`` or ``+`` is taken (an offset). Raises :class:`DurationError`.
    """
    sign, body = _sign_of(text.strip(), signed)
    match = _ISO.fullmatch(body) or (_SHORT.fullmatch(body) if body else None)
    if match is None:
        raise DurationError(
            f"{text[:40]!r} is not a duration", _with_sign(_remedy(body), sign, text)
        )
    part = {name: int(digits) for name, digits in match.groupdict().items() if digits}
    months = part.get("years", 0) * 12 + part.get("months", 0)
    if "years" not in part and months > 24:
        raise DurationError(
            f"{text[:40]!r} is {months} months", f"PT{months}M is minutes; or write years, too"
        )
    elapsed = (
        part.get("weeks", 0) * WEEK
        + part.get("days", 0) * DAY
        + part.get("hours", 0) * HOUR
        + part.get("minutes", 0) * MINUTE
        + part.get("seconds", 0) * SECOND
        + part.get("thousandths", 0) * 1_000
        + int((match.groupdict().get("fraction") or "").ljust(6, "0"))
    )
    if elapsed > _LONGEST or months > 1_200:
        raise DurationError(f"{text[:40]!r} is longer than 100 years")
    return Duration(text, sign * months, sign * elapsed)


def duration_pattern(*, signed: bool = False, fixed: bool = False) -> str:
    """What :func:`parse_duration` reads as a pattern of JSON Schema (ECMA-262), for editors;
    ``fixed`` leaves years and months out.
    """
    iso = _ISO.pattern.replace(_CALENDAR, "") if fixed else _ISO.pattern
    either = re.sub(r"\(\?P<[a-z]+>", "(?:", f"(?:{iso}|(?=[0-9]){_SHORT.pattern})")
    return rf"^\s*{'[-+]?' if signed else ''}\s*{either}\s*$"


def _with_sign(remedy: str, sign: int, text: str) -> str:
    """``remedy`` for the text of an offset, which may say 'before'."""
    earlier = sign < 0 or re.search(r"\b(?:before|ago|earlier)\b", text.lower())
    return remedy.replace("did you mean ", "did you mean -", 1) if earlier else remedy


def _sign_of(text: str, signed: bool) -> tuple[int, str]:
    if text[:1] not in ("-", "+"):
        return 1, text
    if not signed:
        raise DurationError(f"{text[:40]!r}: a duration has no sign here", text[1:])
    return (-1 if text[0] == "-" else 1), text[1:].lstrip()


_UNITS = {
    **dict.fromkeys(("week", "weeks", "wk", "wks", "w"), "w"),
    **dict.fromkeys(("day", "days", "d"), "d"),
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "h"), "h"),
    **dict.fromkeys(("minute", "minutes", "min", "mins", "m"), "m"),
    **dict.fromkeys(("second", "seconds", "sec", "secs", "s"), "s"),
}
_PART = re.compile(r"([0-9]{1,6}(?:[.,][0-9]{1,3})?) *([A-Za-z]{1,7})(?: |,|and\b|$)*")
_CLOCK = re.compile(r"([0-9]{1,3}):([0-5][0-9])(?::([0-5][0-9]))?")
_PERIODS = {"hour": "PT1H", "day": "P1D", "week": "P7D", "month": "P30D", "year": "P365D"}


def _remedy(body: str) -> str:
    """What may have been meant by a text that isn't a duration."""
    if re.fullmatch(r"[0-9]{1,9}", body):
        return f"with its unit: {body}s, {body}m, {body}h or {body}d"
    iso = body.upper()
    if re.fullmatch(r"P-[0-9].*", iso) and _ISO.fullmatch(iso.replace("-", "", 1)):
        return f"the sign stands first: -{iso.replace('-', '', 1)}"
    tries = (iso, body.lower(), "PT" + iso[1:], "P" + iso[2:], iso + "D", _spelt_out(body))
    for likely in tries:
        if likely and (_ISO.fullmatch(likely) or _SHORT.fullmatch(likely)):
            return f"did you mean {likely}?"
    if body.strip().lower() in _PERIODS:
        return f"did you mean {_PERIODS[body.strip().lower()]}?"
    return "as in PT45M, P1DT2H, P2W, or 45m, 2d 4h, 90s"


def _spelt_out(body: str) -> str:
    """``2 days``, ``1 hour and 30 min``, ``1.5h``, ``1h30`` and ``01:30`` in the short form."""
    text = body.strip().lower()
    if clock := _CLOCK.fullmatch(text):
        return _short(int(clock[1]) * HOUR + int(clock[2]) * MINUTE + int(clock[3] or 0) * SECOND)
    text = re.sub(r"\b(before|after|ago|later|from now)\b", "", text).strip()
    if re.fullmatch(r"[0-9]+h[0-9]+", text):
        text += "m"
    if not text or _PART.sub("", text):
        return ""
    parts = [(number.replace(",", "."), _UNITS.get(unit)) for number, unit in _PART.findall(text)]
    if any(unit is None for _, unit in parts):
        return ""
    length = {"w": WEEK, "d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND}
    written = {unit: number for number, unit in parts if number.isdecimal()}
    if len(written) == len(parts):
        return " ".join(f"{written[unit]}{unit}" for unit in length if unit in written)
    total = sum(round(float(number) * length[unit]) for number, unit in parts if unit)
    return _short(total)


def _short(microseconds: int) -> str:
    """A length as ``2d 4h``."""
    left, found = microseconds, []
    for unit, length in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        number, left = divmod(left, length)
        if number:
            found.append(f"{number}{unit}")
    return " ".join(found)
