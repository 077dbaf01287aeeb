"""Calls to endpoints on their way out: permits, gates and probes, shared with all processes.

All of it is the event loop's. What is shared is looked at in the database beside the sending, in a
thread of its own, never during it: a call that has a permit and an open gate costs nothing.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from engine.core.expressions.durations import SECOND
from engine.endpoints import states
from engine.endpoints.gate import (
    OPEN,
    WELL,
    Gate,
    GatePolicy,
    Parked,
    Refused,
    admission,
    after,
    sighting,
)
from engine.endpoints.limits import Permits, Rank, Rate
from engine.endpoints.states import UNTOUCHED, SharedGate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.clock import Clock
    from engine.core.steps.base import Result
    from engine.db.connect import Connection, Database
    from engine.endpoints.gate import Due, Sighting
    from engine.endpoints.limits import Grant

PROBE_LEASE = 30 * SECOND
"""Beyond its attempt's own time, a probe is waited for so long before another process makes one."""

_UNAVAILABLE_PAUSE = SECOND // 2
_MOST_AHEAD = 16

_T = TypeVar("_T")
Version = tuple[int, int, int | None]
"""What changes with every edit of an endpoint or its auth profile."""


@dataclass(slots=True)
class Limits:
    """What an endpoint's settings say of its calls; ``attempt`` is how long one may take."""

    concurrency: int
    rate: Rate | None
    policy: GatePolicy
    at_most_once: bool
    attempt: int
    version: Version


@dataclass(slots=True)
class _Traffic:
    """What this process does at an endpoint; the event loop's alone. ``shared`` is its gate as it
    was last read, ``gate`` with what was seen here since; ``version`` are the settings that were in
    force when it was shut.
    """

    shared: SharedGate = UNTOUCHED
    gate: Gate = OPEN
    version: Version | None = None
    permits: Permits | None = None
    asking: bool = False
    ask_at: int = 0
    claiming: bool = False
    claim_at: int = 0
    may_probe: bool = False
    probe: object = None
    reporting: bool = False
    seen: list[tuple[Sighting, int, bool]] = field(default_factory=list)

    def take(self, shared: SharedGate, policy: GatePolicy) -> None:
        """The gate was read anew."""
        self.shared, self.gate = shared, shared.gate
        for seen, at, probe in self.seen:
            self.gate = after(self.gate, policy, seen, at, probe=probe)


