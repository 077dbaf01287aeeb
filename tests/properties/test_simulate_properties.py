"""Whatever a journey looks like: everybody ends or waits, and twice is the same."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.core.dsl.load import load
from engine.core.dsl.program import Program, compile_journey
from engine.core.interpreter.advance import World
from engine.core.interpreter.simulate import simulate
from engine.core.message import Answer
from engine.enrollments.summary import Summary, Tallying
from engine.users.row import UserRow

START = 1_793_000_000_000_000
USERS = [
    UserRow(0, "u1", None, {}, {}),
    UserRow(0, "u2", "Europe/Berlin", {"tier": "gold", "n": 4}, {}),
    UserRow(0, "u3", "Mars/Phobos", {"day": "2026-12-24", "n": "x"}, {}),
]
_WAITS = [
    {"for": "PT5M"},
    {"for": "P1M"},
    {"for": "{{ user.n | default('P1D') }}"},
    {"until": {"time": "09:00", "weekdays": ["mon"]}},
    {"until": {"days": 2}},
    {"until": {"date": "user.day", "offset": "-P1D", "missing": "continue"}},
    {"until": {"date": "user.day", "past": "exit", "missing": "exit"}},
]
_CALLS: list[dict[str, Any]] = [
    {},
    {"retry": {"attempts": 1}, "on_failure": "exit"},
    {"path": "/{{ user.tier }}", "body": {"n": "{{ user.n }}"}},
    {"outputs": {"vars.x": "response.body.x", "user.n": "response.status"}},
]
_CONDITIONS = ["user.tier == 'gold'", "user.n > 3", "vars.x == 1", "steps.s0.status == 'failed'"]
_ANSWERS = [
    Answer(status=200, headers={"content-type": "application/json"}, body=b'{"x": 1}'),
    Answer(status=500),
    Answer(status=429, headers={"retry-after": "60"}),
    Answer(status=404),
    Answer(failure="call.timed_out", elapsed_us=10_000_000),
    Answer(failure="call.unreachable", may_have_been_sent=False),
]


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A small journey; it may hold loops without an end, which the step limit stops."""
    numbers = iter(range(1_000))

    def steps(depth: int) -> list[dict[str, Any]]:
        return [step(depth) for _ in range(draw(st.integers(1, 4 if depth == 0 else 2)))]

    def body(depth: int) -> dict[str, Any]:
        way = draw(st.sampled_from(["on", "next", "steps"] if depth < 2 else ["on", "next"]))
        if way == "next":
            return {"next": f"s{draw(st.integers(0, 6))}"}
        return {"steps": steps(depth + 1)} if way == "steps" else {}

    def step(depth: int) -> dict[str, Any]:
        one: dict[str, Any] = {"id": f"s{next(numbers)}"}
        if draw(st.integers(0, 3)) == 0:
            one["when"] = draw(st.sampled_from(_CONDITIONS))
        kind = draw(
            st.sampled_from(["wait", "call_api", "branch", "split", "set", "exit", "call_api"])
        )
        one["type"] = kind
        if kind == "wait":
            one |= draw(st.sampled_from(_WAITS))
        elif kind == "call_api":
            one |= {
                "endpoint": draw(st.sampled_from(["crm", "sms"])),
                **draw(st.sampled_from(_CALLS)),
            }
        elif kind == "branch":
            when = draw(st.sampled_from(_CONDITIONS))
            one["paths"] = [{"name": "p", "when": when, **body(depth)}]
        elif kind == "split":
            one["arms"] = [
                {"name": "a", "weight": 1, **body(depth)},
                {"name": "b", "weight": 2, **body(depth)},
            ]
        elif kind == "set":
            one["values"] = {"vars.x": draw(st.sampled_from([1, "{{ user.tier }}"]))}
        return one

    journey = {
        "dsl": 1,
        "journey": "j",
        "steps": steps(0),
        "on_exit": [{"id": "bye", "type": "call_api", "endpoint": "crm"}],
        "entry": {"holdout": draw(st.sampled_from([0, 50]))},
        "max_age": draw(st.sampled_from(["P1D", "P365D"])),
    }
    return compile_journey(load(json.dumps(journey).encode(), "j.yaml").journey)


def _run(
    program: Program, answers: list[Answer], horizon: int | None
) -> tuple[list[tuple[object, ...]], Summary]:
    tally = Tallying(program)
    story: list[tuple[object, ...]] = []
    script = lambda call, number: answers[min(number, len(answers) - 1)]  # noqa: E731
    for event in simulate(program, USERS, World({}), script, START, horizon):
        tally.add(event)
        step = event.execution and (event.execution.step, event.execution.status)
        story.append((event.passage.user.id, event.at, step, event.what, event.text))
    return story, tally.summary()


@given(
    programs(),
    st.lists(st.sampled_from(_ANSWERS), min_size=1, max_size=4),
    st.sampled_from([None, START, START + 86_400_000_000 * 40]),
)
def test_every_journey_ends_or_waits_and_twice_the_same(
    program: Program, answers: list[Answer], horizon: int | None
) -> None:
    story, summary = _run(program, answers, horizon)
    assert (story, summary) == _run(program, answers, horizon)
    for user in USERS:
        own = [entry for entry in story if entry[0] == user.id]
        times = [entry[1] for entry in own]
        assert times == sorted(times)  # type: ignore[type-var]
        assert own[0][3] == "entered"
        assert own[-1][3] in ("ended", "stays")
        if horizon is None:
            assert own[-1][3] == "ended"


@given(programs(), st.lists(st.sampled_from(_ANSWERS), min_size=1, max_size=4))
def test_a_summary_counts_every_step_and_every_user_once(
    program: Program, answers: list[Answer]
) -> None:
    story, summary = _run(program, answers, START + 86_400_000_000)
    assert summary.entered == len(USERS) == summary.finished + summary.waiting
    assert sum(summary.outcomes.values()) == summary.finished
    taken = Counter(entry[2] for entry in story if entry[2])
    for node in program.nodes:
        tally = summary.steps[node.step.id]
        for status in ("succeeded", "failed", "skipped"):
            assert getattr(tally, status) == taken[(node.number, status)]
        assert tally.waiting >= 0
    assert sum(tally.waiting for tally in summary.steps.values()) == summary.waiting
    assert summary.stuck == 0
