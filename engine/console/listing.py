"""Lists that leave the console: the same rows, by the same filter, as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.console.refusals import Refusal
from engine.console.visit import Sent
from engine.operations.since import instant_since
from engine.operations.tables import csv_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.console.visit import Visit

MOST = 100
"""So many rows stand on a page."""

CSV = "csv"
"""``?format=csv``: the list as a file."""


def wants_csv(visit: Visit) -> bool:
    """Whether the list is asked for as CSV."""
    return visit.query["format"] == CSV


def as_csv(name: str, rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> Sent:
    """The rows as a file."""
    body = csv_text(rows, columns).encode("utf-8", "replace")
    return Sent(body, "text/csv; charset=utf-8", f"{name}.csv")


def since_of(visit: Visit) -> int | None:
    """From when on a list is asked for; None for everything. Raises Refusal."""
    written = visit.query["since"]
    if not written:
        return None
    found = instant_since(written, visit.now)
    if found is None:
        raise Refusal(
            400,
            "No time",
            f"{written[:60]!r} is no ISO 8601 time and no length of time, as in 2026-11-22 or 7d",
        )
    return found
