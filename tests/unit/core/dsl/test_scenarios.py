"""Scenario files: what they may say, and every slip at its place."""

from __future__ import annotations

import pytest

from engine.core.dsl.check import load_and_check
from engine.core.dsl.journey import Journey
from engine.core.dsl.scenarios import check_scenarios, read_scenarios
from engine.errors import DefinitionError, Problem

JOURNEY = b"""\
dsl: 1
journey: nudge
entry: {inputs: {total: number}}
goals: [{name: bought, event: order_placed}]
steps:
  - {id: score, type: call_api, endpoint: crm}
  - id: variant
    type: split
    arms: [{name: mail, weight: 1}, {name: none, weight: 1}]
"""
GOOD = """\
journey: nudge
scenarios:
  - name: all goes well
    user: {id: u1, timezone: Europe/Berlin, tier: gold}
    enter: {at: "2026-03-28T22:30:00+01:00", inputs: {total: 5}}
    answers: {crm: [timeout, {status: 200, body: {n: 1}}]}
    arms: {variant: mail}
    events: [{at: "2026-03-29T10:00:00Z", event: order_placed}]
    expect:
      steps: {score: succeeded}
      waiting_at: {"2026-03-29T08:00:00Z": score}
      calls: {crm: 2}
      goal: bought
"""


def journey() -> Journey:
    return load_and_check(JOURNEY, "nudge.yaml").journey


def problems(text: str) -> list[Problem]:
    with pytest.raises(DefinitionError) as raised:
        check_scenarios(read_scenarios(text.encode(), "n.scenarios.yaml"), journey())
    return list(raised.value.problems)


def test_a_good_file_is_read_with_the_lines_of_its_scenarios() -> None:
    scenarios = read_scenarios(GOOD.encode(), "n.scenarios.yaml")
    check_scenarios(scenarios, journey())
    (one,) = scenarios.file.scenarios
    assert scenarios.line(0) == 3
    assert (one.user.id, one.user.timezone, one.user.attributes) == (
        "u1",
        "Europe/Berlin",
        {"tier": "gold"},
    )
    assert one.starts_at == 1_774_733_400_000_000


@pytest.mark.parametrize(
    ("right", "wrong", "code", "line", "remedy"),
    [
        ("steps: {score:", "steps: {scor:", "step.unknown", 10, "did you mean `score`?"),
        ('00Z": score', '00Z": varant', "step.unknown", 11, "did you mean `variant`?"),
        ("calls: {crm:", "calls: {cmr:", "endpoint.unknown", 12, "did you mean `crm`?"),
        ("answers: {crm:", "answers: {cr:", "endpoint.unknown", 6, "did you mean `crm`?"),
        ("goal: bought", "goal: boght", "goal.unknown", 13, "did you mean `bought`?"),
        ("arms: {variant:", "arms: {score:", "split.unknown", 7, "one of variant"),
        ("variant: mail", "variant: male", "arm.unknown", 7, "did you mean `mail`?"),
        ("inputs: {total:", "inputs: {totl:", "input.unknown", 5, "did you mean `total`?"),
        ("total: 5", "total: five", "input.type", 5, ""),
        ("journey: nudge", "journey: nugde", "scenario.journey", 1, "nudge?"),
        ("    expect:", "    expekt:", "key.unknown", 9, "did you mean `expect`?"),
        ("score: succeeded", "score: succeded", "value.choice", 10, "did you mean `succeeded`?"),
        ("[timeout,", "[time_out,", "answer.invalid", 6, "timeout, connection, or {status: 503}"),
        ("[timeout,", "[503,", "answer.invalid", 6, "{status: 503}"),
        ("event: order_placed", "evnt: order_placed", "key.unknown", 8, "did you mean `event`?"),
        ("+01:00", "", "moment.no_offset", 5, "say the offset"),
        ("2026-03-28T", "2026-03-32T", "moment.invalid", 5, "as in"),
        ("Europe/Berlin", "Europe/Berln", "zone.unknown", 4, "did you mean `Europe/Berlin`?"),
        ("  - name: all goes well\n", "  -\n", "key.missing", 4, "add `name: NAME`"),
        ("    arms:", "    from: 2026-03-28Z\n    arms:", "moment.invalid", 7, "as in"),
    ],
)
def test_a_slip_is_named_at_its_line_with_what_would_be_right(
    right: str, wrong: str, code: str, line: int, remedy: str
) -> None:
    assert right in GOOD
    (problem,) = problems(GOOD.replace(right, wrong, 1))
    assert (problem.code, problem.line) == (code, line)
    assert problem.remedy.startswith(remedy)


def test_every_slip_is_named_at_once() -> None:
    text = GOOD.replace("goal: bought", "goal: boght").replace("arms: {variant", "arms: {varant")
    assert [problem.code for problem in problems(text)] == ["split.unknown", "goal.unknown"]


def test_who_never_enters_is_no_scenario() -> None:
    (problem,) = problems("journey: nudge\nscenarios: [{name: x, expect: {entered: 0}}]\n")
    assert problem.code == "scenario.no_entry"
    event = "{at: 2026-03-29T10:00:00Z, event: x}"
    text = f"journey: nudge\nscenarios: [{{name: x, events: [{event}], expect: {{entered: 0}}}}]\n"
    (problem,) = problems(text)
    assert (problem.code, "no trigger" in problem.message) == ("scenario.no_entry", True)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("from: 2026-03-28T22:30:00Z", "scenario.begins_twice"),
        ("until: 2026-03-28T20:00:00Z", "scenario.ends_first"),
    ],
)
def test_a_scenario_begins_once_and_ends_afterwards(key: str, code: str) -> None:
    (problem,) = problems(GOOD.replace("    expect:", f"    {key}\n    expect:"))
    assert (problem.code, problem.line) == (code, 3)


@pytest.mark.parametrize("text", ["", "- x", "journey: nudge", "journey: nudge\nscenarios: []"])
def test_what_is_no_file_of_scenarios_is_one_problem(text: str) -> None:
    assert len(problems(text)) == 1
