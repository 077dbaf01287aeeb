"""The order in which a run takes its users in."""

from __future__ import annotations

from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING

from engine.core.expressions.assignment import bucket_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.users.row import UserRow

Comer = tuple[int, "UserRow"]
"""A user's bucket, and his row."""

BLOCK = 16384
"""Users who are put in order together. A run's position counts in this order, so it is written down
with each run: it never changes under an unfinished one."""


def by_bucket(
    rows: Callable[[int], Iterator[UserRow]], position: int, block: int
) -> Iterator[Comer]:
    """A run's users from ``position`` on; ``rows`` gives those of the input from a number on.

    Within each ``block`` of the input they come bucket by bucket: everything is stored by bucket,
    so those who are taken in together are stored together, and a commit changes a tenth of the
    pages.
    """
    start = position - position % block
    done = position - start
    found = rows(start)
    while rows_ := list(islice(found, block)):
        comers = [(bucket_of(row.id), row) for row in rows_]
        comers.sort(key=itemgetter(0))
        yield from islice(comers, done, None)
        done = 0
