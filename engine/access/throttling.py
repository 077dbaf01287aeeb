"""Throttling of failures: how many there may be, and what of one address or name is remembered.

A budget of failures is used up by each and comes back with time. What is used is one number: the
moment when all of it will have come back (a leaky bucket, kept as GCRA keeps it).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Network, ip_address

from engine.core.expressions.calendar import MINUTE, SECOND


@dataclass(frozen=True, slots=True)
class Budget:
    """``failures`` may follow each other at once; one comes back each ``each`` microseconds."""

    failures: int
    each: int

    def wait(self, used_until: int, now: int) -> int:
        """How long until one more may be tried, in microseconds; 0: now."""
        used = max(0, used_until - now)
        return max(0, used + self.each - self.failures * self.each)

    def spend(self, used_until: int, now: int) -> int:
        """What is used after one more."""
        return max(used_until, now) + self.each

    def give_back(self, used_until: int) -> int:
        """What is used where the last one turns out to be none."""
        return used_until - self.each


OF_ADDRESS = Budget(20, 30 * SECOND)
"""Failed logins from one address."""
OF_NAME = Budget(5, MINUTE)
"""Failed logins under one name, wherever they come from."""
OF_TOKENS = Budget(100, SECOND)
"""Refused API tokens from one address."""


def address_key(address: str) -> str:
    """What is one address: of IPv6 a network of 64 bits, since a household has one of those."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return _hash("address", address)
    mapped = found if isinstance(found, IPv4Address) else found.ipv4_mapped
    if mapped is not None:
        return _hash("address", str(mapped))
    return _hash("address", str(IPv6Network((found.packed, 64), strict=False)))


def name_key(name: str) -> str:
    """What stands for a name: its hash, for people type passwords there too."""
    return _hash("name", name)


class Failures:
    """Failures by key in this process's memory, of ``most`` keys: the least recent are forgotten
    first. For any thread.
    """

    def __init__(self, budget: Budget, *, most: int = 10_000) -> None:
        self._budget = budget
        self._most = most
        self._used: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, key: str, now: int) -> int:
        """How long until this key's budget allows one more failure, in microseconds; 0: now."""
        return self._budget.wait(self._used.get(key, 0), now)

    def note(self, key: str, now: int) -> None:
        """One more failure. One beyond the budget uses nothing: who waits is let in again."""
        with self._lock:
            used = self._used.get(key, 0)
            if self._budget.wait(used, now):
                return
            self._used[key] = self._budget.spend(used, now)
            self._used.move_to_end(key)
            while len(self._used) > self._most:
                self._used.popitem(last=False)

    def __len__(self) -> int:
        return len(self._used)


def _hash(kind: str, text: str) -> str:
    return sha256(f"{kind}:{text}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
