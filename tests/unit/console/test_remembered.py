"""Counting anew, now and then."""

from __future__ import annotations

from engine.console.remembered import LONGEST_S, MOST, Remembered


class _Counting:
    """Takes ``seconds`` on a clock of its own."""

    def __init__(self, seconds: float) -> None:
        self.now = 0.0
        self.seconds = seconds
        self.counted = 0

    def count(self) -> int:
        self.now += self.seconds
        self.counted += 1
        return self.counted


def test_what_is_quick_is_always_counted_anew() -> None:
    counting = _Counting(0.01)
    remembered = Remembered(lambda: counting.now)
    assert [remembered.get("a", counting.count) for _ in range(3)] == [1, 2, 3]


def test_what_takes_long_is_counted_a_twentieth_of_the_time() -> None:
    counting = _Counting(0.5)
    remembered = Remembered(lambda: counting.now)
    assert remembered.get("a", counting.count) == 1
    counting.now += 9.9
    assert remembered.get("a", counting.count) == 1
    assert remembered.get("b", counting.count) == 2
    counting.now += 0.2
    assert remembered.get("a", counting.count) == 3


def test_nothing_is_remembered_for_ever() -> None:
    counting = _Counting(100.0)
    remembered = Remembered(lambda: counting.now)
    remembered.get("a", counting.count)
    counting.now += LONGEST_S
    assert remembered.get("a", counting.count) == 2
    for number in range(MOST + 1):
        remembered.get(number, counting.count)
    assert len(remembered._kept) <= MOST
