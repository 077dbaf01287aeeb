"""Failures use a budget up, and time gives it back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.access.throttling import Budget, Failures, address_key, name_key

NOW = 1_700_000_000_000_000
THREE = Budget(3, 100)


def test_a_budget_may_be_used_at_once_and_comes_back_piece_by_piece() -> None:
    used = 0
    for _ in range(3):
        assert THREE.wait(used, NOW) == 0
        used = THREE.spend(used, NOW)
    assert THREE.wait(used, NOW) == 100
    assert THREE.wait(used, NOW + 99) == 1
    assert THREE.wait(used, NOW + 100) == 0
    used = THREE.spend(used, NOW + 100)
    assert THREE.wait(used, NOW + 100) == 100
    assert THREE.wait(THREE.give_back(used), NOW + 100) == 0
    assert THREE.wait(used, NOW + 1_000) == 0


@given(
    failures=st.integers(1, 5),
    each=st.integers(1, 50),
    pauses=st.lists(st.integers(0, 200), max_size=60),
)
def test_no_stretch_of_time_has_more_failures_than_the_budget(
    failures: int, each: int, pauses: list[int]
) -> None:
    budget, used, now = Budget(failures, each), 0, 0
    failed: list[int] = []
    for pause in pauses:
        now += pause
        wait = budget.wait(used, now)
        if wait:
            assert budget.wait(used, now + wait) == 0 < budget.wait(used, now + wait - 1)
        else:
            used = budget.spend(used, now)
            failed.append(now)
    for at, begin in enumerate(failed):
        for count, end in enumerate(failed[at:], 1):
            assert count <= failures + (end - begin) // each


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::1", "127.0.0.1", False),
        ("unix:", "unix:", True),
        ("", "127.0.0.1", False),
    ],
)
def test_what_is_one_address(one: str, other: str, same: bool) -> None:
    assert (address_key(one) == address_key(other)) is same


def test_a_key_tells_neither_name_nor_address() -> None:
    for key in (name_key("ada"), address_key("10.0.0.1"), name_key("\ud800")):
        assert len(key) == 32
        assert int(key, 16)
    assert name_key("10.0.0.1") != address_key("10.0.0.1")


def test_failures_in_memory_are_of_one_key_and_end_with_time() -> None:
    failures = Failures(THREE)
    for _ in range(5):  # two of them beyond the budget: whoever waits is let in again
        failures.note("a", NOW)
    assert (failures.wait("a", NOW), failures.wait("b", NOW)) == (100, 0)
    assert failures.wait("a", NOW + 100) == 0


def test_failures_in_memory_are_of_a_bounded_number_of_keys() -> None:
    failures = Failures(THREE, most=10)
    for number in range(1_000):
        for _ in range(3):
            failures.note(str(number), NOW)
    assert len(failures) == 10
    assert failures.wait("999", NOW) == 100
    assert failures.wait("0", NOW) == 0


def test_of_failures_in_memory_the_least_recent_are_forgotten_first() -> None:
    failures = Failures(THREE, most=2)
    for key in "abaac":
        failures.note(key, NOW)
    assert (failures.wait("a", NOW), len(failures)) == (100, 2)
