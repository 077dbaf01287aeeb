"""How many calls to one endpoint may be on their way, and how fast they may follow one another.

What is over a limit waits in order; nothing is dropped. The limits hold over all journeys of this
process, which is all there is where one worker owns every bucket.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from engine.clock import stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable

_MARGIN = 0.05
_LARGEST_MARGIN_S = 0.25


class Window:
    """At most ``count`` permits in any ``per_s`` seconds, given out in order, ahead of time.

    The window is a little longer than asked for: the server counts by arrival, and the first
    requests of a burst wait for their connections.
    """

    __slots__ = ("_given", "count", "per_s")

    def __init__(self, count: int, per_s: float) -> None:
        self.count = count
        self.per_s = per_s
        self._given: deque[float] = deque(maxlen=count)

    def take(self, now: float) -> float:
        """Take a permit; the seconds from ``now`` until it may be used."""
        at = now
        if len(self._given) == self.count:
            margin = min(self.per_s * _MARGIN, _LARGEST_MARGIN_S)
            at = max(now, self._given[0] + self.per_s + margin)
        self._given.append(at)
        return at - now


class Gate:
    """The way to one endpoint: ``concurrency`` calls at a time, and a rate where there is one."""

    __slots__ = ("_inside", "_stopwatch", "_waiting", "_window", "concurrency")

    def __init__(self, concurrency: int, *, clock: Callable[[], float] = stopwatch) -> None:
        self.concurrency = concurrency
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._window: Window | None = None
        self._stopwatch = clock

    @property
    def free(self) -> int:
        """How many calls could enter at once (a rate may still make them wait)."""
        return max(0, self.concurrency - self._inside - len(self._waiting))

    def configure(self, concurrency: int, rate: tuple[int, float] | None) -> None:
        """Take the endpoint's present limits; ``rate`` is count and seconds.

        A rate that stays the same keeps what it has given out.
        """
        self.concurrency = concurrency
        if rate is None:
            self._window = None
        elif self._window is None or (self._window.count, self._window.per_s) != rate:
            self._window = Window(*rate)
        self._admit()

    async def enter(self) -> None:
        """Wait for a permit, first come, first served. A ``leave`` follows every ``enter``."""
        if self._inside >= self.concurrency or self._waiting:
            await self._queue()
        else:
            self._inside += 1
        if self._window is not None:
            delay = self._window.take(self._stopwatch())
            if delay > 0:
                try:
                    await asyncio.sleep(delay)
                except BaseException:
                    self.leave()
                    raise

    def leave(self) -> None:
        """Give the permit back."""
        self._inside -= 1
        self._admit()

    async def _queue(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave()  # the permit was given in the moment of giving up
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def _admit(self) -> None:
        while self._waiting and self._inside < self.concurrency:
            turn = self._waiting.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)
