"""How fast calls to one endpoint may follow one another, over all processes. Pure.

Permits are taken in sets. A :class:`Grant` of some may be used from its ``start`` to its ``end``;
what was granted is kept, by its end, until no span of the limit's length can hold such a use any
more. A further grant gets what these leave of the limit, so any ``per`` microseconds hold at most
``count`` uses, however many processes take: of all grants that are used within such a span, the
one that was taken last saw all the others. Whoever used permits sooner, or not at all, says so when
it takes the next (:class:`Used`), and they are free sooner.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

LOOKAHEAD = 250_000
"""Permits are granted that become free within this: they are there when their time comes."""

_SLOTS = 100
"""Ends are rounded up to such a part of the limit's span, so that few have to be kept."""
_MARGIN = 25
_LARGEST_MARGIN = 250_000
_SHORTEST_KEEP = 20_000
_KEEP, _LONGEST_KEEP = 4, 2_000_000
_KEEP_IN_PLENTY, _LONGEST_KEEP_IN_PLENTY = 2, 10_000_000


class Rank(NamedTuple):
    """Which of how many workers a process is, the oldest one being number 0."""

    number: int = 0
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``count`` permits in any ``per`` microseconds."""

    count: int
    per: int

    @property
    def life(self) -> int:
        """How long a used permit counts: a little longer than ``per``, for a server counts by
        arrival, and the first requests of a burst arrive late: they wait for their connections.
        """
        return self.per + min(self.per // _MARGIN, _LARGEST_MARGIN)

    @property
    def farthest(self) -> int:
        """No permit is further off than this: what is still granted, and then counts."""
        return self.slot(LOOKAHEAD + self.keep(plenty=True)) + self.slot(self.life)

    def slot(self, instant: int) -> int:
        """``instant``, rounded up."""
        size = max(1, self.per // _SLOTS)
        return -(-instant // size) * size

    def keep(self, *, plenty: bool) -> int:
        """How long a grant may be used; longer where ``plenty`` is left."""
        if plenty:
            return max(_SHORTEST_KEEP, min(self.per // _KEEP_IN_PLENTY, _LONGEST_KEEP_IN_PLENTY))
        return max(_SHORTEST_KEEP, min(self.per // _KEEP, _LONGEST_KEEP))


@dataclass(frozen=True, slots=True)
class Grant:
    """``count`` permits, to be used from ``start`` to ``end`` (microseconds UTC)."""

    start: int
    end: int
    count: int


@dataclass(frozen=True, slots=True)
class Used:
    """What became of a grant: ``count`` of its permits were used, the last one ``at``."""

    grant: Grant
    count: int
    at: int


Taken = dict[int, int]
"""Permits that were used by an instant, or may be."""


def settle(taken: Taken, rate: Rate, used: Used) -> None:
    """Correct what is kept of a grant."""
    left = taken.get(used.grant.end, 0) - used.grant.count
    if left < 0:
        return  # made under another limit, or long ago
    taken[used.grant.end] = left
    if used.count:
        slot = min(rate.slot(used.at), used.grant.end)
        taken[slot] = taken.get(slot, 0) + used.count


def forget(taken: Taken, rate: Rate, now: int) -> None:
    """Drop what counts no more. What lies in a future that can't be, since the clock went back,
    counts as used just now.
    """
    latest = rate.slot(now + LOOKAHEAD + rate.keep(plenty=True))
    for end in list(taken):
        if end + rate.life <= now or not taken[end]:
            del taken[end]
        elif end > latest:
            taken[latest] = taken.get(latest, 0) + taken.pop(end)


def grant(taken: Taken, rate: Rate, now: int, wanted: int) -> tuple[list[Grant], int]:
    """Up to ``wanted`` permits that are free now or soon, noted in ``taken``; and when to ask for
    more: at once if everything was granted.
    """
    grants: list[Grant] = []
    ends = sorted(end + rate.life for end in taken)
    for start in [now, *(at for at in ends if now < at <= now + LOOKAHEAD)]:
        busy = sum(count for end, count in taken.items() if end + rate.life > start)
        count = min(rate.count - busy, wanted)
        if count > 0:
            plenty = 2 * (busy + count) <= rate.count
            given = Grant(start, rate.slot(start + rate.keep(plenty=plenty)), count)
            taken[given.end] = taken.get(given.end, 0) + count
            grants.append(given)
            wanted -= count
        if wanted == 0:
            return grants, now
    later = next((at for at in ends if at > now + LOOKAHEAD), now + LOOKAHEAD)
    return grants, later - LOOKAHEAD // 2


class Permits:
    """The permits that this process holds; ``left`` is how many."""

    __slots__ = ("_ended", "_held", "_used", "left", "rate")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._held: deque[Grant] = deque()
        self._used: tuple[int, int] = (0, 0)
        self._ended: list[Used] = []
        self.left = 0

    def add(self, grants: list[Grant]) -> None:
        """Hold these, too; they begin no earlier than those before."""
        self._held.extend(grants)
        self.left += sum(grant.count for grant in grants)

    def take(self, now: int) -> int | None:
        """Use one: 0 if there is one, else the microseconds until one begins; None: no more."""
        held = self._held
        while held:
            grant, (count, at) = held[0], self._used
            if now < grant.start <= now + LOOKAHEAD:
                return grant.start - now
            if not grant.start <= now <= grant.end:  # it is over, or the clock went back
                self._end(Used(grant, count, at))
                continue
            self._used = (count + 1, now)
            self.left -= 1
            if count + 1 == grant.count:
                self._end(Used(grant, count + 1, now))
            return 0
        return None

    def _end(self, used: Used) -> None:
        self._ended.append(used)
        self.left -= used.grant.count - used.count
        self._used = (0, 0)
        self._held.popleft()

    def settled(self) -> list[Used]:
        """What became of grants that are over, each told once."""
        ended, self._ended = self._ended, []
        return ended

    def unsettle(self, used: list[Used]) -> None:
        """Tell these once more: nobody heard of them."""
        self._ended[:0] = used
