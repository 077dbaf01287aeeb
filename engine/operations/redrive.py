"""Sending failed calls again: what it would be about, and marking them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from engine.audit.store import record
from engine.enrollments import redrive
from engine.enrollments.calls import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.db.connect import Database
    from engine.enrollments.calls import CallFilter, ListedCall, Rank
    from engine.versions.store import Versions

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


def by_failure(found: Iterable[ListedCall]) -> list[FailedAlike]:
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
    names = _names(call.endpoint for call in found)
    for first in range(0, len(found), MARKED_AT_ONCE):
        some = [call.place for call in found[first : first + MARKED_AT_ONCE]]
        with database.write() as connection:
            marked += redrive.mark(connection, some, apply_outputs=apply_outputs)
            if first == 0:
                record(connection, now, actor, "redrive", "calls", names, (str(len(found)),))
    return marked


def mark_wanted(
    database: Database,
    wanted: CallFilter,
    alike: Sequence[FailedAlike],
    versions: Versions,
    *,
    apply_outputs: bool,
    actor: str,
    now: int,
) -> int:
    """:func:`mark` for those that ``wanted`` means, however many they are: a set is in memory at a
    time. ``alike`` is what :func:`by_failure` counted: no more than those, so that one which fails
    again meanwhile isn't sent for ever.
    """
    total, names = sum(each.calls for each in alike), _names(each.endpoint for each in alike)
    marked = seen = 0
    after: Rank | None = None
    while seen < total:
        with database.read() as connection:
            found = listed(connection, wanted, versions, after)
            some = list(islice(found, min(MARKED_AT_ONCE, total - seen)))
        if not some:
            break
        places = [call.place for call in some]
        with database.write() as connection:
            marked += redrive.mark(connection, places, apply_outputs=apply_outputs)
            if after is None:
                record(connection, now, actor, "redrive", "calls", names, (str(total),))
        seen, after = seen + len(some), some[-1].rank
    return marked


def _names(endpoints: Iterable[str]) -> str:
    return ", ".join(sorted(set(endpoints))[:_MOST_NAMED])
