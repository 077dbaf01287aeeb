from __future__ import annotations

from engine.console.funnel import Bar, stages
from engine.core.dsl.load import load
from engine.core.dsl.program import compile_journey
from engine.enrollments.summary import Summary

SOURCE = b"""\
dsl: 1
journey: j
on_enter: [{id: hello, type: call_api, endpoint: crm}]
steps:
  - {id: ask, type: call_api, endpoint: crm}
  - id: lot
    type: split
    arms:
      - {name: gift, weight: 50, steps: [{id: coupon, type: call_api, endpoint: crm}]}
      - {name: words, weight: 50, steps: [{id: mail, type: call_api, endpoint: crm}]}
  - {id: rest, type: wait, for: P1D}
"""


def summary_of() -> tuple[Summary, object]:
    loaded = load(SOURCE, "j.yaml")
    program = compile_journey(loaded.journey)
    found = Summary.of(program, None)
    found.entered = 10
    return found, loaded.journey


def test_steps_stand_in_order_and_a_body_behind_the_step_that_holds_it() -> None:
    summary, journey = summary_of()
    found = [(one.step, one.depth, one.way) for one in stages(journey, summary)]  # type: ignore[arg-type]
    assert found == [
        ("hello", 0, ""),
        ("ask", 0, ""),
        ("lot", 0, ""),
        ("coupon", 1, "gift"),
        ("mail", 1, "words"),
        ("rest", 0, ""),
    ]


def test_a_bar_is_parted_by_what_became_of_who_came_there() -> None:
    summary, journey = summary_of()
    ask = summary.steps["ask"]
    ask.entered, ask.succeeded, ask.failed = 10, 5, 2
    found = {one.step: one.bars for one in stages(journey, summary)}  # type: ignore[arg-type]
    assert found["ask"] == (Bar("passed", 0, 50), Bar("failed", 50, 20), Bar("waiting", 70, 30))
    assert found["rest"] == ()


def test_bars_of_a_loop_fit_beside_those_of_who_entered() -> None:
    summary, journey = summary_of()
    ask = summary.steps["ask"]
    ask.entered, ask.succeeded = 40, 40
    found = {one.step: one.bars for one in stages(journey, summary)}  # type: ignore[arg-type]
    assert found["ask"] == (Bar("passed", 0, 100),)
