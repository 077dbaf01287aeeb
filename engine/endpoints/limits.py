"""How fast calls to one endpoint may follow one another."""

from __future__ import annotations

from collections import deque

_MARGIN = 0.05
_LARGEST_MARGIN_S = 0.25


class Window:
    """At most ``count`` permits in any ``per_s`` seconds.

    The window is a little longer than asked for: a server counts by arrival, and the first requests
    of a burst arrive late, because they wait for their connections.
    """

    __slots__ = ("_given", "count", "per_s")

    def __init__(self, count: int, per_s: float) -> None:
        self.count = count
        self.per_s = per_s
        self._given: deque[float] = deque(maxlen=count)

    def take(self, now: float) -> float:
        """Take a permit: 0.0 if it was granted, else the seconds until one is free.

        ``now`` is a stopwatch's, in seconds.
        """
        if len(self._given) == self.count:
            margin = min(self.per_s * _MARGIN, _LARGEST_MARGIN_S)
            free = self._given[0] + self.per_s + margin
            if free > now:
                return free - now
        self._given.append(now)
        return 0.0
