"""Shares with their intervals, and what a journey gained over those it held out.

With z = 1.959964 for 95 %:

- a share k of n lies in the **score interval** of E. B. Wilson (Probable inference, the law of
  succession, and statistical inference, JASA 22, 1927):
  (2k + z² ± z·√(z² + 4k(1 - k/n))) / (2(n + z²));
- the difference of two independent shares lies in the **hybrid score interval** of R. G. Newcombe
  (Interval estimation for the difference between independent proportions, Statistics in Medicine
  17, 1998, method 10): with p, l, u of both groups, from
  (p1 - p2) - √((p1 - l1)² + (u2 - p2)²) to (p1 - p2) + √((u1 - p1)² + (p2 - l2)²).

Both hold for few people and for shares near 0 and 1, where the textbook's normal interval doesn't.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, sqrt

Z_95 = 1.959963984540054


@dataclass(slots=True, frozen=True)
class Share:
    """``part`` of ``whole``, with the 95 % interval from ``low`` to ``high``."""

    part: int
    whole: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself, 0 … 1."""
        return self.part / self.whole


@dataclass(slots=True, frozen=True)
class Uplift:
    """How much more of the treated reached a goal than of those held out: the difference of the
    shares (-1 … 1), with its 95 % interval from ``low`` to ``high``.
    """

    treated: Share
    held_out: Share
    difference: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves no doubt on which side of zero it is."""
        return self.low > 0 or self.high < 0


def share_of(part: int, whole: int) -> Share | None:
    """A share with its score interval; None of nobody."""
    if whole <= 0 or not 0 <= part <= whole:
        return None
    z2 = Z_95 * Z_95
    middle, divisor = 2 * part + z2, 2 * (whole + z2)
    spread = Z_95 * sqrt(z2 + 4 * part * (1 - part / whole))
    low = 0.0 if part == 0 else (middle - spread) / divisor
    high = 1.0 if part == whole else (middle + spread) / divisor
    return Share(part, whole, low, high)


def uplift(treated: tuple[int, int], held_out: tuple[int, int]) -> Uplift | None:
    """The uplift of (reached, of how many) over the same of those held out; None where one of the
    groups is empty.
    """
    one, other = share_of(*treated), share_of(*held_out)
    if one is None or other is None:
        return None
    difference = one.value - other.value
    below = hypot(one.value - one.low, other.high - other.value)
    above = hypot(one.high - one.value, other.value - other.low)
    return Uplift(one, other, difference, difference - below, difference + above)
