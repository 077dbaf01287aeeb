"""Facts in any portions, told twice, with the passage put away in between: the same way."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.core.dsl.load import load
from engine.core.dsl.program import Program, compile_journey
from engine.core.interpreter.advance import World, advance
from engine.core.interpreter.simulate import simulate
from engine.core.interpreter.state import Passage, State, User
from engine.core.message import Answer
from engine.core.steps.base import Result
from engine.core.steps.facts import Event, Fact, Past
from engine.users.row import UserRow

START = 1_793_000_000_000_000
HOUR = 3_600_000_000
NAMES = ("a", "b", "c")
OK = Result(Answer(status=200), None, "", 1, 1, START)

_occurrences: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.sampled_from(NAMES).map(lambda name: {"event": name}),
    st.sampled_from(NAMES).map(lambda name: {"event": name, "where": "event.n > 2"}),
    st.just({"when": "event_count('a') >= 2"}),
)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A journey of waits for events, pauses and calls, with goals and exit rules."""
    steps: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["wait_for", "wait_for", "wait", "call_api"]))
        one: dict[str, Any] = {"id": f"s{number}", "type": kind}
        if kind == "wait_for":
            one["any"] = draw(st.lists(_occurrences, min_size=1, max_size=3))
            one["within"] = f"PT{draw(st.integers(1, 9))}H"
            one["since"] = draw(st.sampled_from(["step", "entry"]))
        elif kind == "wait":
            one["for"] = f"PT{draw(st.integers(1, 5))}H"
        else:
            one["endpoint"] = "crm"
        steps.append(one)
    goals = draw(st.lists(_occurrences, max_size=2))
    written = {
        "dsl": 1,
        "journey": "j",
        "steps": steps,
        "goals": [{"name": f"g{n}", "exit": n > 0, **goal} for n, goal in enumerate(goals)],
        "exit": draw(st.lists(_occurrences, max_size=1)),
        "on_exit": [{"id": "bye", "type": "call_api", "endpoint": "crm"}],
    }
    return compile_journey(load(json.dumps(written).encode(), "j.yaml").journey)


events = st.lists(
    st.builds(
        lambda hour, name, n: Event(0, START + hour * HOUR, name, {"n": n}),
        st.integers(0, 24),
        st.sampled_from(NAMES),
        st.integers(0, 5),
    ),
    max_size=8,
)

Story = list[tuple[object, ...]]


class Walked:
    """A passage that is moved by hand, hour by hour."""

    def __init__(self, program: Program, *, put_away: bool) -> None:
        user = User("u1", 3, None, {}, Past())
        self.passage = Passage(1, user, program, "", START, {}, position=program.first)
        self.story: Story = []
        self._put_away = put_away

    def hour(self, now: int, facts: list[Fact]) -> None:
        """Tell him what happened, wake him if it is time, answer his calls."""
        if facts or self._due(now):
            self._advance(now, None, facts)
        while self.passage.state is State.CALLING:
            self._advance(now, OK, [])

    def _due(self, now: int) -> bool:
        passage = self.passage
        if passage.state is not State.WAITING:
            return False
        return passage.wake_at is None or passage.wake_at <= now

    def _advance(self, now: int, result: Result | None, facts: list[Fact]) -> None:
        if self._put_away:
            program, self.passage.program = self.passage.program, None  # type: ignore[assignment]
            self.passage = deepcopy(self.passage)
            self.passage.program = program
        done = advance(self.passage, now, World({}), result, facts)
        self.story += [(now, e.step, e.visit, e.status, e.text) for e in done.executions]
        self.story += [(now, "goal", number) for number in done.goals]


def _walk(
    program: Program, facts: list[Event], *, put_away: bool, one_by_one: bool, twice: bool
) -> tuple[Story, object]:
    walked = Walked(program, put_away=put_away)
    told: list[Fact] = []
    for hour in range(60):
        now = START + hour * HOUR
        new = [fact for fact in facts if fact.at == now]
        if hour == 0:
            walked.hour(now, [])
        if one_by_one:
            for fact in new:
                _remember(walked, [fact])
                walked.hour(now, [*told, fact] if twice else [fact])
                told.append(fact)
        elif new:
            _remember(walked, new)
            walked.hour(now, [*reversed(new), *told] if twice else [*new])
            told += new
        walked.hour(now, [])
    passage = walked.passage
    return walked.story, (passage.outcome, passage.ended_at, passage.goals)


def _remember(walked: Walked, facts: list[Event]) -> None:
    past = walked.passage.user.past
    assert past is not None
    for fact in facts:
        past.add(fact)


def _numbered(facts: list[Event]) -> list[Event]:
    ordered = sorted(facts, key=lambda fact: fact.at)
    return [replace(fact, seq=number) for number, fact in enumerate(ordered, 1)]


@given(programs(), events)
def test_put_away_and_taken_up_again_a_passage_goes_the_same_way(
    program: Program, facts: list[Event]
) -> None:
    numbered = _numbered(facts)
    plain = _walk(program, numbered, put_away=False, one_by_one=True, twice=False)
    assert plain == _walk(program, numbered, put_away=True, one_by_one=True, twice=False)
    assert plain == _walk(program, numbered, put_away=True, one_by_one=True, twice=True)


@given(programs(), events)
def test_in_whatever_order_facts_are_handed_over_their_numbers_decide(
    program: Program, facts: list[Event]
) -> None:
    numbered = _numbered(facts)
    one = _walk(program, numbered, put_away=False, one_by_one=False, twice=False)
    other = _walk(program, numbered, put_away=True, one_by_one=False, twice=True)
    assert one == other


@given(programs(), events, st.randoms(use_true_random=False))
def test_users_do_not_touch_each_other_and_twice_is_the_same(
    program: Program, facts: list[Event], random: Any
) -> None:
    def story(users: list[str]) -> dict[str, Story]:
        told: dict[str, Story] = {}
        rows = [UserRow(0, user, None, {}, {}) for user in users]
        answers = lambda call, number: Answer(status=200)  # noqa: E731
        for one in simulate(
            program, rows, World({}), answers, START, facts=lambda user: by_user[user]
        ):
            step = one.execution and (one.execution.step, one.execution.status)
            told.setdefault(one.passage.user.id, []).append((one.at, step, one.what, one.text))
        return told

    by_user: dict[str, list[Event]] = {"u1": facts, "u2": [], "u3": facts[:3]}
    users = list(by_user)
    random.shuffle(users)
    assert story(users) == story(["u1", "u2", "u3"])
    assert story(["u1"])["u1"][-1][2] in ("ended", "goal", "event")
