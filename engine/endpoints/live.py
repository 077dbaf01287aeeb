"""Endpoints' settings as they stand now: terms and contact policy for decide, limits and gates
for send.

Settings are read again where a version changed, so that an edit holds for the next set in every
process; gates at every set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.clock import RealClock
from engine.endpoints import states, store
from engine.endpoints.contact_policy import LivePolicy
from engine.endpoints.limits import Rank, Rate
from engine.endpoints.model import Endpoint, gate_policy, terms
from engine.endpoints.traffic import Limits, Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.clock import Clock
    from engine.core.interpreter.contact import PolicyInForce
    from engine.core.steps.terms import Terms
    from engine.db.connect import Connection, Database
    from engine.endpoints.traffic import Version

DEFAULT_CONCURRENCY = int(Endpoint.model_fields["concurrency"].default)


class LiveEndpoints(Traffic):
    """The endpoints of one database. What isn't known (yet, or any more) has the defaults.

    Without ``database`` it only tells terms. Settings are taken by the deciding thread, the rest is
    the event loop's.
    """

    def __init__(
        self,
        database: Database | None = None,
        clock: Clock | None = None,
        *,
        policy: PolicyInForce | None = None,
        rank: Callable[[], Rank] = Rank,
    ) -> None:
        super().__init__(database, clock or RealClock(), rank)
        self._policy = None if policy is None else LivePolicy(policy)
        self._versions: dict[str, Version] = {}
        self._terms: dict[str, Terms] = {}

    def terms(self, connection: Connection) -> Mapping[str, Terms]:
        """The terms of every endpoint as they stand in the transaction of ``connection``. The
        contact policy is put in force that stands there, too.
        """
        if self._policy is not None:
            self._policy.look(connection)
        versions = store.versions(connection)
        if versions != self._versions:
            self._take(connection, versions)
        self.gates = states.gates(connection)
        return self._terms

    def concurrency(self, endpoint: str) -> int:
        """How many calls this process may have in flight to an endpoint: its share, as of the last
        look at who else works.
        """
        limits = self.limits.get(endpoint)
        most = DEFAULT_CONCURRENCY if limits is None else limits.concurrency
        rank = self.rank()
        return most if rank.workers == 1 else share_of(most, rank)

    def at_most_once(self, endpoint: str) -> bool:
        """Whether its calls must be marked as started before the wire is touched."""
        limits = self.limits.get(endpoint)
        return limits is not None and limits.at_most_once

    def _take(self, connection: Connection, versions: dict[str, Version]) -> None:
        # Whole mappings are put in place, since another thread reads them.
        endpoints = [stored.endpoint for stored in store.load_all(connection)]
        self._terms = {endpoint.name: terms(endpoint) for endpoint in endpoints}
        self.limits = {one.name: _limits(one, versions[one.name]) for one in endpoints}
        self._versions = versions


def share_of(concurrency: int, rank: Rank) -> int:
    """The calls in flight that a worker may have of an endpoint's: together they have them all, but
    each at least one, so that no bucket's users stand still.
    """
    if rank.workers == 1:
        return concurrency
    each, rest = divmod(concurrency, rank.workers)
    return max(1, each + (rank.number < rest))


def _limits(endpoint: Endpoint, version: Version) -> Limits:
    written = endpoint.rate_limit
    return Limits(
        concurrency=endpoint.concurrency,
        rate=None if written is None else Rate(written.count, written.per.microseconds),
        policy=gate_policy(endpoint),
        at_most_once=endpoint.delivery == "at_most_once",
        attempt=endpoint.timeout.total.microseconds,
        version=version,
    )
