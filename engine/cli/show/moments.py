"""Instants and spans in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.expressions.calendar import DAY, HOUR, MINUTE, SECOND, from_instant

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def since(span: int) -> str:
    """``+45m``, ``+1d 3h``: microseconds as the two largest units that matter."""
    seconds = span // SECOND
    if seconds < 60:
        return f"+{seconds}s"
    if seconds < 3_600:
        minutes, rest = divmod(span, MINUTE)
        return f"+{minutes}m" + (f" {rest // SECOND}s" if rest >= SECOND else "")
    if seconds < 86_400:
        hours, rest = divmod(span, HOUR)
        return f"+{hours}h" + (f" {rest // MINUTE}m" if rest >= MINUTE else "")
    days, rest = divmod(span, DAY)
    return f"+{days}d {rest // HOUR}h"


def date_and_time(instant: int, zone: ZoneInfo) -> str:
    """``Sun 22 Nov 2026 09:00 Europe/Istanbul``, the same whatever the machine's language."""
    local = from_instant(instant, zone)
    day, month = _DAYS[local.weekday()], _MONTHS[local.month - 1]
    return f"{day} {local.day} {month} {local.year} {local:%H:%M} {zone.key}"
