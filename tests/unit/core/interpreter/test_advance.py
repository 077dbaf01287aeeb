"""One passage, one moment: where a user goes, what is written down of it, and what ends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.core.dsl.program import Node, Program
from engine.core.interpreter.advance import World, drop, leave, rejoin
from engine.core.interpreter.state import Reason, State
from engine.core.steps.base import Result
from engine.core.steps.terms import RetryPolicy, Terms
from tests.unit.core.interpreter.passing import (
    DAY,
    NOW,
    SECOND,
    WORLD,
    answer,
    call,
    entered,
    failures,
    go,
    journey,
    pause,
    put,
    stands_at,
    taken,
)

# --- decisions -------------------------------------------------------------------------------


def test_steps_that_need_no_waiting_are_taken_in_one_go() -> None:
    passage = entered(journey(put("a"), put("b"), {"id": "end", "type": "exit", "outcome": "out"}))
    done = go(passage)
    assert taken(passage, done) == [("a", "succeeded"), ("b", "succeeded"), ("end", "succeeded")]
    assert done.entered == [0, 1, 2]
    assert (passage.state, passage.outcome, passage.ended_at) == (State.ENDED, "out", NOW)
    assert passage.wake_at is None


def test_who_comes_to_the_end_has_completed() -> None:
    passage = entered(journey(put()))
    go(passage)
    assert passage.outcome == "completed"


def test_a_wait_stops_the_walk_until_its_moment() -> None:
    passage = entered(journey(pause(), put()))
    done = go(passage)
    assert (passage.state, passage.reason) == (State.WAITING, Reason.TIMER)
    assert passage.wake_at == NOW + DAY
    assert done.executions == []
    assert "until" in done.wait_text
    early = go(passage, NOW + DAY - 1)
    assert (early.executions, early.entered, passage.wake_at) == ([], [], NOW + DAY)
    due = go(passage, NOW + DAY)
    assert taken(passage, due) == [("rest", "succeeded"), ("put", "succeeded")]
    assert (due.executions[0].started_at, due.executions[0].ended_at) == (NOW, NOW + DAY)
    assert due.entered == [1], "the wait was entered when he came, and not again"


def test_a_call_stops_the_walk_until_its_answer() -> None:
    passage = entered(journey(call(body={"n": 1}), put()))
    done = go(passage)
    assert (passage.state, passage.wake_at) == (State.CALLING, None)
    assert done.call is not None
    assert (done.call.endpoint, done.call.target, done.call.body) == ("crm", "/ask", b'{"n":1}')
    later = go(passage, NOW + SECOND, answer(201, attempts=2, credential_version=5))
    ask = later.executions[0]
    assert taken(passage, later) == [("ask", "succeeded"), ("put", "succeeded")]
    assert (ask.http_status, ask.attempts, ask.credential_version) == (201, 2, 5)
    assert later.executions[1].attempts == 0, "attempts and credentials are those of the call only"
    assert later.executions[1].credential_version is None
    assert passage.state is State.ENDED


def test_an_answer_that_may_be_tried_again_keeps_the_call_and_the_step() -> None:
    passage = entered(journey(call(), put()))
    go(passage)
    done = go(passage, NOW, answer(503))
    assert done.again is not None
    assert done.again.failure == "call.server_error"
    assert NOW + SECOND <= done.again.at <= NOW + 2 * SECOND
    assert (done.call, done.executions, done.entered) == (None, [], [])
    assert (passage.state, stands_at(passage)) == (State.CALLING, "ask")
    later = go(passage, done.again.at, answer(200, tries=2))
    assert taken(passage, later)[0] == ("ask", "succeeded")
    assert later.executions[0].attempts == 2


def test_a_failed_call_is_recorded_and_the_user_goes_on() -> None:
    passage = entered(journey(call(retry={"attempts": 1}), put()))
    go(passage)
    done = go(passage, NOW, answer(500))
    assert taken(passage, done) == [("ask", "failed"), ("put", "succeeded")]
    assert (done.executions[0].failure, done.executions[0].http_status) == (
        "call.server_error",
        500,
    )
    assert passage.outcome == "completed"


def test_a_call_whose_value_is_null_fails_before_anything_is_sent() -> None:
    passage = entered(journey(call(body={"to": "{{ user.email }}"})))
    done = go(passage)
    assert done.call is None
    assert failures(passage, done) == {"ask": "call.unfillable"}
    assert done.executions[0].attempts == 0


def test_a_call_may_end_the_journey_when_it_fails() -> None:
    passage = entered(journey(call(retry={"attempts": 1}, on_failure="exit"), put()))
    go(passage)
    done = go(passage, NOW, answer(404))
    assert taken(passage, done) == [("ask", "failed")]
    assert (done.executions[0].http_status, passage.outcome) == (404, "failed:ask")


def test_the_live_terms_of_an_endpoint_hold_at_each_answer() -> None:
    passage = entered(journey(call()))
    go(passage)
    impatient = World({"crm": Terms(retry=RetryPolicy(attempts=1))})
    done = go(passage, NOW, answer(503), impatient)
    assert failures(passage, done) == {"ask": "call.server_error"}


# --- where it goes ---------------------------------------------------------------------------


def _gold(when: str, **body: Any) -> dict[str, Any]:
    return {"id": "kind", "type": "branch", "paths": [{"name": "gold", "when": when, **body}]}


def test_a_skipped_step_goes_behind_it_whatever_its_next_says() -> None:
    hop = put("hop") | {"when": "user.gold", "next": "far"}
    program = journey(hop, put("near"), put("far"))
    skipping = entered(program)
    assert taken(skipping, go(skipping)) == [
        ("hop", "skipped"),
        ("near", "succeeded"),
        ("far", "succeeded"),
    ]
    jumping = entered(program, gold=True)
    assert taken(jumping, go(jumping)) == [("hop", "succeeded"), ("far", "succeeded")]


def test_a_skipped_step_says_why() -> None:
    passage = entered(journey(put() | {"when": "user.age > 'x'"}), age=3)
    done = go(passage)
    assert done.executions[0].text.startswith("when: user.age > 'x'")
    assert len(done.executions[0].text) > len("when: user.age > 'x'"), "the odd comparison is named"


def test_a_skipped_step_in_a_body_goes_behind_the_step_that_holds_it() -> None:
    body = [put("in") | {"when": "user.nobody"}]
    passage = entered(journey(_gold("user.gold", steps=body), put("behind")), gold=True)
    assert taken(passage, go(passage)) == [
        ("kind", "succeeded"),
        ("in", "skipped"),
        ("behind", "succeeded"),
    ]


def test_a_body_ends_where_the_step_that_holds_it_goes_on() -> None:
    kind = _gold("user.gold", steps=[put("in")]) | {"next": "last"}
    program = journey(kind, put("between") | {"when": "true"}, put("last"))
    passage = entered(program, gold=True)
    assert [name for name, _ in taken(passage, go(passage))] == ["kind", "in", "last"]


def test_a_jump_leads_out_of_a_body_forward_and_back() -> None:
    program = journey(
        put("top", n="{{ vars.n | default(0) + 1 }}"),
        _gold("vars.n < 3 and visits('kind') < 9", next="top"),
        put("bottom"),
    )
    passage = entered(program)
    names = [name for name, _ in taken(passage, go(passage))]
    assert names == ["top", "kind"] * 3 + ["bottom"]
    assert passage.vars["n"] == 3


def test_each_arm_of_a_split_is_recorded() -> None:
    arms = [{"name": "a", "weight": 0}, {"name": "b", "weight": 1, "steps": [put("in_b")]}]
    passage = entered(journey({"id": "lots", "type": "split", "arms": arms}))
    done = go(passage)
    assert [e.arm for e in done.executions] == ["b", None]


# --- on_enter and on_exit --------------------------------------------------------------------


def test_calls_before_and_after_stand_around_the_steps() -> None:
    program = journey(
        put(),
        on_enter=[call("hello")],
        on_exit=[call("bye", body={"why": "{{ enrollment.outcome }}"})],
    )
    passage = entered(program)
    assert go(passage).call is not None
    done = go(passage, NOW, answer())
    assert taken(passage, done) == [("hello", "succeeded"), ("put", "succeeded")]
    assert done.call is not None
    assert done.call.body == b'{"why":"completed"}'
    assert (passage.outcome, passage.state, passage.ended_at) == ("completed", State.CALLING, None)
    last = go(passage, NOW + SECOND, answer())
    assert taken(passage, last) == [("bye", "succeeded")]
    assert (passage.state, passage.ended_at) == (State.ENDED, NOW + SECOND)


def test_a_failure_on_the_way_out_is_recorded_and_changes_no_outcome() -> None:
    once = {"retry": {"attempts": 1}}
    bye = [call("bye", **once, on_failure="exit"), call("last", **once)]
    passage = entered(journey({"id": "end", "type": "exit", "outcome": "won"}, on_exit=bye))
    go(passage)
    done = go(passage, NOW, answer(500))
    assert taken(passage, done) == [("bye", "failed")]
    assert passage.outcome == "won"
    assert done.call is not None, "the next one is made all the same"
    done = go(passage, NOW, answer(500))
    assert (taken(passage, done), passage.outcome, passage.state) == (
        [("last", "failed")],
        "won",
        State.ENDED,
    )


def test_a_call_on_the_way_out_has_its_own_retries() -> None:
    passage = entered(journey(put(), on_exit=[call("bye")], max_age="PT1S"))
    go(passage)
    done = go(passage, NOW + 2 * SECOND, answer(503, first_at=NOW + 2 * SECOND))
    assert done.again is not None, "max_age is over, but it has left already"
    assert passage.outcome == "completed"


# --- how long anybody stays -------------------------------------------------------------------


def test_nobody_sleeps_beyond_the_greatest_age() -> None:
    passage = entered(journey(pause("rest", "P30D"), put(), max_age="P3D", on_exit=[call("bye")]))
    go(passage)
    assert passage.wake_at == NOW + 3 * DAY
    done = go(passage, NOW + 3 * DAY)
    assert taken(passage, done) == [("rest", "skipped")]
    assert (passage.outcome, stands_at(passage)) == ("expired", "bye")


def test_an_answer_that_comes_too_late_counts_and_the_user_leaves() -> None:
    passage = entered(journey(call(outputs={"vars.x": "response.status"}), put(), max_age="P3D"))
    go(passage)
    done = go(passage, NOW + 3 * DAY, answer())
    assert taken(passage, done) == [("ask", "succeeded")]
    assert (passage.outcome, passage.vars) == ("expired", {"x": 200})


def test_no_attempt_is_made_when_the_greatest_age_is_over() -> None:
    passage = entered(journey(call(retry={"delay": "PT2S"}), put(), max_age="PT1S"))
    go(passage)
    done = go(passage, NOW, answer(503))
    assert done.again is None
    assert (done.executions[0].failure, done.executions[0].http_status) == (
        "call.server_error",
        503,
    )
    assert done.executions[0].text == "answered 503; max_age ends before the next attempt"


def test_a_call_without_a_further_attempt_goes_where_its_failures_go() -> None:
    ask = call(retry={"delay": "PT2S"}, on_failure="exit")
    passage = entered(journey(ask, put(), max_age="PT1S"))
    go(passage)
    done = go(passage, NOW, answer(503, tries=1))
    assert taken(passage, done) == [("ask", "failed")]
    assert done.executions[0].attempts == 1
    assert passage.outcome == "failed:ask"


# --- journeys that run away -------------------------------------------------------------------


def _round(most: int, *between: dict[str, Any]) -> Program:
    return journey(put("top"), *between, _gold(f"visits('top') < {most}", next="top"), put("out"))


def test_loops_are_limited_by_visits() -> None:
    passage = entered(_round(5))
    done = go(passage)
    visits = [e.visit for e in done.executions if e.step == 0]
    assert visits == [1, 2, 3, 4, 5]
    assert passage.outcome == "completed"


def test_a_thousand_steps_without_a_wait_end_the_passage() -> None:
    passage = entered(_round(10_000))
    done = go(passage)
    assert len(done.executions) == 1_001
    assert done.executions[-1].failure == "journey.step_limit"
    assert [e.failure for e in done.executions[:-1]] == [None] * 1_000
    assert (passage.outcome, passage.state) == ("step_limit", State.ENDED)
    assert len(done.entered) == len(done.executions)


def test_a_wait_begins_the_thousand_anew() -> None:
    passage = entered(_round(400, put("a"), pause("rest", "PT1S")))
    now = NOW
    go(passage)
    while passage.state is State.WAITING:
        now = passage.wake_at or 0
        go(passage, now)
    assert passage.outcome == "completed"


def test_ten_thousand_steps_in_all_end_the_passage() -> None:
    passage = entered(_round(100_000, pause("rest", "PT1S")))
    count, now = 0, NOW
    done = go(passage)
    while passage.state is State.WAITING:
        count += len(done.executions)
        now = passage.wake_at or 0
        done = go(passage, now)
    count += len(done.executions)
    assert (count, passage.outcome) == (10_001, "step_limit")


def test_who_ran_away_still_takes_leave() -> None:
    program = replace(_round(10_000))
    with_bye = journey(
        put("top"),
        _gold("visits('top') < 10000", next="top"),
        on_exit=[call("bye", body={"why": "{{ enrollment.outcome }}"})],
    )
    assert program.leaving != with_bye.leaving
    passage = entered(with_bye)
    done = go(passage)
    assert done.call is not None
    assert done.call.body == b'{"why":"step_limit"}'


# --- what is too big, and bugs ----------------------------------------------------------------


def test_what_makes_the_state_too_big_is_not_kept() -> None:
    program = journey(
        *(put(f"s{n}", **{f"v{n}": "{{ user.text }}"}) for n in range(5)), put("last")
    )
    passage = entered(program, text="x" * 15_000)
    done = go(passage)
    assert failures(passage, done) == {"s4": "step.too_big"}
    assert sorted(passage.vars) == ["done", "v0", "v1", "v2", "v3"]
    assert passage.outcome == "completed"


def test_a_value_written_over_itself_is_counted_once() -> None:
    program = journey(*(put(f"s{n}", v="{{ user.text }}") for n in range(10)))
    passage = entered(program, text="x" * 16_000)
    assert failures(passage, go(passage)) == {}


def test_long_numbers_are_counted_too() -> None:
    values = {f"vars.v{n}": "{{ user.n }}" for n in range(16)}
    passage = entered(journey({"id": "s", "type": "set", "values": values}), n=10**4_200)
    assert failures(passage, go(passage)) == {"s": "step.too_big"}
    assert passage.vars == {}


def test_what_makes_the_user_too_big_is_not_kept() -> None:
    values = {f"user.v{n}": "{{ user.text }}" for n in range(4)}
    passage = entered(journey({"id": "s", "type": "set", "values": values}), text="x" * 16_000)
    done = go(passage)
    assert failures(passage, done) == {"s": "step.too_big"}
    assert done.writes is None
    assert sorted(passage.user.attributes) == ["text"]


def test_an_answer_too_big_to_keep_fails_its_step_and_keeps_its_status() -> None:
    passage = entered(journey(call(outputs={"vars.x": "response.body"}), put()))
    go(passage)
    done = go(passage, NOW, answer(200, ["x" * 9_000 for _ in range(8)]))
    assert failures(passage, done) == {"ask": "step.too_big"}
    assert done.executions[0].http_status == 200
    assert "x" not in passage.vars


@pytest.mark.parametrize(
    ("on_failure", "steps", "outcome"),
    [
        ("continue", ["ask", "between", "last"], "completed"),
        ({"next": "last"}, ["ask", "last"], "completed"),
        ("exit", ["ask"], "failed:ask"),
    ],
)
def test_an_answer_too_big_to_keep_goes_where_failures_go(
    on_failure: object, steps: list[str], outcome: str
) -> None:
    asks = call(outputs={"vars.x": "response.body"}, on_failure=on_failure)
    passage = entered(journey(asks, put("between"), put("last")))
    go(passage)
    done = go(passage, NOW, answer(200, ["x" * 9_000 for _ in range(8)]))
    assert [step for step, _ in taken(passage, done)] == steps
    assert failures(passage, done) == {"ask": "step.too_big"}
    assert passage.outcome == outcome


class _Buggy:
    """A step with a bug in it."""

    def __init__(self, step: Any) -> None:
        self._step = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)

    def decide(self, view: Any) -> Any:
        raise ZeroDivisionError

    def resume(self, view: Any, result: Result) -> Any:
        raise ZeroDivisionError


def _with_a_bug(program: Program, number: int, *, only_resume: bool = False) -> Program:
    node = program.nodes[number]
    buggy = _Buggy(node.step)
    if only_resume:
        buggy.decide = node.step.decide  # type: ignore[method-assign]
    broken = Node(number, buggy, node.follow, node.behind, node.exits)
    nodes = (*program.nodes[:number], broken, *program.nodes[number + 1 :])
    return replace(program, nodes=nodes)


def test_a_bug_in_a_step_costs_this_user_this_step() -> None:
    passage = entered(_with_a_bug(journey(put("a"), put("b"), put("c")), 1))
    done = go(passage)
    assert failures(passage, done) == {"b": "step.internal"}
    assert "ZeroDivisionError" in done.executions[1].text
    assert taken(passage, done)[2] == ("c", "succeeded")


def test_a_bug_in_judging_an_answer_costs_this_user_this_step() -> None:
    passage = entered(_with_a_bug(journey(call(), put()), 0, only_resume=True))
    go(passage)
    done = go(passage, NOW, answer(200, attempts=3))
    assert failures(passage, done) == {"ask": "step.internal"}
    assert done.executions[0].attempts == 3, "what was on the wire is counted"
    assert passage.outcome == "completed"


def test_a_bug_in_judging_an_answer_goes_where_failures_go() -> None:
    program = journey(call(on_failure="exit"), put())
    passage = entered(_with_a_bug(program, 0, only_resume=True))
    go(passage)
    done = go(passage, NOW, answer(200))
    assert taken(passage, done) == [("ask", "failed")]
    assert passage.outcome == "failed:ask"


# --- what is written down ---------------------------------------------------------------------


def test_steps_and_visits_show_the_last_visit() -> None:
    program = journey(
        call(retry={"attempts": 1}),
        put(
            seen="{{ steps.ask.status }} {{ steps.ask.failure }} {{ steps.ask.http_status }}"
            " {{ steps.ask.attempts }} {{ visits('ask') }} {{ visits('put') }} {{ visits('no') }}"
        ),
        put("no"),
    )
    passage = entered(program)
    go(passage)
    go(passage, NOW, answer(500, attempts=2))
    assert passage.vars["seen"] == "failed call.server_error 500 2 1 1 0"


def test_what_an_evaluation_found_odd_is_recorded() -> None:
    kind = _gold("user.age > 'x'", steps=[put("in")])
    passage = entered(journey(kind), age=3)
    done = go(passage)
    assert done.executions[0].text


def test_what_a_write_found_odd_is_recorded_even_if_it_changes_the_user() -> None:
    values = {"user.adult": "{{ user.age > 'x' }}"}
    passage = entered(journey({"id": "s", "type": "set", "values": values}), age=3)
    done = go(passage)
    assert done.writes == {"adult": False}
    assert done.executions[0].text


def test_notes_of_one_step_are_not_told_of_the_next() -> None:
    passage = entered(journey(_gold("user.age > 'x'"), put()), age=3)
    done = go(passage)
    assert done.executions[0].text
    assert done.executions[1].text == ""


def test_attributes_are_written_and_null_removes_them() -> None:
    values = {"user.tier": "gold", "user.old": "{{ none }}", "user.timezone": "Europe/Berlin"}
    program = journey({"id": "s", "type": "set", "values": values}, put(seen="{{ user.tier }}"))
    passage = entered(program, old=1)
    done = go(passage)
    assert passage.user.attributes == {"tier": "gold"}
    assert passage.user.timezone == "Europe/Berlin"
    assert done.writes == {"tier": "gold", "old": None, "timezone": "Europe/Berlin"}
    assert passage.vars["seen"] == "gold"


# --- leaving ----------------------------------------------------------------------------------


def test_who_sleeps_leaves_at_once() -> None:
    passage = entered(journey(pause(), put()))
    go(passage)
    done = leave(passage, NOW + SECOND, WORLD, "restarted")
    assert taken(passage, done) == [("rest", "skipped")]
    assert (passage.state, passage.outcome, passage.ended_at, passage.wake_at) == (
        State.ENDED,
        "restarted",
        NOW + SECOND,
        None,
    )


def test_who_leaves_during_a_call_goes_on_when_it_is_answered() -> None:
    passage = entered(journey(call(), put(), on_exit=[call("bye")]))
    go(passage)
    done = leave(passage, NOW + SECOND, WORLD, "restarted")
    assert (taken(passage, done), passage.state) == ([], State.CALLING)
    assert passage.outcome == "restarted", "the place is free at once"
    done = go(passage, NOW + SECOND, answer(200))
    assert taken(passage, done) == [("ask", "succeeded")]
    assert (stands_at(passage), passage.state) == ("bye", State.CALLING)


def test_a_call_that_was_never_sent_is_skipped_when_it_is_dropped() -> None:
    passage = entered(journey(call(), put(), on_exit=[call("bye")]))
    go(passage)
    leave(passage, NOW + SECOND, WORLD, "restarted")
    done = drop(passage, NOW + SECOND, WORLD)
    assert taken(passage, done) == [("ask", "skipped")]
    assert (passage.outcome, stands_at(passage), passage.state) == (
        "restarted",
        "bye",
        State.CALLING,
    )


def test_requests_made_before_a_call_was_dropped_are_counted() -> None:
    passage = entered(journey(call(), put()))
    go(passage)
    go(passage, NOW, answer(503, attempts=2))
    leave(passage, NOW + SECOND, WORLD, "restarted")
    done = drop(passage, NOW + SECOND, WORLD, attempts=2, failure="call.server_error")
    assert failures(passage, done) == {"ask": "call.server_error"}
    assert done.executions[0].attempts == 2
    assert passage.state is State.ENDED


def test_who_is_still_before_the_first_step_leaves_without_taking_one() -> None:
    passage = entered(journey(put()))
    done = leave(passage, NOW, WORLD, "restarted")
    assert (done.executions, done.entered, passage.state) == ([], [], State.ENDED)


@pytest.mark.parametrize("steps", [[put()], [pause()], [call()]])
def test_an_ended_passage_never_moves_back(steps: list[dict[str, Any]]) -> None:
    passage = entered(journey(*steps))
    go(passage)
    leave(passage, NOW, WORLD, "restarted") if passage.outcome is None else None
    drop(passage, NOW, WORLD) if passage.state is State.CALLING else None
    assert passage.position == -1
    assert passage.started == 0


def test_a_wait_for_a_date_on_another_clock_reads_it_there() -> None:
    until = {"date": "user.born", "timezone": "Asia/Tokyo", "missing": "exit"}
    passage = entered(journey({"id": "w", "type": "wait", "until": until}), born="2026-10-01")
    done = go(passage)
    assert done.executions == []
    assert passage.wake_at == 1_790_780_400_000_000  # 2026-10-01T00:00+09:00


def test_who_waits_for_another_journeys_end_and_is_woken_before_begins_it_once() -> None:
    other = {"id": "other", "type": "start_journey", "journey": "b", "await": True}
    passage = entered(journey(other, call(), max_age="P9D"))
    assert len(go(passage).makes) == 1
    passage.wake_at = NOW + SECOND  # a pause is over, and something was heard in it
    assert go(passage, NOW + SECOND).makes == ()
    assert (stands_at(passage), passage.wake_at) == ("other", NOW + 9 * DAY)
    assert rejoin(passage, NOW + DAY, WORLD, "completed").call is not None
    go(passage, NOW + DAY, answer())
    assert passage.outcome == "completed"
