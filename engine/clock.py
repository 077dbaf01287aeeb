"""The only reader of the clock.

Four clocks that are never compared: *journey time* (:class:`Clock`, real or virtual), *lease time*
(the database's own), *wall time* (:func:`wall`), and the *stopwatch* (:func:`stopwatch`).
Instants are integer microseconds since 1970 UTC; the stopwatch is in seconds.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Journey time: what waits, retries, token life and windows are measured in."""

    def now(self) -> int:
        """The present instant of journey time, in microseconds UTC."""
        ...

    def moment(self) -> int:
        """The instant that users are decided for at, in microseconds UTC."""
        ...


class RealClock:
    """Journey time that is the wall's."""

    __slots__ = ()

    def now(self) -> int:
        """The wall clock, in microseconds UTC."""
        return time.time_ns() // 1000

    moment = now
    """The same: for users time passes as it does."""


class VirtualClock:
    """Journey time that starts where told and can be moved forward.

    For users it stands still until it is moved: work takes them no time, so that what they are
    taken through is what a simulation says, to the microsecond. What concerns the world outside
    (rate limits, tokens, holds) has a ``now`` that runs with the stopwatch meanwhile.
    """

    __slots__ = ("_moment", "_offset")

    def __init__(self, start: int) -> None:
        self._moment = start
        self._offset = start - time.monotonic_ns() // 1000

    def now(self) -> int:
        """The virtual present, in microseconds UTC; never earlier than the moment."""
        return time.monotonic_ns() // 1000 + self._offset

    def moment(self) -> int:
        """Where the clock was moved to last, in microseconds UTC."""
        return self._moment

    def move_to(self, instant: int) -> None:
        """Jump forward to ``instant``; an instant already past changes nothing."""
        self._moment = max(self._moment, instant)
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
