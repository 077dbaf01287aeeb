"""Scenarios, run: what went another way is said in words; what went right is silent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.core.dsl.program import Program
from engine.core.dsl.scenarios import read_scenarios
from engine.core.interpreter.scenario import Difference, run_scenario
from engine.core.steps.terms import RetryPolicy, Terms
from tests.unit.core.interpreter.passing import call, journey, pause, put

ENTER = {"at": "2026-03-28T12:00:00Z"}
PROGRAM = journey(
    call(outputs={"vars.n": "response.body.n"}, retry={"attempts": 2}),
    pause(),
    {
        "id": "kind",
        "type": "split",
        "arms": [
            {"name": "one", "weight": 1, "steps": [put("first")]},
            {"name": "two", "weight": 0, "steps": [put("second")]},
        ],
    },
    goals=[{"name": "won", "event": "bought"}],
    exit=[{"when": "user.gone"}],
)


def run(
    expect: dict[str, Any], program: Program = PROGRAM, terms: Any = None, **keys: Any
) -> tuple[Difference, ...]:
    written = {
        "journey": "j",
        "scenarios": [{"name": "x", "enter": ENTER, "expect": expect, **keys}],
    }
    source = json.dumps(written).encode()
    (scenario,) = read_scenarios(source, "j.scenarios.yaml").file.scenarios
    return run_scenario(program, scenario, terms or {})


@pytest.mark.parametrize(
    "keys",
    [
        {"expect": {"steps": {"ask": "succeeded", "rest": "succeeded", "second": "not_taken"}}},
        {"expect": {"waiting_at": {"2026-03-28T20:00:00Z": "rest"}}},
        {"expect": {"outcome": "completed", "ends_at": "2026-03-29T12:00:00Z", "entered": 1}},
        {"expect": {"calls": {"crm": 1}}},
        {"expect": {"calls": {"crm": 2}, "steps": {"ask": "failed"}}, "answers": [500]},
        {"expect": {"ends_at": "2026-03-28T15:00:00Z", "goal": "won"}, "events": ["bought"]},
        {"expect": {"outcome": "exit:1"}, "events": [{"gone": True}]},
        {"expect": {"steps": {"first": "not_taken", "second": "succeeded"}}, "arms": "two"},
    ],
)
def test_what_goes_as_expected_is_no_difference(keys: dict[str, Any]) -> None:
    assert run(**_written(keys)) == ()


def _written(keys: dict[str, Any]) -> dict[str, Any]:
    """``keys`` with the short forms of this file written out."""
    given = dict(keys)
    answers = [{"status": status} for status in given.pop("answers", [])]
    given["answers"] = {"crm": answers or [{"body": {"n": 1}}]}
    if "arms" in given:
        given["arms"] = {"kind": given["arms"]}
    at = "2026-03-28T15:00:00Z"
    given["events"] = [
        {"at": at, "event": one} if isinstance(one, str) else {"at": at, "attributes": one}
        for one in given.pop("events", [])
    ]
    return given


def test_what_goes_another_way_is_said_with_both_ways() -> None:
    expect = {
        "entered": 2,
        "refused": "live",
        "steps": {"ask": "succeeded", "first": "skipped", "second": "succeeded"},
        "waiting_at": {"2026-03-28T20:00:00Z": "ask", "2026-03-30T20:00:00Z": "rest"},
        "calls": {"crm": 1},
        "goal": "won",
        "outcome": "goal:won",
        "ends_at": "2026-03-28T12:00:00Z",
    }
    answers = {"crm": [{"status": 404}]}
    end = "completed at 2026-03-29T14:00:00+02:00"
    user = {"id": "u1", "timezone": "Europe/Berlin"}
    assert run(expect, answers={"crm": ["connection"]}, user=user)[2].taken.startswith(
        "failed (call.unreachable: can't be connected to) at 2026-03-28T13:00:0"
    )
    assert [
        (one.what, one.expected, one.taken) for one in run(expect, answers=answers, user=user)
    ] == [
        ("entered", "2", "1"),
        ("refused", "live", "not refused"),
        (
            "steps.ask",
            "succeeded",
            "failed (call.client_error: answered 404) at 2026-03-28T13:00:00+01:00",
        ),
        ("steps.first", "skipped", "succeeded at 2026-03-29T14:00:00+02:00"),
        ("steps.second", "succeeded", "not_taken"),
        ("waiting_at 2026-03-28T20:00:00Z", "ask", "rest"),
        ("waiting_at 2026-03-30T20:00:00Z", "rest", f"nowhere: {end}"),
        ("goal", "won", f"no goal; {end}"),
        ("outcome", "goal:won", end),
        ("ends_at", "2026-03-28T12:00:00Z", end),
    ]


def test_who_is_refused_is_said_to_be() -> None:
    program = journey(put(), entry={"inputs": {"n": "number"}})
    assert run({"refused": "no_input", "entered": 0}, program) == ()
    (steps, outcome) = run({"steps": {"put": "succeeded"}, "outcome": "completed"}, program)
    assert steps.taken == "not_taken (refused: no_input)"
    assert outcome.taken == "never entered (refused: no_input)"


def test_a_timeout_takes_as_long_as_the_endpoint_allows() -> None:
    terms = {"crm": Terms(timeout_us=7_000_000, retry=RetryPolicy(attempts=1))}
    program = journey(call())
    expect = {"ends_at": "2026-03-28T12:00:07Z", "waiting_at": {"2026-03-28T12:00:06Z": "ask"}}
    assert run(expect, program, terms, answers={"crm": ["timeout"]}) == ()


def test_holdout_holds_only_where_it_is_asked_for() -> None:
    program = journey(put(), entry={"holdout": 100})
    assert run({"outcome": "completed"}, program) == ()
    assert run({"outcome": "held_out"}, program, holdout=True) == ()


def test_without_an_entry_the_triggers_decide() -> None:
    entry = {
        "triggers": [{"event": "x", "where": "event.n > 1"}],
        "inputs": {"n": "number"},
        "reentry": "after_exit",
    }
    program = journey(put(), entry=entry)
    moments = ["2026-03-28T12:00:00Z", "2026-03-28T13:00:00Z", "2026-03-28T14:00:00Z"]
    events = [{"at": at, "event": "x", "properties": {"n": n}} for n, at in enumerate(moments, 1)]
    written = {
        "journey": "j",
        "scenarios": [{"name": "x", "events": events, "expect": {"entered": 2}}],
    }
    (scenario,) = read_scenarios(json.dumps(written).encode(), "j").file.scenarios
    assert run_scenario(program, scenario, {}) == ()
