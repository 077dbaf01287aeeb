"""Send: calls that were committed go out, each endpoint with its own share, and answers come back.

Decides nothing. What finds no room in memory stays in the database, where it was committed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from engine.core.message import Answer
from engine.core.steps.base import Result
from engine.enrollments.decide import Answered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from engine.enrollments.rows import Held

MOST_UNCOMMITTED = 256
"""Answers that may wait for their commit before nothing more is begun: a kill repeats them too."""

QUEUED_PER_PERMIT = 2
"""Calls an endpoint may have queued in memory for each one it may have in flight."""


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
    """Calls in memory. ``deliver`` puts one on the wire and never raises for what the world does;
    ``wake`` is called when an answer came or a call waits to be marked as started.
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
        self._lanes: dict[str, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._answered: list[Answered] = []
        self._starting: list[Held] = []
        self._closed = False
        self._uncommitted = 0
        self.in_flight = 0
        self.held: dict[str, set[tuple[int, int]]] = {}

    def offer(self, held: Held) -> bool:
        """Take a committed call; False if its endpoint's queue is full: it stays stored."""
        lane = self._lanes.setdefault(held.call.endpoint, _Lane())
        if self._closed or self._room(held.call.endpoint, lane) <= 0:
            return False
        self._hold(held)
        lane.queue.append(held)
        return True

    def launch(self, held: Held) -> None:
        """Send a call that was marked as started."""
        self._start(held)

    def pump(self) -> None:
        """Put on the wire what may go now."""
        if self._closed:
            return
        for endpoint, lane in self._lanes.items():
            self._pump(endpoint, lane)

    def _pump(self, endpoint: str, lane: _Lane) -> None:
        allowed = self._allowance.concurrency(endpoint)
        marked_first = self._allowance.at_most_once(endpoint)
        while lane.queue and lane.in_flight < allowed and self._may_begin():
            if lane.paused:
                return
            pause = self._allowance.pause(endpoint)
            if pause > 0:
                lane.paused = True
                asyncio.get_running_loop().call_later(pause, self._resume, lane)
                return
            held = lane.queue.popleft()
            lane.in_flight += 1
            self.in_flight += 1
            if marked_first:
                self._starting.append(held)
                self.wake()
            else:
                self._start(held)

    def _resume(self, lane: _Lane) -> None:
        lane.paused = False
        self.pump()

    def _start(self, held: Held) -> None:
        task = asyncio.get_running_loop().create_task(self._one(held))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _one(self, held: Held) -> None:
        try:
            result = await self._deliver(held)
        except Exception as error:  # noqa: BLE001 (a bug costs this call, not the run)
            result = _a_bug(held, error)
        lane = self._lanes[held.call.endpoint]
        lane.in_flight -= 1
        self.in_flight -= 1
        self._answered.append(Answered(held, result))
        self._uncommitted += 1
        if lane.queue:
            self._pump(held.call.endpoint, lane)
        self.wake()

    def _hold(self, held: Held) -> None:
        key = (held.passage.user.bucket, held.passage.id)
        self.held.setdefault(held.call.endpoint, set()).add(key)

    def committed(self, answered: Sequence[Answered]) -> None:
        """Forget calls whose answers were committed."""
        self._uncommitted -= len(answered)
        for one in answered:
            self._release(one.held)

    def _may_begin(self) -> bool:
        return self.in_flight < self._most and self._uncommitted < MOST_UNCOMMITTED

    def _release(self, held: Held) -> None:
        key = (held.passage.user.bucket, held.passage.id)
        self.held[held.call.endpoint].discard(key)

    def take_answers(self, most: int) -> list[Answered]:
        """Answers that came and were not taken yet, oldest first."""
        taken, self._answered = self._answered[:most], self._answered[most:]
        return taken

    def take_starting(self) -> list[Held]:
        """Calls to be marked as started, then launched."""
        taken, self._starting = self._starting, []
        return taken

    @property
    def answers(self) -> int:
        """How many answers wait to be taken."""
        return len(self._answered)

    @property
    def idle(self) -> bool:
        """Nothing in memory."""
        queued = any(lane.queue for lane in self._lanes.values())
        return not (self.in_flight or self._answered or queued)

    def room(self, endpoint: str) -> int:
        """How many more calls of an endpoint may be held."""
        lane = self._lanes.get(endpoint) or _Lane()
        return max(0, self._room(endpoint, lane))

    def _room(self, endpoint: str, lane: _Lane) -> int:
        permits = min(self._allowance.concurrency(endpoint), self._most)
        return QUEUED_PER_PERMIT * permits + permits - len(lane.queue) - lane.in_flight

    def hungry(self, endpoint: str) -> bool:
        """Whether an endpoint's queue runs low, so that it could take more than it gets."""
        lane = self._lanes.get(endpoint)
        if lane is None:
            return True
        return 2 * len(lane.queue) < min(self._allowance.concurrency(endpoint), self._most)

    def close(self) -> None:
        """Begin nothing any more. What is queued stays in the database."""
        self._closed = True
        for lane in self._lanes.values():
            for held in lane.queue:
                self._release(held)
            lane.queue.clear()
        for held in self._starting:
            self.in_flight -= 1
            self._release(held)
        self._starting.clear()
