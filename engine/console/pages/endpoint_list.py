"""Endpoints as a list: where calls go, what they authenticate with, and how they fare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.console.listing import as_csv, part_of, wants_csv
from engine.console.visit import Page, Shown
from engine.core.expressions.calendar import DAY
from engine.credentials.store.profiles import kinds
from engine.endpoints import states, store
from engine.enrollments.endpoint_figures import EndpointFigures, endpoint_figures
from engine.operations.tables import instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.console.visit import Reply, Visit
    from engine.db.connect import Connection
    from engine.endpoints.states import SharedGate
    from engine.endpoints.store import Stored

_COLUMNS = (
    *("name", "base_url", "auth", "title", "state", "calls", "failed", "p50_ms", "p99_ms"),
    *("version", "changed_at"),
)
LATELY_US = 7 * DAY
"""How long answers take is told of calls of so long."""


def _list(visit: Visit) -> Reply:
    text = visit.query["q"].lower()
    with visit.means.database.read() as connection:
        gates = states.gates(connection)
        found = [
            (stored, gates.get(stored.endpoint.name, states.UNTOUCHED))
            for stored in store.load_all(connection)
            if _holds(stored, text)
        ]
        kind_of = kinds(connection)
        figures = figures_of(visit, connection)
    if wants_csv(visit):
        rows = (_row(*each, figures, visit.now) for each in found)
        return as_csv("endpoints", rows, _COLUMNS)
    part = part_of(visit, "/endpoints", found)
    values = {
        "found": part.rows,
        "part": part,
        "kind_of": kind_of,
        "figures": figures,
        "none_called": EndpointFigures(),
    }
    return Shown("endpoints.html", values)


def figures_of(visit: Visit, connection: Connection) -> dict[str, EndpointFigures]:
    """How each endpoint fares."""
    means = visit.means
    return means.remembered.get(
        "endpoint figures",
        lambda: endpoint_figures(connection, means.versions, since=visit.now - LATELY_US),
    )


def _holds(stored: Stored, text: str) -> bool:
    endpoint = stored.endpoint
    places = (endpoint.name, endpoint.title or "", endpoint.base_url, endpoint.auth)
    return any(text in place.lower() for place in places)


def _row(
    stored: Stored, shared: SharedGate, figures: Mapping[str, EndpointFigures], now: int
) -> dict[str, object]:
    endpoint, lost = stored.endpoint, stored.auth_lost
    own = figures.get(endpoint.name, EndpointFigures())
    return {
        "name": endpoint.name,
        "base_url": endpoint.base_url,
        "auth": endpoint.auth if lost is None else f"{lost} (deleted)",
        "title": endpoint.title,
        "state": shared.gate.words(now),
        "calls": own.calls,
        "failed": own.failed,
        "p50_ms": _ms(own.p50),
        "p99_ms": _ms(own.p99),
        "version": stored.version,
        "changed_at": instant(stored.changed_at),
    }


def _ms(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1000


PAGES = (Page("GET", "/endpoints", Permission.ENDPOINTS_READ, _list),)
