"""Passwords whose hash takes no time, for tests of what they are used for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from argon2 import PasswordHasher

from engine.access import passwords


@contextmanager
def cheap_passwords() -> Iterator[None]:
    """Inside, a hash takes 64 KiB and a fraction of a millisecond."""
    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    passwords._nobodys.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "HASHER", hasher)
        yield
    passwords._nobodys.cache_clear()
