from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.enrollments import arriving
from engine.users.row import UserRow


def users(count: int) -> list[UserRow]:
    return [UserRow(n + 2, f"u{n}", None, {}, {}) for n in range(count)]


def taken(count: int, position: int = 0, block: int = arriving.BLOCK) -> list[str]:
    everybody = users(count)

    def rows(start: int) -> Iterator[UserRow]:
        return iter(everybody[start:])

    return [row.id for _, row in arriving.by_bucket(rows, position, block)]


def test_everybody_comes_once_bucket_by_bucket_within_a_block() -> None:
    order = taken(2500, block=1000)
    assert sorted(order) == sorted(f"u{n}" for n in range(2500))
    for start in (0, 1000, 2000):
        block = [bucket_of(name) for name in order[start : start + 1000]]
        assert all(before <= after for before, after in pairwise(block))
        assert set(order[start : start + 1000]) == {f"u{n}" for n in range(2500)[start:][:1000]}


def test_those_of_one_bucket_keep_the_order_of_the_input() -> None:
    numbers = [int(name[1:]) for name in taken(3000) if bucket_of(name) == 7]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("position", [0, 1, 9, 10, 11, 25, 39, 40])
def test_a_position_goes_on_exactly_where_it_was(position: int) -> None:
    assert taken(40, position, 10) == taken(40, block=10)[position:]
