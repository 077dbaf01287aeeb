"""Send: calls that were committed go out, each endpoint with its own share, and answers come back.

Decides nothing. What finds no room in memory stays in the database, where it was committed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from engine.core.message import Answer
from engine.core.steps.base import Result
from engine.enrollments.turn import Answered
from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Sequence

    from engine.enrollments.rows import Held

MOST_UNCOMMITTED = 256
"""Answers that may wait for their commit before nothing more is begun: a kill repeats them too."""

QUEUED_PER_PERMIT = (2, 8)
"""Calls an endpoint may have queued in memory for each one it may have in flight, at least and at
most: enough that it doesn't run dry while a turn is decided."""

QUEUED = 1024
"""Calls that are enough for that, whatever an endpoint may have in flight."""

UNREADABLE_PAUSE_S = 0.5
"""Between two looks at a database that can't be read."""


_T = TypeVar("_T")


class Allowance(Protocol):
    """What an endpoint's settings allow at this moment."""

    def concurrency(self, endpoint: str) -> int:
        """Calls it may have in flight."""
        ...

    def pause(self, endpoint: str) -> float:
        """Take a permit of its rate: 0.0 if it was granted, else seconds until one is free."""
        ...

    def at_most_once(self, endpoint: str) -> bool:
        """Whether its calls must be marked as started before the wire is touched."""
        ...


@dataclass(slots=True)
class _Lane:
    """One endpoint's calls: queued, and how many are on their way."""

    endpoint: str
    queue: deque[Held] = field(default_factory=deque)
    in_flight: int = 0
    paused: bool = False


def _nobody() -> None:
    """Nobody listens yet."""


def _a_bug(held: Held, error: Exception) -> Result:
    call = held.call
    return Result(
        answer=Answer(failure="call.unknown"),
        failure="call.unknown",
        text=f"a bug: {type(error).__name__}",
        attempts=call.attempts,
        tries=call.tries + 1,
        first_at=call.first_at or 0,
    )


