"""What takes long to count is counted anew only now and then, however many look at it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

from engine.clock import stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

SHARE = 20
"""Counting takes a twentieth of the time at most: what took 0.1 s is good for 2 s."""
SHORTEST_S, LONGEST_S = 0.05, 60.0
MOST = 100


class Remembered:
    """For any thread. What is given back belongs to everybody: nobody changes it."""

    def __init__(self, now: Callable[[], float] = stopwatch) -> None:
        self._now = now
        self._kept: dict[Hashable, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, count: Callable[[], T]) -> T:
        """What ``count`` gives, or gave a moment ago for this key."""
        began = self._now()
        with self._lock:
            until, found = self._kept.get(key, (0.0, None))
            if began < until:
                known: T = found
                return known
        value = count()
        took = self._now() - began
        if took >= SHORTEST_S:
            with self._lock:
                if len(self._kept) >= MOST:
                    self._kept.clear()
                self._kept[key] = self._now() + min(took * SHARE, LONGEST_S), value
        return value
