"""Calls in memory, each endpoint with its own share and each journey with its turn there."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from engine.endpoints.gate import Parked

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.steps.base import Result
    from engine.endpoints.gate import Due, Refused
    from engine.enrollments.pending import Held, Lane

QUEUED_PER_PERMIT = (2, 8)
"""Calls an endpoint may have queued in memory for each one it may have in flight, at least and at
most: enough that it doesn't run dry while a turn is decided."""

QUEUED = 1024
"""Calls that are enough for that, whatever an endpoint may have in flight."""


class Allowance(Protocol):
    """What endpoints' settings and states allow at this moment."""

    changed: Callable[[str], None]
    """Called on the loop with an endpoint that calls may go to now."""

    def now(self) -> int:
        """This moment, in journey time."""
        ...

    def concurrency(self, endpoint: str) -> int:
        """Calls it may have in flight."""
        ...

    def admit(
        self, endpoint: str, call: Due, queued: Callable[[], int]
    ) -> float | Parked | Refused:
        """Whether a call may go: 0.0, else the seconds until it may; or it is held, or fails.
        ``queued`` tells how many wait, this one among them.
        """
        ...

    def answered(self, endpoint: str, call: object, result: Result) -> None:
        """What became of an attempt, before anybody judges it."""
        ...

    def withdrawn(self, endpoint: str, call: Due) -> None:
        """A call that was let go isn't made after all."""
        ...

    def at_most_once(self, endpoint: str) -> bool:
        """Whether its calls must be marked as started before the wire is touched."""
        ...


@dataclass(slots=True)
class JourneyLane:
    """One journey's calls to one endpoint. Those ``offered`` are the deciding thread's to count,
    those taken out of the queue (``begun``), and those of them that are on their way no more
    (``ended``), the loop's.
    """

    queue: deque[Held] = field(default_factory=deque)
    offered: int = 0
    begun: int = 0
    ended: int = 0

    @property
    def queued(self) -> int:
        """Calls in memory that were not begun."""
        return self.offered - self.begun


@dataclass(slots=True)
class EndpointLanes:
    """One endpoint's lanes, and how many of its calls are on their way. In ``turns`` stand the
    lanes with something queued: the first one's turn is next. How many ``permits`` it has, and
    whether its calls are ``marked_first``, is as of the loop's last look at its allowance.
    """

    name: str
    lanes: dict[Lane, JourneyLane] = field(default_factory=dict)
    turns: deque[JourneyLane] = field(default_factory=deque)
    in_flight: int = 0
    permits: int = 0
    marked_first: bool = False
    timer: asyncio.TimerHandle | None = None
    parked_until: int | None = None

    def queued(self) -> int:
        """Calls in memory that were not begun."""
        return sum(lane.queued for lane in list(self.lanes.values()))

    def longest(self, mine: JourneyLane, permits: int) -> int:
        """How long a lane's queue may be: all of them together are what one alone would be."""
        sharing = 1
        for lane in self.lanes.values():
            if lane is not mine and lane.queued:
                sharing += 1
        return max(1, longest_queue(permits) // sharing)

    def queue(self, held: Held) -> None:
        """Put a call behind the others of its journey."""
        lane = self.lanes[held.lane]
        if not lane.queue:
            self.turns.append(lane)
        lane.queue.append(held)

    def begin(self) -> None:
        """Take out the call whose turn it is, and count it as being on its way."""
        self.in_flight += 1
        turns = self.turns
        lane = turns[0]
        lane.queue.popleft()
        lane.begun += 1
        if not lane.queue:
            turns.popleft()
        elif len(turns) > 1:
            turns.rotate(-1)

    def end(self, held: Held) -> None:
        """A call is on its way no more."""
        self.in_flight -= 1
        self.lanes[held.lane].ended += 1

    def rest(self, verdict: float | Parked, then: Callable[[EndpointLanes], None]) -> bool:
        """Send nothing to it for a while, and ``then`` look again by itself; whether it is parked
        until another moment than it was.
        """
        was = self.parked_until
        if isinstance(verdict, Parked):
            seconds, self.parked_until = verdict.seconds, verdict.until
        else:
            seconds, self.parked_until = verdict, None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if seconds < math.inf:
            self.timer = asyncio.get_running_loop().call_later(seconds, then, self)
        return self.parked_until != was

    def skip(self) -> None:
        """Take out the call whose turn it is: it isn't made."""
        held = self.turns[0].queue[0]
        self.begin()
        self.end(held)


class Lanes:
    """The lanes of all ``endpoints``; of each of these up to ``in_flight`` calls may be on their
    way, or fewer by its allowance. Lanes are the deciding thread's to make and to ask for.
    """

    def __init__(self, allowance: Allowance, in_flight: int) -> None:
        self._allowance = allowance
        self._in_flight = in_flight
        self.endpoints: dict[str, EndpointLanes] = {}

    def each(self) -> list[EndpointLanes]:
        """Every endpoint's, as of now: for either thread."""
        return list(self.endpoints.values())

    def get(self, lane: Lane) -> JourneyLane:
        """A lane, which is made if it isn't there."""
        name = lane[0]
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            endpoint = self.endpoints[name] = EndpointLanes(name)
        mine = endpoint.lanes.get(lane)
        if mine is None:
            mine = endpoint.lanes[lane] = JourneyLane()
        return mine

    def most(self, lane: Lane) -> int:
        """How many calls of a lane may be queued or on their way."""
        permits, longest = self._measured(lane)
        return permits + longest

    def room(self, lane: Lane) -> int:
        """How many more that may be."""
        mine = self.get(lane)
        return max(0, self.most(lane) - (mine.offered - mine.ended))

    def hungry(self, lane: Lane) -> bool:
        """Whether a lane's queue runs low."""
        return 2 * self.get(lane).queued < self._measured(lane)[1]

    def _measured(self, lane: Lane) -> tuple[int, int]:
        """Permits of a lane's endpoint, and how long its queue may be."""
        mine = self.get(lane)
        permits = min(self._allowance.concurrency(lane[0]), self._in_flight)
        return permits, self.endpoints[lane[0]].longest(mine, permits)


@lru_cache(maxsize=256)
def longest_queue(permits: int) -> int:
    """Calls that an endpoint may have queued in memory which may have so many in flight."""
    least, most = QUEUED_PER_PERMIT
    return max(least * permits, min(most * permits, QUEUED))
