"""Calls as a list that goes on from page to page."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from engine.enrollments.calls import CallFilter, Rank, by_time, listed, look_ahead
from engine.operations.cursors import LOOKED_THROUGH

if TYPE_CHECKING:
    from engine.db.connect import Connection
    from engine.enrollments.calls import ListedCall
    from engine.versions.store import Versions


def page_of_calls(
    connection: Connection, wanted: CallFilter, versions: Versions, after: Rank | None, most: int
) -> tuple[list[ListedCall], Rank | None]:
    """Up to ``most`` of the calls behind ``after`` that are meant, by their time; and the rank
    behind which the next page begins, None where there is none. Where they are searched for, the
    next :data:`LOOKED_THROUGH` that failed are looked at, and as many that are to be made.
    """
    all_fit = wanted == CallFilter(failed=wanted.failed)
    looked = most + 1 if all_fit else LOOKED_THROUGH
    last = look_ahead(connection, after, looked, failed=wanted.failed)
    found = list(islice(listed(connection, wanted, versions, after, last), most + 1))
    if len(found) > most:
        found.pop()
        last = found[-1].rank
    return by_time(found), last
