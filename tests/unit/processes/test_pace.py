"""How much a turn takes in: what is written in a time that others can wait for."""

from __future__ import annotations

import math

import pytest

from engine.processes.pace import FEWEST, HELD_S, REMEMBERED_S, REST_S, Pace, rest_after


def _beside_others(held_s: float = HELD_S) -> Pace:
    pace = Pace(held_s)
    pace.at(100.0, others=True)
    return pace


def test_a_turn_is_as_large_as_it_may_be_until_it_is_known_what_one_takes() -> None:
    pace = _beside_others()
    assert pace.at_most(1_024) == 1_024
    pace.took(60.0, 3)  # so few say nothing
    assert pace.at_most(1_024) == 1_024


def test_turns_that_take_long_to_write_get_smaller_and_larger_again() -> None:
    pace = _beside_others()
    pace.took(HELD_S, 256)
    assert pace.at_most(1_024) == 256
    assert pace.at_most(100) == 100
    pace.took(1_000.0, 1_000)
    assert pace.at_most(1_024) == FEWEST
    for _ in range(60):
        pace.took(HELD_S / 2_048, 1_024)
    assert pace.at_most(1_024) == 1_024


def test_nobody_is_alone_for_a_second_after_somebody_wrote() -> None:
    pace = Pace()
    assert pace.is_alone
    for at, alone in ((100.0, False), (100.0 + REMEMBERED_S / 2, False), (102.0, True)):
        pace.at(at, others=at == 100.0)
        assert pace.is_alone is alone


def test_turns_during_which_others_could_write_stay_large() -> None:
    pace = _beside_others()
    pace.took(0.0, 1_000)
    assert pace.at_most(1_024) == 1_024
    alone = _beside_others(math.inf)
    alone.took(60.0, 1_000)
    assert alone.at_most(1_024) == 1_024


def test_turns_are_large_again_when_nobody_else_has_written_for_a_while() -> None:
    pace = _beside_others()
    pace.took(1_000.0, 1_000)
    pace.at(100.0 + REMEMBERED_S - 0.1, others=False)
    assert pace.at_most(1_024) == FEWEST
    pace.at(100.0 + REMEMBERED_S, others=False)
    assert pace.at_most(1_024) == 1_024
    pace.at(200.0, others=True)
    assert pace.at_most(1_024) == FEWEST


def test_a_rest_is_a_part_of_the_turn_before_within_limits() -> None:
    assert rest_after(0.0) == rest_after(0.001) == REST_S
    assert rest_after(0.03) == pytest.approx(0.006)
    assert rest_after(0.05) == rest_after(60.0) == pytest.approx(0.01)