class Traffic:
    """What goes out to the endpoints of a database. ``limits`` and ``gates`` are put in place whole
    by another thread; ``rank`` says which of how many workers this process is. ``changed`` is
    called with the name of an endpoint that calls may go to now. ``now`` tells this moment, in the
    journey time of users.
    """

    def __init__(
        self, database: Database | None, clock: Clock, rank: Callable[[], Rank] = Rank
    ) -> None:
        self._database = database
        self._clock = clock
        self.now = clock.moment
        self._traffic: dict[str, _Traffic] = {}
        self.limits: Mapping[str, Limits] = {}
        self.gates: Mapping[str, SharedGate] = {}
        self.rank = rank
        self.changed: Callable[[str], None] = _nobody

    def admit(
        self, endpoint: str, call: Due, queued: Callable[[], int]
    ) -> float | Parked | Refused:
        """Whether a call may go: 0.0 if so, else the seconds until a permit is free (inf:
        ``changed`` tells), or what its gate says. ``queued()`` calls, this one among them, wait.
        """
        limits = self.limits.get(endpoint)
        if limits is None or self._database is None:
            return 0.0
        if limits.rate is None and endpoint not in self.gates and endpoint not in self._traffic:
            return 0.0
        traffic = self._traffic.get(endpoint)
        if traffic is None:
            traffic = self._traffic[endpoint] = _Traffic()
        now = self._clock.now()
        if traffic.gate is not OPEN or endpoint in self.gates:
            verdict = self._pass_gate(endpoint, traffic, limits, call, now)
            if verdict is not None:
                return verdict
        if limits.rate is not None:
            wait = self._take_permit(endpoint, traffic, limits.rate, queued(), now)
            if wait > 0:
                return wait
        if traffic.may_probe:
            traffic.may_probe, traffic.probe = False, call
            if not call.first_at and traffic.gate.since is not None:
                call.first_at = max(traffic.gate.since, call.due_at)  # held since then
        return 0.0

    def withdrawn(self, endpoint: str, call: Due) -> None:
        """A call that was let go isn't made after all; the next one is the probe if it was."""
        traffic = self._traffic.get(endpoint)
        if traffic is not None and traffic.probe is call:
            traffic.may_probe, traffic.probe = True, None

    def answered(self, endpoint: str, call: object, result: Result) -> None:
        """An attempt came to a result: it may say something of the endpoint."""
        traffic = self._traffic.get(endpoint)
        probe = traffic is not None and traffic.probe is call
        if not probe and result.failure is None and 0 < result.answer.status < 429:
            return
        now = self._clock.now()
        seen = sighting(result, now)
        limits = self.limits.get(endpoint)
        if self._database is None or limits is None or (seen is WELL and not probe):
            return
        traffic = traffic or self._traffic.setdefault(endpoint, _Traffic())
        if probe:
            traffic.probe = None
        elif not limits.policy.concerns(seen):
            return
        traffic.seen.append((seen, now, probe))
        traffic.gate = after(traffic.gate, limits.policy, seen, now, probe=probe)
        self._report(endpoint, traffic)

    def _pass_gate(
        self, endpoint: str, traffic: _Traffic, limits: Limits, call: Due, now: int
    ) -> float | Parked | Refused | None:
        """What the gate says; None: on."""
        stored = self.gates.get(endpoint, UNTOUCHED)
        if stored.change > traffic.shared.change:
            traffic.take(stored, limits.policy)
        gate = traffic.gate
        if traffic.may_probe:
            return None
        if traffic.version is None:
            traffic.version = limits.version
        edited = traffic.version != limits.version
        if gate.since is None:
            traffic.version = limits.version
        elif edited:  # perhaps it was mended
            gate = replace(gate, probe_at=min(gate.probe_at, now))
        since = call.first_at if call.first_at and not call.tries else call.due_at
        verdict = admission(gate, limits.policy, since, now)
        if verdict == "go":
            return None
        if verdict != "probe":
            waits = isinstance(verdict, Refused) and traffic.probe is not None
            return math.inf if waits else verdict  # the probe will tell in a moment
        if traffic.claiming:
            return math.inf
        if now < traffic.claim_at <= now + _UNAVAILABLE_PAUSE:
            return (traffic.claim_at - now) / SECOND
        traffic.version = limits.version
        self._claim(endpoint, traffic, limits, now)
        return math.inf

    def _take_permit(
        self, endpoint: str, traffic: _Traffic, rate: Rate, queued: int, now: int
    ) -> float:
        permits = traffic.permits
        if permits is None or permits.rate != rate:
            permits = traffic.permits = Permits(rate)
            traffic.ask_at = 0
        if traffic.ask_at > now + rate.farthest:  # the clock went back
            traffic.ask_at = now
        wait = permits.take(now)
        wanted = self._wanted(rate, queued)
        if not traffic.asking and 2 * permits.left < wanted and now >= traffic.ask_at:
            self._ask(endpoint, traffic, permits, wanted - permits.left)
        if wait is not None:
            return wait / SECOND
        return math.inf if traffic.asking else max(1, traffic.ask_at - now) / SECOND

    def _wanted(self, rate: Rate, queued: int) -> int:
        """How many permits to have at hand."""
        share = -(-rate.count // self.rank().workers)
        return min(max(queued, min(_MOST_AHEAD, share // 8)), share)

    # --- beside the sending ----------------------------------------------------------------

    def _ask(self, endpoint: str, traffic: _Traffic, permits: Permits, wanted: int) -> None:
        used = permits.settled()

        def job(connection: Connection) -> tuple[list[Grant], int]:
            now = self._clock.now()
            return states.take_permits(connection, endpoint, permits.rate, now, wanted, used)

        def then(taken: tuple[list[Grant], int] | None) -> None:
            traffic.asking = False
            if taken is None:
                permits.unsettle(used)
                traffic.ask_at = self._clock.now() + _UNAVAILABLE_PAUSE
                return
            grants, traffic.ask_at = taken
            permits.add(grants)

        traffic.asking = True
        self._beside(endpoint, job, then)

    def _claim(self, endpoint: str, traffic: _Traffic, limits: Limits, now: int) -> None:
        seen, until = traffic.shared.gate, now + limits.attempt + PROBE_LEASE

        def job(connection: Connection) -> tuple[bool, SharedGate]:
            claimed = states.claim_probe(connection, endpoint, seen, until)
            return claimed, states.gate_of(connection, endpoint)

        def then(claimed: tuple[bool, SharedGate] | None) -> None:
            traffic.claiming = False
            if claimed is None:
                traffic.claim_at = self._clock.now() + _UNAVAILABLE_PAUSE
                return
            traffic.may_probe = claimed[0]
            traffic.take(claimed[1], limits.policy)

        traffic.claiming = True
        self._beside(endpoint, job, then)

    def _report(self, endpoint: str, traffic: _Traffic) -> None:
        limits = self.limits.get(endpoint)
        if traffic.reporting or not traffic.seen or limits is None:
            return
        seen, traffic.seen = traffic.seen, []
        policy = limits.policy

        def job(connection: Connection) -> SharedGate:
            return states.observe(connection, endpoint, policy, seen)

        def then(shared: SharedGate | None) -> None:
            traffic.reporting = False
            if shared is None:
                traffic.seen[:0] = seen
                loop = asyncio.get_running_loop()
                loop.call_later(_UNAVAILABLE_PAUSE / SECOND, self._report, endpoint, traffic)
                return
            traffic.take(shared, policy)
            self._report(endpoint, traffic)

        traffic.reporting = True
        self._beside(endpoint, job, then)

    def _beside(
        self,
        endpoint: str,
        job: Callable[[Connection], _T],
        then: Callable[[_T | None], None],
    ) -> None:
        """Do a job in a transaction and a thread of its own; None where the database is away."""
        loop = asyncio.get_running_loop()
        assert self._database is not None  # noqa: S101 - for the type checker
        work = loop.run_in_executor(None, partial(states.in_transaction, self._database, job))

        def ended(done: asyncio.Future[_T | None]) -> None:
            if not done.cancelled():
                then(done.result())
                self.changed(endpoint)

        work.add_done_callback(ended)


def _nobody(_endpoint: str) -> None:
    """Nobody listens yet."""
