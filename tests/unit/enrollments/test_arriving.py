from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.enrollments import arriving
from engine.enrollments.arriving import Order
from engine.users.row import UserRow


def users(count: int) -> list[UserRow]:
    return [UserRow(n + 2, f"u{n}", None, {}, {}) for n in range(count)]


def taken(count: int, position: int = 0, **order: int) -> list[str]:
    everybody = users(count)

    def rows(start: int) -> Iterator[UserRow]:
        return iter(everybody[start:])

    return [row.id for _, row in arriving.in_order(rows, position, Order(**order))]


@pytest.mark.parametrize("stripe", [1, 4, 256])
def test_everybody_comes_once_within_his_block(stripe: int) -> None:
    order = taken(2500, block=1000, stripe=stripe)
    assert sorted(order) == sorted(f"u{n}" for n in range(2500))
    for start in (0, 1000, 2000):
        assert set(order[start : start + 1000]) == {f"u{n}" for n in range(2500)[start:][:1000]}


def test_buckets_come_one_after_another_and_after_a_stripe_one_from_far_away() -> None:
    buckets = [bucket for bucket, _ in groupby(map(bucket_of, taken(9000, stripe=4)))]
    assert sorted(buckets) == list(range(256))
    stripes = [buckets[at : at + 4] for at in range(0, 256, 4)]
    assert stripes[:4] == [
        [0, 1, 2, 3],
        [128, 129, 130, 131],
        [64, 65, 66, 67],
        [192, 193, 194, 195],
    ]
    assert [stripe == list(range(stripe[0], stripe[0] + 4)) for stripe in stripes] == [True] * 64


@pytest.mark.parametrize("workers", [2, 4, 8])
def test_workers_have_their_share_of_whoever_comes(workers: int) -> None:
    """Of two thousand who wait together nobody has none, and nobody much more than the others."""
    order = [bucket_of(name) * workers // 256 for name in taken(16384)]
    for start in range(0, 16384, 2048):
        shares = [order[start : start + 2048].count(worker) for worker in range(workers)]
        assert min(shares) > 0.5 * max(shares)


def test_the_order_of_an_earlier_version_is_that_of_the_buckets() -> None:
    buckets = [bucket_of(name) for name in taken(1000, stripe=256)]
    assert all(before <= after for before, after in pairwise(buckets))


def test_those_of_one_bucket_keep_the_order_of_the_input() -> None:
    numbers = [int(name[1:]) for name in taken(3000) if bucket_of(name) == 7]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("position", [0, 1, 9, 10, 11, 25, 39, 40])
def test_a_position_goes_on_exactly_where_it_was(position: int) -> None:
    assert taken(40, position, block=10) == taken(40, block=10)[position:]
