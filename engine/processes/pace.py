"""How much a turn takes in: as much as is written in a time that others can wait for."""

from __future__ import annotations

HELD_S = 0.004
"""For about so long a turn keeps everybody else from writing into a file."""
REMEMBERED_S = 1.0
"""So long after the last that was told others are taken to be writing: turns are large again then,
and whoever comes next waits for one of them."""
FEWEST = 64
_TELLING = 32
"""Of fewer, the time that they take says more about the machine than about them."""
_WEIGHT = 0.3

REST_S = 0.002
"""So long the worker rests after a commit: other processes' writes wait for such a gap."""
_LONGEST_REST_S = 0.01
_RESTING = 0.2
"""This part of a turn: with it two workers on PostgreSQL took a tenth less CPU for a user than with
the same short rest always, and a file as much."""


def rest_after(turn_s: float) -> float:
    """For how many seconds to rest after a turn that took so long: a part of that, as whoever
    gathers meanwhile shares what a turn costs, however few it takes in.
    """
    return min(max(REST_S, _RESTING * turn_s), _LONGEST_REST_S)


class Pace:
    """Sizes turns by how long the last ones took to be written, so that one takes ``held_s`` while
    others write. An event that nobody listens to takes a tenth of what an entry does that begins
    with a call.
    """

    def __init__(self, held_s: float = HELD_S) -> None:
        self._held_s = held_s
        self._each_s = 0.0
        self._others_until_s = 0.0
        self._at_s = 0.0

    def at(self, now_s: float, *, others: bool) -> None:
        """A turn begins at this moment of a stopwatch; with ``others``, something was written that
        is told to it.
        """
        self._at_s = now_s
        if others:
            self._others_until_s = now_s + REMEMBERED_S

    @property
    def is_alone(self) -> bool:
        """Whether nobody else seems to be writing."""
        return self._at_s >= self._others_until_s

    def at_most(self, most: int) -> int:
        """How many a turn takes in, where it would take ``most`` if they were light."""
        if self.is_alone or self._each_s * most <= self._held_s:
            return most
        return min(most, max(FEWEST, int(self._held_s / self._each_s)))

    def took(self, seconds: float, count: int) -> None:
        """A turn over ``count`` of them was written in so long a transaction; 0: others could write
        all the while.
        """
        if seconds and count >= _TELLING:
            each_s = seconds / count
            self._each_s += (each_s - self._each_s) * (_WEIGHT if self._each_s else 1.0)
