"""The order in which a run takes its users in."""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from engine.core.expressions.assignment import BUCKETS, bucket_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.users.row import UserRow

Comer = tuple[int, "UserRow"]
"""A user's bucket, and his row."""


class Order(NamedTuple):
    """How a run's users are put in order: ``block`` of them at a time, and within it by stripes of
    so many neighbouring buckets (a power of two). A run's position counts in this order, so it is
    written down with each run: it never changes under an unfinished one.
    """

    block: int = 16384
    stripe: int = 4


ORDER = Order()
"""That of runs that are opened now."""


def in_order(
    rows: Callable[[int], Iterator[UserRow]], position: int, order: Order
) -> Iterator[Comer]:
    """A run's users from ``position`` on; ``rows`` gives those of the input from a number on.

    Within each block of the input they come bucket by bucket: everything is stored by bucket, so
    those who are taken in together are stored together, and a commit changes a tenth of the pages.
    After each stripe comes one that is far away: workers have neighbouring buckets, so whichever
    users come together are shared by all workers.
    """
    block, places = order.block, _places(order.stripe)
    start = position - position % block
    done = position - start
    found = rows(start)
    while rows_ := list(islice(found, block)):
        comers = [(bucket_of(row.id), row) for row in rows_]
        comers.sort(key=lambda comer: places[comer[0]])
        yield from islice(comers, done, None)
        done = 0


@cache
def _places(stripe: int) -> list[int]:
    """Each bucket's place: stripes stand as their numbers do whose bits are read backwards."""
    stripes = BUCKETS // stripe
    bits = stripes.bit_length() - 1
    backwards = [int(f"{n:0{bits}b}"[::-1], 2) if bits else 0 for n in range(stripes)]
    return [backwards[bucket // stripe] * stripe + bucket % stripe for bucket in range(BUCKETS)]
