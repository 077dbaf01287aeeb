"""Sending failed calls again: what it would be about, and marking them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.audit.store import record
from engine.enrollments import redrive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.db.connect import Database
    from engine.enrollments.calls import ListedCall

MARKED_AT_ONCE = 500
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class FailedAlike:
    """So many ``calls`` of one step failed with one code."""

    journey: str
    step: str
    endpoint: str
    failure: str | None
    calls: int


def by_failure(found: Sequence[ListedCall]) -> list[FailedAlike]:
    """What failed alike, the most frequent first."""
    counted = Counter((c.journey, c.step, c.endpoint, c.failure) for c in found)
    return [FailedAlike(*key, calls) for key, calls in counted.most_common()]


def mark(
    database: Database,
    found: Sequence[ListedCall],
    *,
    apply_outputs: bool,
    actor: str,
    now: int,
) -> int:
    """Mark failed calls to be sent again, in sets, so that nobody waits for long; how many were
    still failed. Whoever works their users sends them. ``now`` is wall time.
    """
    marked = 0
    for first in range(0, len(found), MARKED_AT_ONCE):
        some = [call.place for call in found[first : first + MARKED_AT_ONCE]]
        with database.write() as connection:
            marked += redrive.mark(connection, some, apply_outputs=apply_outputs)
            if first == 0:
                names = ", ".join(sorted({call.endpoint for call in found})[:_MOST_NAMED])
                record(connection, now, actor, "redrive", "calls", names, (str(len(found)),))
    return marked
