"""The idempotency keys of calls."""

from __future__ import annotations

import hashlib
from itertools import pairwise

_BYTES = 20  # the first 32 characters of Base32 are those of the first 20 bytes
_LANES = (256, 128, 64, 32, 16, 8)
"""Bits among which the 160 are spread: first as one group, in the end as 32 groups of five."""


def _spreading() -> tuple[tuple[int, int, int], ...]:
    """How each group becomes two: by how much its upper half moves, and the bits of both halves."""
    spreading = []
    for wide, narrow in pairwise(_LANES):
        half = narrow * 5 // 8
        lower = sum((1 << half) - 1 << start for start in range(0, 256, wide))
        spreading.append((narrow - half, lower << half, lower))
    return tuple(spreading)


_SPREADING = _spreading()
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".ljust(256)


def call_key(installation: str, enrollment: int, step: str, visit: int) -> str:
    """The idempotency key of a call: the same over retries, restarts and redrive, never shared by
    two installations.
    """
    text = f"v1|{installation}|{enrollment}|{step}|{visit}"
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:_BYTES], "big")
    # Base32 (RFC 4648), for all groups at once: base64.b32encode takes twice as long.
    for shift, upper, lower in _SPREADING:
        number = (number & upper) << shift | number & lower
    return number.to_bytes(32, "big").translate(_ALPHABET).decode()
