from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.core.dsl.load import load
from engine.core.dsl.program import Program, compile_journey
from engine.core.expressions.assignment import held_out, pick_arm
from engine.core.expressions.calendar import DAY, HOUR, MINUTE, SECOND
from engine.core.interpreter.advance import World
from engine.core.interpreter.simulate import Answers, Happened, simulate
from engine.core.message import Answer
from engine.core.steps.base import Call

START = 1_780_000_000 * SECOND
CALL = {"id": "ask", "type": "call_api", "endpoint": "crm", "path": "/x"}
DAY_OFF = {"id": "rest", "type": "wait", "for": "P1D"}


@dataclass
class Row:
    id: str = "u1"
    timezone: str | None = None
    attributes: dict[str, object] = field(default_factory=dict)
    inputs: dict[str, object] = field(default_factory=dict)


def program(*steps: dict[str, Any], **more: Any) -> Program:
    journey = {"dsl": 1, "journey": "j", "steps": list(steps), **more}
    return compile_journey(load(json.dumps(journey).encode(), "j.yaml").journey)


def always(status: int, body: bytes = b"{}") -> Answers:
    return lambda call, number: Answer(status=status, body=body)


def run(
    one: Program,
    answers: Answers | None = None,
    users: list[Row] | None = None,
    horizon: int | None = None,
) -> list[Happened]:
    answers = answers or always(200)
    return list(simulate(one, users or [Row()], World({}), answers, START, horizon))


def told(events: list[Happened]) -> list[tuple[int, str]]:
    """(seconds after the start, what): a step as ``id:status``."""
    found: list[tuple[int, str]] = []
    for event in events:
        what: str = event.what
        if event.execution is not None:
            step = event.passage.program.nodes[event.execution.step].step
            what = f"{step.id}:{event.execution.status}"
        found.append(((event.at - START) // SECOND, what))
    return found


def test_a_journey_is_told_in_order_of_time() -> None:
    assert told(run(program(CALL, DAY_OFF))) == [
        (0, "entered"),
        (0, "ask:succeeded"),
        (0, "waits"),
        (86_400, "rest:succeeded"),
        (86_400, "ended"),
    ]


def test_a_call_stands_beside_the_step_that_sent_it() -> None:
    events = [event for event in run(program(CALL, DAY_OFF)) if event.execution is not None]
    assert [event.call and event.call.target for event in events] == ["/x", None]


def test_a_failed_call_is_tried_again_on_the_virtual_clock_and_the_user_goes_on() -> None:
    events = run(program(CALL), always(503))
    assert [what for _, what in told(events)] == [
        "entered",
        "again",
        "again",
        "ask:failed",
        "ended",
    ]
    failed = events[3]
    assert failed.execution is not None
    assert failed.execution.failure == "call.server_error"
    assert failed.execution.attempts == 3
    # Pauses of 2 s and 4 s, each times a lot in [0.5, 1].
    assert 3 * SECOND <= failed.at - START <= 6 * SECOND


def test_answers_are_counted_for_each_user_and_endpoint() -> None:
    asked: list[tuple[str, str, int]] = []

    def answer(call: Call, number: int) -> Answer:
        asked.append((call.endpoint, call.target, number))
        return Answer(status=200)

    other = {"id": "tell", "type": "call_api", "endpoint": "crm", "path": "/{{ user.id }}"}
    third = {"id": "hint", "type": "call_api", "endpoint": "loyalty"}
    run(program(CALL, other, third), answer, [Row("a"), Row("b")])
    assert asked == [
        ("crm", "/x", 0),
        ("crm", "/a", 1),
        ("loyalty", "/", 0),
        ("crm", "/x", 0),
        ("crm", "/b", 1),
        ("loyalty", "/", 0),
    ]


def test_time_that_an_answer_took_passes() -> None:
    slow = Answer(failure="call.timed_out", elapsed_us=10 * SECOND)
    one = program({**CALL, "retry": {"attempts": 1}})
    events = run(one, lambda call, number: slow)
    assert told(events)[-1] == (10, "ended")


def test_what_never_reached_the_wire_is_no_attempt() -> None:
    nobody = Answer(failure="call.unreachable", may_have_been_sent=False)
    events = run(program({**CALL, "retry": {"attempts": 2}}), lambda call, number: nobody)
    executions = [event.execution for event in events if event.execution]
    assert [execution.attempts for execution in executions] == [0]


def test_a_sleeper_beyond_the_horizon_stays_and_one_at_it_goes_on() -> None:
    one = program(DAY_OFF)
    assert told(run(one, horizon=START + DAY))[-1] == (86_400, "ended")
    events = run(one, horizon=START + DAY - 1)
    assert told(events)[-1] == (0, "stays")
    assert events[-1].passage.wake_at == START + DAY


def test_a_retry_is_no_sleep() -> None:
    events = run(program(CALL), always(503), horizon=START)
    assert told(events)[-1][1] == "ended"


def test_max_age_ends_a_sleeper() -> None:
    events = run(program({**DAY_OFF, "for": "P9D"}, max_age="P2D"))
    assert told(events)[-1] == (2 * 86_400, "ended")
    assert events[-1].text == "expired"


def test_on_exit_is_called_whatever_the_outcome() -> None:
    failing = {**CALL, "retry": {"attempts": 1}, "on_failure": "exit"}
    goodbye = {"id": "bye", "type": "call_api", "endpoint": "crm", "path": "/bye"}
    events = run(program(failing, DAY_OFF, on_exit=[goodbye]), always(404))
    assert [what for _, what in told(events)] == ["entered", "ask:failed", "bye:failed", "ended"]
    assert events[-1].text == "failed:ask"


def test_arms_and_holdout_are_those_of_a_live_run() -> None:
    arms = [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}]
    one = program({"id": "s", "type": "split", "arms": arms}, entry={"holdout": 30})
    users = [Row(f"u{number}") for number in range(200)]
    events = run(one, users=users)
    taken = {e.passage.user.id: e.execution.arm for e in events if e.execution}
    assert taken == {
        user.id: "ab"[pick_arm("j/s", user.id, [1, 1])]
        for user in users
        if not held_out("j", user.id, 30)
    }
    outcomes = {event.text for event in events if event.what == "ended"}
    assert outcomes == {"held_out", "completed"}


def test_null_attributes_are_absent_and_the_rows_are_left_alone() -> None:
    one = program({"id": "s", "type": "set", "values": {"user.plan": "{{ user.x | default(1) }}"}})
    row = Row(attributes={"x": None, "y": 2})
    events = run(one, users=[row])
    assert events[-1].passage.user.attributes == {"y": 2, "plan": 1}
    assert row.attributes == {"x": None, "y": 2}


@pytest.mark.parametrize(
    ("span", "seconds"), [("PT90S", 90), ("45m", 45 * MINUTE // SECOND), ("1h", HOUR // SECOND)]
)
def test_elapsed_waits_are_exact(span: str, seconds: int) -> None:
    assert told(run(program({**DAY_OFF, "for": span})))[-1] == (seconds, "ended")
