"""Endpoints' settings as they stand now, for the loops: terms and contact policy for decide, limits
for send.

Read again where a version changed, so that an edit holds for the next set in every process. Limits
hold over all journeys of this process, which is all there is where one worker owns every bucket.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.clock import stopwatch
from engine.core.expressions.durations import SECOND
from engine.endpoints import store
from engine.endpoints.contact_policy import LivePolicy
from engine.endpoints.limits import Window
from engine.endpoints.model import Endpoint, terms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.core.interpreter.contact import PolicyInForce
    from engine.core.steps.terms import Terms
    from engine.db.connect import Connection

DEFAULT_CONCURRENCY = int(Endpoint.model_fields["concurrency"].default)


@dataclass(slots=True)
class _Limits:
    concurrency: int
    window: Window | None
    at_most_once: bool


class LiveEndpoints:
    """The endpoints of one database. What isn't known (yet, or any more) has the defaults."""

    def __init__(
        self, clock: Callable[[], float] = stopwatch, *, policy: PolicyInForce | None = None
    ) -> None:
        self._stopwatch = clock
        self._policy = None if policy is None else LivePolicy(policy)
        self._versions: dict[str, tuple[int, int]] = {}
        self._terms: dict[str, Terms] = {}
        self._limits: dict[str, _Limits] = {}

    def terms(self, connection: Connection) -> Mapping[str, Terms]:
        """The terms of every endpoint as they stand in the transaction of ``connection``. The
        contact policy is put in force that stands there, too.
        """
        if self._policy is not None:
            self._policy.look(connection)
        versions = store.versions(connection)
        if versions != self._versions:
            self._take(connection, versions)
        return self._terms

    def concurrency(self, endpoint: str) -> int:
        """How many calls it may have in flight."""
        limits = self._limits.get(endpoint)
        return DEFAULT_CONCURRENCY if limits is None else limits.concurrency

    def pause(self, endpoint: str) -> float:
        """Take a permit of its rate limit: 0.0 if granted, else seconds until one is free."""
        limits = self._limits.get(endpoint)
        if limits is None or limits.window is None:
            return 0.0
        return limits.window.take(self._stopwatch())

    def at_most_once(self, endpoint: str) -> bool:
        """Whether its calls must be marked as started before the wire is touched."""
        limits = self._limits.get(endpoint)
        return limits is not None and limits.at_most_once

    def _take(self, connection: Connection, versions: dict[str, tuple[int, int]]) -> None:
        # Whole mappings are put in place, since another thread reads them.
        endpoints = [stored.endpoint for stored in store.load_all(connection)]
        self._terms = {endpoint.name: terms(endpoint) for endpoint in endpoints}
        self._limits = {endpoint.name: self._limits_of(endpoint) for endpoint in endpoints}
        self._versions = versions

    def _limits_of(self, endpoint: Endpoint) -> _Limits:
        window = None
        if endpoint.rate_limit is not None:
            rate = (endpoint.rate_limit.count, endpoint.rate_limit.per.microseconds / SECOND)
            before = self._limits.get(endpoint.name)
            window = before.window if before is not None else None
            if window is None or (window.count, window.per_s) != rate:
                window = Window(*rate)
        return _Limits(endpoint.concurrency, window, endpoint.delivery == "at_most_once")
