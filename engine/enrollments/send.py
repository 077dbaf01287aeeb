"""Send: calls that were committed go out, each endpoint with its own share, and answers come back.

Decides nothing. What finds no room in memory stays in the database, where it was committed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from engine.endpoints.gate import Refused
from engine.enrollments.calls_held import CallsHeld, taken
from engine.enrollments.lanes import Lanes
from engine.enrollments.turn import Answered
from engine.enrollments.unanswered import a_bug, refused
from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from engine.core.steps.base import Result
    from engine.enrollments.lanes import Allowance, EndpointLanes, JourneyLane
    from engine.enrollments.pending import Held, Lane

MOST_UNCOMMITTED = 256
"""Answers that may wait for their commit before nothing more is begun: a kill repeats them too."""

UNREADABLE_PAUSE_S = 0.5
"""Between two looks at a database that can't be read."""


def _nobody() -> None:
    """Nobody listens yet."""


class Outbox(CallsHeld):
    """Calls in memory, between two threads: the one that decides offers calls and takes answers,
    the event loop's sends. Each thing here has one writer; what passes from one to the other goes
    through a deque, and enters the next place before it leaves the last, so that nothing is ever
    nowhere. A call that must be marked as started before the wire is touched is the deciding
    thread's until it is launched: up to then it can be withdrawn.

    Of an endpoint's calls the journeys have their turns, one call each: who has many waits for who
    has few no longer than that. ``deliver`` puts a call on the wire and never raises for what the
    world does; while it raises DatabaseUnavailable, nothing was sent, and it is asked again.
    ``wake`` is called on the loop when an answer came or a call waits to be marked as started;
    ``notify`` by the deciding thread when there may be something to send.
    """

    def __init__(
        self,
        deliver: Callable[[Held], Awaitable[Result]],
        allowance: Allowance,
        in_flight: int,
    ) -> None:
        super().__init__()
        self._deliver = deliver
        self._allowance = allowance
        self._most = in_flight
        allowance.changed = self._changed
        self.wake: Callable[[], None] = _nobody
        self.notify: Callable[[], object] = _nobody
        self._lanes = Lanes(allowance, in_flight)
        self._tasks: set[asyncio.Task[None]] = set()
        self._offered: deque[Held] = deque()
        self._answered: deque[Answered] = deque()
        self._starting: deque[Held] = deque()
        self._launching: deque[Held] = deque()
        self._spared: deque[Held] = deque()
        self._outlived: deque[Held] = deque()
        self._closed = False
        self._came = 0
        self._committed = 0
        self.in_flight = 0

    # --- the deciding thread ---------------------------------------------------------------

    def offer(self, calls: Iterable[Held], full: Callable[[Held], None]) -> None:
        """Take committed calls, one after another. ``full`` is told of each whose lane's queue is:
        it stays stored.
        """
        offering: dict[Lane, JourneyLane] = {}
        most: dict[Lane, int] = {}
        for held in calls:
            lane = held.lane
            mine = offering.get(lane)
            if mine is None:
                mine = offering[lane] = self._lanes.get(lane)
                most.clear()  # whoever queues there may have one more to share with
            limit = most.get(lane)
            if limit is None:
                limit = most[lane] = self._lanes.most(lane)
            if self._closed or mine.offered - mine.ended >= limit:
                full(held)
            else:
                self.hold(held)
                self._offered.append(held)
                mine.offered += 1

    def launch(self, held: Held) -> None:
        """Send a call that was marked as started, unless it was withdrawn instead."""
        (self._launching if self.take(held) else self._spared).append(held)

    def committed(self, answered: Sequence[Answered]) -> None:
        """Forget calls whose answers were committed."""
        self._committed += len(answered)
        for one in answered:
            self.forget(one.held)

    def take_answers(self, most: int) -> list[Answered]:
        """Answers that came and were not taken yet, oldest first."""
        return taken(self._answered, most)

    def take_starting(self) -> list[Held]:
        """Calls to be marked as started, then launched."""
        found = taken(self._starting, len(self._starting))
        starting = [held for held in found if self.is_unsent(held)]
        if len(starting) < len(found):
            self._spared.extend(held for held in found if not self.is_unsent(held))
            self.notify()
        return starting

    def take_outlived(self) -> list[Held]:
        """Calls that weren't made, because their passages are older than they may be: they are in
        the database and not in memory any more.
        """
        outlived = taken(self._outlived, len(self._outlived))
        for held in outlived:
            self.forget(held)
        return outlived

    @property
    def busy(self) -> bool:
        """A call is on its way, or its answer isn't taken yet."""
        return bool(self.in_flight or self._answered)

    @property
    def idle(self) -> bool:
        """Nothing in memory but calls that are held."""
        return self.standing()[0]

    def standing(self) -> tuple[bool, int | None]:
        """Whether there is nothing in memory but calls that are held, none that goes back to the
        database; and when (microseconds UTC) the first endpoint that holds some is to be asked
        again.
        """
        queued, first = False, None
        for endpoint in self._lanes.each():
            until = endpoint.parked_until
            if not endpoint.queued():
                continue
            if until is None:
                queued = True
            elif first is None or until < first:
                first = until
        return not (queued or self.busy or self._outlived), first

    def room(self, lane: Lane) -> int:
        """How many more calls of an endpoint and journey may be held."""
        return self._lanes.room(lane)

    def hungry(self, lane: Lane) -> bool:
        """Whether a lane's queue runs low, so that it could take more than it gets."""
        return self._lanes.hungry(lane)

    # --- the event loop's thread -----------------------------------------------------------

    def close(self) -> None:
        """Begin nothing any more. What is queued stays in the database."""
        self._closed = True

    def pump(self) -> None:
        """Put on the wire what may go now."""
        offered, endpoints = self._offered, self._lanes.endpoints
        while offered:
            held = offered[0]
            endpoints[held.call.endpoint].queue(held)
            offered.popleft()
        while self._launching:
            held = self._launching.popleft()
            self._start(endpoints[held.call.endpoint], held)
        while self._spared:
            held = self._spared.popleft()
            self._allowance.withdrawn(held.call.endpoint, held.call)
            self._end(endpoints[held.call.endpoint], held, None)
        for endpoint in self._lanes.each():
            self._pump(endpoint)

    def _pump(self, endpoint: EndpointLanes) -> None:
        endpoint.permits = self._allowance.concurrency(endpoint.name)
        endpoint.marked_first = self._allowance.at_most_once(endpoint.name)
        while (held := self._next(endpoint)) is not None:
            self._start(endpoint, held)

    def _changed(self, name: str) -> None:
        endpoint = self._lanes.endpoints.get(name)
        if endpoint is not None:
            self._pump(endpoint)

    def _start(self, endpoint: EndpointLanes, held: Held) -> None:
        task = asyncio.get_running_loop().create_task(self._send(endpoint, held))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _next(self, endpoint: EndpointLanes) -> Held | None:
        """The next call to an endpoint that may go on the wire now, counted as being on its way."""
        allowance, turns = self._allowance, endpoint.turns
        while turns and not self._closed:
            if (
                endpoint.in_flight >= endpoint.permits
                or self.in_flight >= self._most
                or self._came - self._committed >= MOST_UNCOMMITTED
            ):
                return None
            held = turns[0].queue[0]
            if held not in self._unsent:
                endpoint.skip()  # it was withdrawn
                continue
            if held.outlives(allowance.now()):
                self._leave(endpoint, held)
                continue
            verdict = allowance.admit(endpoint.name, held.call, endpoint.queued)
            goes = verdict == 0.0
            if not goes and not isinstance(verdict, Refused):
                if endpoint.rest(verdict, self._pump):
                    self.wake()
                return None
            endpoint.parked_until = None
            marked_first = goes and endpoint.marked_first
            if not marked_first and not self.take(held):
                allowance.withdrawn(endpoint.name, held.call)
                endpoint.skip()
                continue
            self.in_flight += 1
            endpoint.begin()
            if isinstance(verdict, Refused):
                self._end(endpoint, held, refused(held, verdict))
            elif not marked_first:
                return held
            else:
                self._starting.append(held)
                self.wake()
        return None

    def _leave(self, endpoint: EndpointLanes, held: Held) -> None:
        """A call isn't made: its passage is older than it may be."""
        if self.take(held):
            self._outlived.append(held)
            self.wake()
        endpoint.skip()

    def _end(self, endpoint: EndpointLanes, held: Held, result: Result | None) -> None:
        """A call that was on its way came to a result; None: it stays in the database."""
        if result is not None:
            self._came += 1
            self._answered.append(Answered(held, result))
        endpoint.end(held)
        self.in_flight -= 1
        self.wake()

    async def _send(self, endpoint: EndpointLanes, held: Held | None) -> None:
        """Send a call, and then others of its endpoint for as long as there are any that may go."""
        deliver, answered = self._deliver, self._allowance.answered
        while held is not None:
            result: Result | None
            try:
                result = await deliver(held)
            except Exception as error:  # noqa: BLE001 (a bug costs this call, not the run)
                result = await self._result(held, error)
            if result is not None:
                answered(endpoint.name, held.call, result)
            self._end(endpoint, held, result)
            held = self._next(endpoint)

    async def _result(self, held: Held, error: Exception) -> Result | None:
        """What becomes of a call that couldn't be sent; None: it wasn't and, as this is the end,
        won't be. It stays in the database.
        """
        while isinstance(error, DatabaseUnavailable):
            if self._closed:
                return None
            await asyncio.sleep(UNREADABLE_PAUSE_S)
            try:
                return await self._deliver(held)
            except Exception as again:  # noqa: BLE001 (as above)
                error = again
        return a_bug(held, error)
