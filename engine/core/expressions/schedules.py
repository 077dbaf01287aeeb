"""Schedules of five cron fields, as cronsim reads them, on the clock of a zone.

That is Debian's cron: where minute and hour are both named, a time that a spring change skips fires
right after the gap, and one that an autumn change repeats fires the first time; where one of them
begins with ``*``, hours are counted as they pass. A day that the zone skipped whole has no fire.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from engine.core.expressions.calendar import LAST_INSTANT, from_instant, to_instant, utc


def schedule_problem(fields: str) -> str | None:
    """Why five ``fields`` are no schedule, in words; None if they are one."""
    try:
        fires = CronSim(fields, utc(0))
        next(fires)
    except CronSimError as error:
        return str(error)[:1].lower() + str(error)[1:]
    except (StopIteration, RecursionError, ValueError, TypeError, AssertionError):
        return "it never comes"
    return None


class Fires:
    """When a schedule fires in a zone from ``start`` on (that moment included), in microseconds
    UTC. They are computed as far as they are asked for, and kept: users share them.
    """

    def __init__(self, fields: str, zone: ZoneInfo, start: int) -> None:
        self._coming = _fires(fields, from_instant(start - 1, zone))
        self._known: list[int] = []

    def first_from(self, at: int) -> int | None:
        """The first at ``at`` or later; None: there is none any more."""
        while not self._known or self._known[-1] < at:
            fire = next(self._coming, None)
            if fire is None:
                return None
            self._known.append(fire)
        return self._known[bisect_left(self._known, at)]


def _fires(fields: str, local: datetime) -> Iterator[int]:
    """Rising; two times in one spring gap are the same instant twice."""
    schedule = CronSim(fields, local)
    while True:
        try:
            fire = next(schedule)
        except (StopIteration, OverflowError, ValueError):  # the calendar's last year
            return
        instant = to_instant(fire)
        if instant >= LAST_INSTANT:
            return
        if not _stands_for_a_skipped_day(fields, fire, instant):
            yield instant


def _stands_for_a_skipped_day(fields: str, fire: datetime, instant: int) -> bool:
    """Whether a midnight is only there because the zone skipped the whole day before it."""
    zone = fire.tzinfo
    if fire.hour or fire.minute or not isinstance(zone, ZoneInfo):
        return False
    if fire.date() - from_instant(instant - 1, zone).date() == timedelta(days=1):
        return False
    own = fire.replace(tzinfo=None)
    return next(CronSim(fields, own - timedelta(minutes=1))) != own
