"""Endpoints' settings as they stand now: terms for decide, limits and gates for send.

Settings are read again where a version changed, so that an edit holds for the next set in every
process. Rate limits and gates hold over all processes: they are kept in ``endpoint_states``, and
looked at there beside the sending, never during it.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from engine.clock import RealClock
from engine.core.expressions.durations import SECOND
from engine.endpoints import states, store
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
from engine.endpoints.limits import Permits, Rate
from engine.endpoints.model import Endpoint, gate_policy, terms
from engine.endpoints.states import UNTOUCHED, SharedGate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.clock import Clock
    from engine.core.steps.base import Result
    from engine.core.steps.terms import Terms
    from engine.db.connect import Connection, Database
    from engine.endpoints.gate import Sighting
    from engine.endpoints.limits import Grant

DEFAULT_CONCURRENCY = int(Endpoint.model_fields["concurrency"].default)

PROBE_LEASE = 30 * SECOND
"""Beyond its attempt's own time, a probe is waited for so long before another process makes one."""

_UNAVAILABLE_PAUSE = SECOND // 2
_MOST_AHEAD = 16

_T = TypeVar("_T")


@dataclass(slots=True)
class _Limits:
    concurrency: int
    rate: Rate | None
    policy: GatePolicy
    at_most_once: bool
    attempt: int
    version: tuple[int, int, int | None]


@dataclass(slots=True)
class _Traffic:
    """What this process does at an endpoint; the event loop's alone. ``shared`` is its gate as it
    was last read, ``gate`` with what was seen here since; ``version`` are the settings that were in
    force when it was shut.
    """

    shared: SharedGate = UNTOUCHED
    gate: Gate = OPEN
    version: tuple[int, int, int | None] | None = None
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


