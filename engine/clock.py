"""The only reader of the clock.

Four clocks that are never compared: *journey time* (:class:`Clock`, real or virtual), *lease time*
(the database's own), *wall time* (:func:`wall`), and the *stopwatch* (:func:`stopwatch`).
Instants are integer microseconds since 1970 UTC; the stopwatch is in seconds.
"""

from __future__ import annotations

import time
from typing import Protocol

MICROSECONDS = 1_000_000


class Clock(Protocol):
    """Journey time: what waits, retries, token life and windows are measured in."""

    def now(self) -> int:
        """The present instant of journey time, in microseconds UTC."""
        ...


class RealClock:
    """Journey time that is the wall's."""

    __slots__ = ()

    def now(self) -> int:
        """The wall clock, in microseconds UTC."""
        return time.time_ns() // 1000


class VirtualClock:
    """Journey time that starts where told, runs with the stopwatch, and can be moved forward."""

    __slots__ = ("_offset",)

    def __init__(self, start: int) -> None:
        self._offset = start - time.monotonic_ns() // 1000

    def now(self) -> int:
        """The virtual present, in microseconds UTC."""
        return time.monotonic_ns() // 1000 + self._offset

    def move_to(self, instant: int) -> None:
        """Jump forward to ``instant``; an instant already past changes nothing."""
        self._offset += max(0, instant - self.now())


def wall() -> int:
    """Wall time in microseconds UTC: secret overlap, sessions, retention, audit."""
    return time.time_ns() // 1000


def stopwatch() -> float:
    """Monotonic seconds: deadlines and latency."""
    return time.monotonic()


def rest(seconds: float) -> None:
    """Let this thread sleep."""
    time.sleep(seconds)
