"""Ids of rows that we make ourselves."""

from __future__ import annotations

import random
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_RANDOM_BITS = 22
_EPOCH_MS = 946_684_800_000  # 2000-01-01: 41 bits of milliseconds last until 2069


class IdMaker:
    """63-bit ids: milliseconds and randomness, rising within one maker.

    ``entropy`` gives a number below 2**22; it is an argument, so a simulation can repeat itself.
    """

    __slots__ = ("_entropy", "_last")

    def __init__(self, entropy: Callable[[], int]) -> None:
        self._entropy = entropy
        self._last = 0

    def __call__(self, now: int) -> int:
        """A new id for the instant ``now`` (microseconds UTC)."""
        made = max(0, now // 1000 - _EPOCH_MS) << _RANDOM_BITS | self._entropy()
        self._last = made if made > self._last else self._last + 1
        return self._last

    def many(self, now: int, count: int) -> range:
        """So many new ids for the instant ``now``, rising: at least one."""
        first = self(now)
        self._last = first + count - 1
        return range(first, first + count)


_random = random.Random(secrets.randbits(128))  # noqa: S311 (an id is no secret)


def entropy() -> int:
    """Random bits for an id."""
    return _random.getrandbits(_RANDOM_BITS)
