"""How endpoints fare: calls and failures as they were counted, and how long answers take.

The counts are exact and of all time. How long it took is read from executions, which hold when a
call's turn came and when it was over: retries and waits for a limit are part of it. They may be
many millions, so a sample is enough: users are spread over the buckets by a hash of their ids, and
whole buckets are read until there are enough.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from engine.clock import stopwatch
from engine.core.expressions.assignment import BUCKETS
from engine.core.steps.call_api import CallApiStep
from engine.enrollments import store
from engine.enrollments.summary import STEP_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.db.connect import Connection
    from engine.versions.store import Versions

SAMPLED = 20_000
"""So many steps are enough to tell how long answers take."""
_PATIENCE_S = 0.5


@dataclass(slots=True)
class EndpointFigures:
    """An endpoint's calls that are over, how many of them failed, and the requests they took.
    ``p50`` and ``p99`` are lengths in microseconds, of ``sampled`` calls; None of none.
    """

    calls: int = 0
    failed: int = 0
    attempts: int = 0
    sampled: int = 0
    p50: int | None = None
    p99: int | None = None


@dataclass(slots=True, frozen=True)
class FailedCalls:
    """Calls that failed for good and are kept: of one endpoint and failure, the last one at
    ``last_at`` (microseconds UTC).
    """

    endpoint: str
    failure: str
    count: int
    last_at: int


def endpoint_figures(
    connection: Connection, versions: Versions, *, since: int
) -> dict[str, EndpointFigures]:
    """The figures by endpoint; those that nobody called aren't there. ``since`` (microseconds UTC)
    is from when on it counts how long answers took.
    """
    steps = _Steps(connection, versions)
    found: defaultdict[str, EndpointFigures] = defaultdict(EndpointFigures)
    rows = connection.exec_driver_sql(
        "SELECT version_id, step, kind, name, sum(n), sum(attempts) FROM step_counts"
        " WHERE kind IN (?, ?) AND step >= 0 GROUP BY version_id, step, kind, name",
        (store.SUCCEEDED, store.FAILED),
    )
    for version_id, step, kind, failure, count, attempts in rows.fetchall():
        endpoint = steps.endpoint(version_id, step)
        if endpoint is None:
            continue
        figures = found[endpoint]
        figures.attempts += int(attempts)
        if failure != STEP_LIMIT:
            figures.calls += int(count)
            figures.failed += int(count) if kind == store.FAILED else 0
    for endpoint, lengths in _sampled(connection, steps, since).items():
        figures = found[endpoint]
        figures.sampled = len(lengths)
        figures.p50, figures.p99 = _quantile(lengths, 0.5), _quantile(lengths, 0.99)
    return dict(found)


def failed_calls(connection: Connection) -> list[FailedCalls]:
    """The failed calls that are kept, by endpoint and failure, the most first."""
    rows = connection.exec_driver_sql(
        "SELECT endpoint, coalesce(failure, ''), count(*), max(finished_at) FROM calls"
        " WHERE finished_at IS NOT NULL GROUP BY endpoint, failure"
        " ORDER BY count(*) DESC, endpoint, failure"
    )
    return [FailedCalls(row[0], row[1], int(row[2]), int(row[3])) for row in rows]


class _Steps:
    """Which endpoint a step calls, by version and number; looked up once."""

    def __init__(self, connection: Connection, versions: Versions) -> None:
        self._connection = connection
        self._versions = versions
        self._known: dict[int, list[str | None]] = {}

    def endpoint(self, version_id: int, step: int) -> str | None:
        """None for a step that calls none."""
        known = self._known.get(version_id)
        if known is None:
            nodes = self._versions.get(self._connection, version_id).program.nodes
            taken = [node.step for node in nodes]
            known = [one.endpoint if isinstance(one, CallApiStep) else None for one in taken]
            self._known[version_id] = known
        return known[step] if 0 <= step < len(known) else None


def _sampled(connection: Connection, steps: _Steps, since: int) -> dict[str, list[int]]:
    """How long calls took, in order, by endpoint."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    left, until = SAMPLED, stopwatch() + _PATIENCE_S
    for bucket in range(BUCKETS):
        rows = connection.exec_driver_sql(
            "SELECT e.version_id, x.step, x.ended_at - x.started_at FROM executions AS x"
            " JOIN enrollments AS e ON e.bucket = x.bucket AND e.id = x.enrollment"
            " WHERE x.bucket = ? AND x.ended_at >= ? AND x.attempts > 0 LIMIT ?",
            (bucket, since, left),
        ).fetchall()
        for version_id, step, length in rows:
            endpoint = steps.endpoint(version_id, step)
            if endpoint is not None:
                found[endpoint].append(max(0, length))
        left -= len(rows)
        if left <= 0 or stopwatch() > until:
            break
    return {endpoint: sorted(lengths) for endpoint, lengths in found.items()}


def _quantile(lengths: Sequence[int], share: float) -> int:
    """The smallest of them that so many aren't above (nearest rank)."""
    return lengths[max(0, ceil(share * len(lengths)) - 1)]
