"""Calls in memory, each endpoint with its own share and each journey with its turn there."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from engine.core.steps.base import Result
    from engine.endpoints.gate import Due, Parked, Refused
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

    def admit(self, endpoint: str, call: Due, queued: int) -> float | Parked | Refused:
        """Whether a call may go: 0.0, else the seconds until it may; or it is held, or fails."""
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
    those ``begun`` and ``in_flight`` the loop's.
    """

    queue: deque[Held] = field(default_factory=deque)
    offered: int = 0
    begun: int = 0
    in_flight: int = 0

    @property
    def queued(self) -> int:
        """Calls in memory that were not begun."""
        return self.offered - self.begun


@dataclass(slots=True)
class EndpointLanes:
    """One endpoint's lanes, and how many of its calls are on their way. In ``turns`` stand the
    lanes with something queued: the first one's turn is next.
    """

    name: str
    lanes: dict[Lane, JourneyLane] = field(default_factory=dict)
    turns: deque[JourneyLane] = field(default_factory=deque)
    in_flight: int = 0
    timer: asyncio.TimerHandle | None = None
    parked_until: int | None = None

    @property
    def queued(self) -> int:
        """Calls in memory that were not begun."""
        return sum(lane.queued for lane in list(self.lanes.values()))

    def longest(self, mine: JourneyLane, permits: int) -> int:
        """How long a lane's queue may be: all of them together are what one alone would be."""
        others = sum(1 for lane in self.lanes.values() if lane is not mine and lane.queued)
        return max(1, longest_queue(permits) // (1 + others))

    def queue(self, held: Held) -> None:
        """Put a call behind the others of its journey."""
        lane = self.lanes[held.lane]
        if not lane.queue:
            self.turns.append(lane)
        lane.queue.append(held)

    def begin(self) -> None:
        """Take out the call whose turn it is, and count it as being on its way."""
        self.in_flight += 1
        self.turns[0].in_flight += 1
        self.skip()

    def skip(self) -> None:
        """Take out the call whose turn it is."""
        lane = self.turns[0]
        lane.queue.popleft()
        lane.begun += 1
        if lane.queue:
            self.turns.rotate(-1)
        else:
            self.turns.popleft()


def longest_queue(permits: int) -> int:
    """Calls that an endpoint may have queued in memory which may have so many in flight."""
    least, most = QUEUED_PER_PERMIT
    return max(least * permits, min(most * permits, QUEUED))
