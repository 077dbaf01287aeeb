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

BLOCK = 8192
"""Users who are put in order together. A run's position counts in this order, so it never changes
under an unfinished run."""


def by_bucket(rows: Callable[[int], Iterator[UserRow]], position: int) -> Iterator[Comer]:
    """A run's users from ``position`` on; ``rows`` gives those of the input from a number on.

    Within each block of the input they come bucket by bucket: everything is stored by bucket, so
    those who are taken in together are stored together, and a commit changes a tenth of the pages.
    """
    start = position - position % BLOCK
    done = position - start
    found = rows(start)
    while rows_ := list(islice(found, BLOCK)):
        block = [(bucket_of(row.id), row) for row in rows_]
        block.sort(key=itemgetter(0))
        yield from islice(block, done, None)
        done = 0
