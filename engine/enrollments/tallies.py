"""What became of everybody in each journey, in a few numbers a journey: for lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.enrollments import store

if TYPE_CHECKING:
    from engine.db.connect import Connection


@dataclass(slots=True)
class Tally:
    """How many passages began and ended, steps failed, and goals counted (those of who was held
    out left aside), in all versions, of all time.
    """

    entered: int = 0
    ended: int = 0
    failed: int = 0
    goals: int = 0

    @property
    def inside(self) -> int:
        """How many are on their way."""
        return self.entered - self.ended


def tallies(connection: Connection) -> dict[str, Tally]:
    """Every journey's numbers, from what was counted; journeys that nobody entered aren't there."""
    rows = connection.exec_driver_sql(
        "SELECT v.journey, s.kind, sum(s.n) FROM step_counts AS s"
        " JOIN versions AS v ON v.id = s.version_id WHERE s.kind IN (?, ?, ?, ?)"
        " GROUP BY v.journey, s.kind",
        (store.ADMITTED, store.OUTCOME, store.FAILED, store.GOAL),
    )
    found: dict[str, Tally] = {}
    for journey, kind, count in rows:
        setattr(found.setdefault(journey, Tally()), _NAMES[kind], int(count))
    return found


_NAMES = {
    store.ADMITTED: "entered",
    store.OUTCOME: "ended",
    store.FAILED: "failed",
    store.GOAL: "goals",
}
