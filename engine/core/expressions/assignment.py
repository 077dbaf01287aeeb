"""Lots that fall the same on every machine: arms, holdout, buckets, jitter.

BLAKE2b (RFC 7693) with an 8-byte digest over the fields in UTF-8, joined by the unit separator
0x1f, read as a big-endian number. No database id enters, so a simulation draws what a live run
draws. The two functions of a percentage or of weights use the top 53 bits, which a float holds
exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

_SEPARATOR = "\x1f"


def _digest(text: str) -> bytes:
    # A lone surrogate can reach us inside JSON; it must draw a lot like any other character.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def lot(*fields: str) -> int:
    """The lot of these fields, evenly spread over 0 … 2**64 - 1."""
    return int.from_bytes(_digest(_SEPARATOR.join(fields)), "big")


def fraction(*fields: str) -> float:
    """The lot of these fields as a number in [0, 1)."""
    return (int.from_bytes(_digest(_SEPARATOR.join(fields)), "big") >> 11) * 2.0**-53


def pick_arm(salt: str, user_id: str, weights: Sequence[float]) -> int:
    """The index of the arm that ``user_id`` gets: the same for the same salt and weights.

    ``weights`` are relative, at least one of them above zero; an arm of weight 0 is never picked.
    Raises ValueError if no weight is above zero.
    """
    total = sum(weights)
    if not total > 0:
        raise ValueError("no arm has a weight above zero")
    point = fraction(salt, user_id) * total
    picked = -1
    for index, weight in enumerate(weights):
        if weight > 0:
            picked = index
            if point < weight:
                break
            point -= weight
    return picked


def held_out(salt: str, user_id: str, percent: float) -> bool:
    """Whether ``user_id`` is among the ``percent`` (0 … 100) that a holdout keeps back."""
    return fraction(salt, user_id) * 100.0 < percent


BUCKETS = 256
"""Shares of all users, which never change; whoever works owns some of them."""


def bucket_of(user_id: str) -> int:
    """The bucket (0 … 255) that owns ``user_id``, for ever."""
    # Not by _digest: every event asks for one, and a call is a third of it.
    return blake2b(user_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()[7]