class Outbox:
    """Calls in memory, between two threads: the one that decides offers calls and takes answers,
    the event loop's sends. Each thing here has one writer; what passes from one to the other goes
    through a deque, and enters the next place before it leaves the last, so that nothing is ever
    nowhere.

    ``deliver`` puts a call on the wire and never raises for what the world does; while it raises
    DatabaseUnavailable, nothing was sent, and it is asked again. ``wake`` is called on the loop
    when an answer came or a call waits to be marked as started; ``notify`` by the deciding thread
    when there may be something to send.
    """

    def __init__(
        self,
        deliver: Callable[[Held], Awaitable[Result]],
        allowance: Allowance,
        in_flight: int,
    ) -> None:
        self._deliver = deliver
        self._allowance = allowance
        self._most = in_flight
        self.wake: Callable[[], None] = _nobody
        self.notify: Callable[[], object] = _nobody
        self._lanes: dict[str, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._answered: deque[Answered] = deque()
        self._starting: deque[Held] = deque()
        self._launching: deque[Held] = deque()
        self._closed = False
        self._came = 0
        self._committed = 0
        self.in_flight = 0
        self.held: dict[str, set[tuple[int, int]]] = {}
        self._held: dict[int, Held] = {}
        self._unsent: dict[int, Held] = {}

    # --- the deciding thread ---------------------------------------------------------------

    def offer(self, held: Held) -> bool:
        """Take a committed call; False if its endpoint's queue is full: it stays stored."""
        endpoint = held.call.endpoint
        lane = self._lanes.get(endpoint)
        if lane is None:
            lane = self._lanes[endpoint] = _Lane(endpoint)
        if self._closed or self._room(lane) <= 0:
            return False
        key = (held.passage.user.bucket, held.passage.id)
        self.held.setdefault(endpoint, set()).add(key)
        self._held[held.passage.id] = self._unsent[id(held)] = held
        lane.queue.append(held)
        return True

    def held_call(self, passage: int) -> Held | None:
        """The call of a passage, if it is in memory and not answered."""
        return self._held.get(passage)

    def every_call(self) -> list[Held]:
        """The calls in memory that aren't answered."""
        return list(self._held.values())

    def calls_of(self, users: Container[str]) -> list[Held]:
        """The calls of these users that are in memory."""
        return [held for held in self._held.values() if held.passage.user.id in users]

    def withdraw(self, held: Held) -> bool:
        """Make sure that a call isn't sent; False if it is on the wire already. Whoever takes it
        out of those unsent has it: this thread, or the one that sends.
        """
        if self._unsent.pop(id(held), None) is None:
            return False
        self._forget(held)
        return True

    def launch(self, held: Held) -> None:
        """Send a call that was marked as started."""
        self._launching.append(held)

    def committed(self, answered: Sequence[Answered]) -> None:
        """Forget calls whose answers were committed."""
        self._committed += len(answered)
        for one in answered:
            self._forget(one.held)

    def _forget(self, held: Held) -> None:
        passage = held.passage
        self.held[held.call.endpoint].discard((passage.user.bucket, passage.id))
        if self._held.get(passage.id) is held:
            del self._held[passage.id]

    def take_answers(self, most: int) -> list[Answered]:
        """Answers that came and were not taken yet, oldest first."""
        return _taken(self._answered, most)

    def take_starting(self) -> list[Held]:
        """Calls to be marked as started, then launched."""
        return _taken(self._starting, len(self._starting))

    @property
    def busy(self) -> bool:
        """A call is on its way, or its answer isn't taken yet."""
        return bool(self.in_flight or self._answered)

    @property
    def idle(self) -> bool:
        """Nothing in memory."""
        queued = any(lane.queue for lane in self._lanes.values())
        return not (queued or self.busy)

    def room(self, endpoint: str) -> int:
        """How many more calls of an endpoint may be held."""
        return max(0, self._room(self._lanes.get(endpoint) or _Lane(endpoint)))

    def _room(self, lane: _Lane) -> int:
        permits = self._permits(lane.endpoint)
        return permits + _longest_queue(permits) - len(lane.queue) - lane.in_flight

    def hungry(self, endpoint: str) -> bool:
        """Whether an endpoint's queue runs low, so that it could take more than it gets."""
        lane = self._lanes.get(endpoint)
        return lane is None or 2 * len(lane.queue) < _longest_queue(self._permits(endpoint))

    def _permits(self, endpoint: str) -> int:
        return min(self._allowance.concurrency(endpoint), self._most)

    # --- the event loop's thread -----------------------------------------------------------

    def close(self) -> None:
        """Begin nothing any more. What is queued stays in the database."""
        self._closed = True

    def pump(self) -> None:
        """Put on the wire what may go now."""
        while self._launching:
            held = self._launching.popleft()
            self._start(self._lanes[held.call.endpoint], held)
        for lane in list(self._lanes.values()):
            self._pump(lane)

    def _pump(self, lane: _Lane) -> None:
        while (held := self._next(lane)) is not None:
            self._start(lane, held)

    def _start(self, lane: _Lane, held: Held) -> None:
        task = asyncio.get_running_loop().create_task(self._send(lane, held))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _next(self, lane: _Lane) -> Held | None:
        """The next call of a lane that may go on the wire now, counted as being on its way."""
        while lane.queue and not self._closed:
            if (
                lane.in_flight >= self._allowance.concurrency(lane.endpoint)
                or self.in_flight >= self._most
                or self._came - self._committed >= MOST_UNCOMMITTED
                or self._must_pause(lane)
            ):
                return None
            held = lane.queue.popleft()
            if self._unsent.pop(id(held), None) is None:
                continue  # it was withdrawn
            lane.in_flight += 1
            self.in_flight += 1
            if not self._allowance.at_most_once(lane.endpoint):
                return held
            self._starting.append(held)
            self.wake()
        return None

    def _must_pause(self, lane: _Lane) -> bool:
        """Whether the lane's rate is used up; it goes on by itself."""
        if not lane.paused:
            pause = self._allowance.pause(lane.endpoint)
            if pause > 0:
                lane.paused = True
                asyncio.get_running_loop().call_later(pause, self._resume, lane)
        return lane.paused

    def _resume(self, lane: _Lane) -> None:
        lane.paused = False
        self._pump(lane)

    async def _send(self, lane: _Lane, held: Held | None) -> None:
        """Send a call, and then others of its lane for as long as there are any that may go."""
        while held is not None:
            result = await self._result(held)
            if result is not None:
                self._came += 1
                self._answered.append(Answered(held, result))
            lane.in_flight -= 1
            self.in_flight -= 1
            self.wake()
            held = self._next(lane)

    async def _result(self, held: Held) -> Result | None:
        """What became of a call; None for one that was not sent and, as this is the end, won't be:
        it stays in the database."""
        while True:
            try:
                return await self._deliver(held)
            except DatabaseUnavailable:
                if self._closed:
                    return None
                await asyncio.sleep(UNREADABLE_PAUSE_S)
            except Exception as error:  # noqa: BLE001 (a bug costs this call, not the run)
                return _a_bug(held, error)


def _longest_queue(permits: int) -> int:
    least, most = QUEUED_PER_PERMIT
    return max(least * permits, min(most * permits, QUEUED))


def _taken(queue: deque[_T], most: int) -> list[_T]:
    """Up to ``most`` from the front of a queue that another thread adds to."""
    return [queue.popleft() for _ in range(min(most, len(queue)))]