class LiveEndpoints:
    """The endpoints of one database. What isn't known (yet, or any more) has the defaults.

    Without ``database`` it only tells terms. ``changed`` is called on the event loop with the name
    of an endpoint that calls may go to now.
    """

    def __init__(self, database: Database | None = None, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or RealClock()
        self._versions: dict[str, tuple[int, int, int | None]] = {}
        self._terms: dict[str, Terms] = {}
        self._limits: dict[str, _Limits] = {}
        self._gates: dict[str, SharedGate] = {}
        self._traffic: dict[str, _Traffic] = {}
        self._share = (0, 1)
        self.changed: Callable[[str], None] = _nobody

    # --- the deciding thread ---------------------------------------------------------------

    def terms(self, connection: Connection) -> Mapping[str, Terms]:
        """The terms of every endpoint as they stand in the transaction of ``connection``."""
        versions = store.versions(connection)
        if versions != self._versions:
            self._take(connection, versions)
        self._gates = states.gates(connection)
        return self._terms

    def share(self, number: int, workers: int) -> None:
        """This process is worker ``number`` (from 0) of so many: that share is its own."""
        self._share = (number, workers)

    def concurrency(self, endpoint: str) -> int:
        """How many calls this process may have in flight to an endpoint."""
        limits = self._limits.get(endpoint)
        most = DEFAULT_CONCURRENCY if limits is None else limits.concurrency
        return share_of(most, *self._share)

    def at_most_once(self, endpoint: str) -> bool:
        """Whether its calls must be marked as started before the wire is touched."""
        limits = self._limits.get(endpoint)
        return limits is not None and limits.at_most_once

    def _take(
        self, connection: Connection, versions: dict[str, tuple[int, int, int | None]]
    ) -> None:
        # Whole mappings are put in place, since another thread reads them.
        endpoints = [stored.endpoint for stored in store.load_all(connection)]
        self._terms = {endpoint.name: terms(endpoint) for endpoint in endpoints}
        self._limits = {one.name: _limits(one, versions[one.name]) for one in endpoints}
        self._versions = versions

    # --- the event loop's thread -----------------------------------------------------------

    def admit(
        self, endpoint: str, call: object, due_at: int, queued: int
    ) -> float | Parked | Refused:
        """Whether a call that is to be made since ``due_at`` may go: 0.0 if so, else the seconds
        until a permit is free (inf: ``changed`` tells), or what its gate says. ``queued`` calls,
        this one among them, wait for permits.
        """
        limits = self._limits.get(endpoint)
        if limits is None or self._database is None:
            return 0.0
        if limits.rate is None and endpoint not in self._gates and endpoint not in self._traffic:
            return 0.0
        traffic = self._traffic.get(endpoint)
        if traffic is None:
            traffic = self._traffic[endpoint] = _Traffic()
        now = self._clock.now()
        if traffic.gate is not OPEN or endpoint in self._gates:
            verdict = self._pass_gate(endpoint, traffic, limits, due_at, now)
            if verdict is not None:
                return verdict
        if limits.rate is not None:
            wait = self._take_permit(endpoint, traffic, limits.rate, queued, now)
            if wait > 0:
                return wait
        if traffic.may_probe:
            traffic.may_probe, traffic.probe = False, call
        return 0.0

    def answered(self, endpoint: str, call: object, result: Result) -> None:
        """An attempt came to a result: it may say something of the endpoint."""
        traffic = self._traffic.get(endpoint)
        probe = traffic is not None and traffic.probe is call
        if not probe and result.failure is None and 0 < result.answer.status < 429:
            return
        now = self._clock.now()
        seen = sighting(result, now)
        limits = self._limits.get(endpoint)
        if self._database is None or limits is None or (seen is WELL and not probe):
            return
        if traffic is None:
            traffic = self._traffic[endpoint] = _Traffic()
        if probe:
            traffic.probe = None
        elif not _concerns(seen, limits.policy):
            return
        traffic.seen.append((seen, now, probe))
        traffic.gate = after(traffic.gate, limits.policy, seen, now, probe=probe)
        self._report(endpoint, traffic)

    def _pass_gate(
        self, endpoint: str, traffic: _Traffic, limits: _Limits, due_at: int, now: int
    ) -> float | Parked | Refused | None:
        """What the gate says; None: on."""
        stored = self._gates.get(endpoint, UNTOUCHED)
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
        verdict = admission(gate, limits.policy, due_at, now)
        if verdict == "go":
            return None
        if verdict != "probe":
            return verdict
        if traffic.claiming:
            return math.inf
        if now < traffic.claim_at:
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
        wait = permits.take(now)
        wanted = self._wanted(rate, queued)
        if not traffic.asking and 2 * permits.left < wanted and now >= traffic.ask_at:
            self._ask(endpoint, traffic, permits, wanted - permits.left)
        if wait is not None:
            return wait / SECOND
        return math.inf if traffic.asking else max(1, traffic.ask_at - now) / SECOND

    def _wanted(self, rate: Rate, queued: int) -> int:
        """How many permits to have at hand."""
        share = -(-rate.count // self._share[1])
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

    def _claim(self, endpoint: str, traffic: _Traffic, limits: _Limits, now: int) -> None:
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
        limits = self._limits.get(endpoint)
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
        done = loop.run_in_executor(None, partial(_in_transaction, self._database, job))
        done.add_done_callback(partial(self._done, endpoint, then))

    def _done(
        self, endpoint: str, then: Callable[[_T | None], None], done: asyncio.Future[_T | None]
    ) -> None:
        if not done.cancelled():
            then(done.result())
            self.changed(endpoint)


def share_of(concurrency: int, number: int, workers: int) -> int:
    """The calls in flight that worker ``number`` (from 0) of ``workers`` may have of an endpoint's:
    together they have them all, but each at least one, so that no bucket's users stand still.
    """
    each, rest = divmod(concurrency, workers)
    return max(1, each + (number < rest))


def _limits(endpoint: Endpoint, version: tuple[int, int, int | None]) -> _Limits:
    written = endpoint.rate_limit
    return _Limits(
        concurrency=endpoint.concurrency,
        rate=None if written is None else Rate(written.count, written.per.microseconds),
        policy=gate_policy(endpoint),
        at_most_once=endpoint.delivery == "at_most_once",
        attempt=endpoint.timeout.total.microseconds,
        version=version,
    )


def _concerns(seen: Sighting, policy: GatePolicy) -> bool:
    """Whether a gate of that policy may change by it."""
    if seen.what == "refused":
        return policy.hold is not None
    return seen.what == "busy" or policy.breaker is not None


def _in_transaction(database: Database, job: Callable[[Connection], _T]) -> _T | None:
    try:
        with database.write() as connection:
            return job(connection)
    except Exception:  # noqa: BLE001 (whatever it is: asked again, and calls wait so long)
        return None


def _nobody(_endpoint: str) -> None:
    """Nobody listens yet."""
