"""What Prometheus reads. Names follow its conventions: base units, ``_total`` for what only rises.

https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from engine import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.operations.store import Finding
    from engine.users.ingest import Ingested

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_SIZES = (1, 4, 16, 64, 256, 1_024, 4_096, 16_384)
_BAD = {"ok": 1.0, "odd": 0.5, "wrong": 0.0}


class Metrics:
    """The figures of this process since it was started."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "journey_http_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "journey_http_request_seconds",
            "From a request's head to the end of its answer.",
            ["route"],
            buckets=_LATENCIES,
            registry=registry,
        )
        self._facts = Counter(
            "journey_ingested", "Facts that are durable.", ["kind"], registry=registry
        )
        self._refused = Counter(
            "journey_ingest_refused", "Facts refused, by why.", ["code"], registry=registry
        )
        self._groups = Histogram(
            "journey_ingest_commit_facts",
            "Facts made durable by one commit.",
            buckets=_SIZES,
            registry=registry,
        )
        self._commits = Histogram(
            "journey_ingest_commit_seconds",
            "How long such a commit took.",
            buckets=_LATENCIES,
            registry=registry,
        )
        self._health = Gauge(
            "journey_health",
            "Each part of this process: 1 is well, 0.5 odd, 0 wrong.",
            ["part"],
            registry=registry,
        )
        Gauge("journey_info", "The version.", ["version"], registry=registry).labels(
            __version__
        ).set(1)
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def served(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        known = self._known.get((route, status))
        if known is None:
            known = (self._requests.labels(route, str(status)), self._seconds.labels(route))
            self._known[route, status] = known
        known[0].inc()
        known[1].observe(seconds)

    def refused(self, code: str) -> None:
        """A fact can't be taken."""
        self._refused.labels(code).inc()

    def committed(self, added: Ingested, seconds: float) -> None:
        """Facts became durable by one commit. For any thread."""
        for kind in ("events", "changes", "entries"):
            count: int = getattr(added, kind)
            if count:
                self._facts.labels(kind).inc(count)
        self._groups.observe(added.total)
        self._commits.observe(seconds)

    def text(self, health: Sequence[Finding]) -> bytes:
        """All of it, in Prometheus' text format."""
        for finding in health:
            self._health.labels(finding.part).set(_BAD[finding.state])
        return generate_latest(self._registry)
