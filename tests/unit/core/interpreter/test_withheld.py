"""Calls that aren't made at this moment: whoever comes to one goes on behind it."""

from __future__ import annotations

from dataclasses import replace

from engine.core.interpreter.advance import pass_over
from engine.core.interpreter.state import State
from tests.unit.core.interpreter.passing import (
    DAY,
    NOW,
    WORLD,
    call,
    entered,
    go,
    journey,
    pause,
    put,
    stands_at,
    taken,
)

WITHHELD = replace(WORLD, withheld="paused")


def test_whoever_comes_to_a_call_that_is_withheld_goes_on_behind_it() -> None:
    passage = entered(journey(pause("first"), call("ask"), put("a"), pause("second"), call("late")))
    go(passage)
    done = go(passage, NOW + DAY, world=WITHHELD)
    assert taken(passage, done) == [("first", "succeeded"), ("ask", "skipped"), ("a", "succeeded")]
    assert done.executions[1].text == "paused"
    assert done.call is None
    assert stands_at(passage) == "second"
    assert go(passage, NOW + 2 * DAY).call is not None


def test_a_call_that_was_decided_before_is_passed_over() -> None:
    passage = entered(journey(call("ask"), put("a"), call("then"), pause()))
    assert go(passage).call is not None
    done = pass_over(passage, NOW + DAY, WITHHELD, attempts=2)
    assert taken(passage, done) == [("ask", "skipped"), ("a", "succeeded"), ("then", "skipped")]
    assert done.executions[0].attempts == 2
    assert (passage.state, stands_at(passage)) == (State.WAITING, "rest")


def test_who_has_left_during_a_call_that_is_passed_over_ends() -> None:
    passage = entered(journey(call("ask"), put("a"), on_exit=[call("bye")]))
    go(passage)
    passage.outcome = "archived"
    done = pass_over(passage, NOW + DAY, WITHHELD)
    assert taken(passage, done) == [("ask", "skipped"), ("bye", "skipped")]
    assert (passage.state, passage.outcome) == (State.ENDED, "archived")
