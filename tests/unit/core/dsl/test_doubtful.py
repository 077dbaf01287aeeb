"""What is allowed and hardly meant is warned of, and what only looks like it isn't."""
# ruff: noqa: E501 - journeys in a line

from __future__ import annotations

import pytest

from engine.core.dsl.check import load_and_check

HEAD = "dsl: 1\njourney: j\n"
CALL = "- {id: ID, type: call_api, endpoint: e}\n"
ROUTE = (
    "- {id: r, type: branch, paths: [{name: g, when: user.gold, next: gold}], otherwise: plain}\n"
)
GOLD, MORE, PLAIN = (CALL.replace("ID", name) for name in ("gold", "more", "plain"))
DONE = CALL.replace("ID", "done")


def warned(steps: str, head: str = HEAD) -> list[tuple[str, int]]:
    """Code and line of every warning of a journey without errors."""
    found = load_and_check(f"{head}steps:\n{steps}".encode(), "j.yaml").warnings
    return [(one.code, one.line) for one in found]


DOUBTFUL = [
    ("a path runs into the next one", ROUTE + GOLD + PLAIN, "flow.falls_through", 5),
    ("at the end of some steps", ROUTE + GOLD + MORE + PLAIN, "flow.falls_through", 6),
    (
        "arms of a split",
        "- {id: s, type: split, arms: [{name: a, weight: 1, next: gold}, {name: b, weight: 1, next: plain}]}\n"
        + GOLD
        + PLAIN,
        "flow.falls_through",
        5,
    ),
    (
        "a wait longer than the journey",
        "- {id: w, type: wait, for: P400D}\n" + DONE,
        "wait.outlasts",
        4,
    ),
    (
        "a wait for something, as well",
        "- {id: w, type: wait_for, any: [{event: a}], within: P366D}\n" + DONE,
        "wait.outlasts",
        4,
    ),
    ("a wait at the end", DONE + "- {id: w, type: wait, for: 1d}\n", "wait.last", 5),
    (
        "the same condition again",
        "- {id: b, type: branch, paths: [{name: a, when: user.x}, {name: b, when: user.x}]}\n",
        "way.never_taken",
        4,
    ),
    (
        "behind a path for everybody",
        "- {id: b, type: branch, paths: [{name: a, when: true}, {name: b, when: user.x}]}\n",
        "way.never_taken",
        4,
    ),
    (
        "the narrower event behind the wider",
        "- {id: w, type: wait_for, within: 1d, any: [{event: a}, {event: a, where: event.x > 1}]}\n"
        + DONE,
        "way.never_taken",
        4,
    ),
    (
        "weights that were meant to be percentages",
        "- {id: s, type: split, arms: [{name: a, weight: 50}, {name: b, weight: 60}]}\n" + DONE,
        "split.weights",
        4,
    ),
    ("a step that no way leads to", "- {id: x, type: exit}\n" + DONE, "step.unreachable", 5),
    (
        "an arm without weight",
        "- {id: s, type: split, arms: [{name: a, weight: 1}, {name: b, weight: 0, steps: [{id: x, type: exit}]}]}\n"
        + DONE,
        "step.unreachable",
        4,
    ),
]


@pytest.mark.parametrize(("why", "steps", "code", "line"), DOUBTFUL)
def test_what_is_hardly_meant_is_warned_of(why: str, steps: str, code: str, line: int) -> None:
    assert warned(steps) == [(code, line)], why


MEANT = [
    ("it says where it goes on", ROUTE + GOLD.replace("type", "next: done, type") + PLAIN + DONE),
    ("it says that it goes on there", ROUTE + GOLD.replace("type", "next: plain, type") + PLAIN),
    ("all end at the exit", ROUTE.replace("plain", "bye") + GOLD + "- {id: bye, type: exit}\n"),
    ("the others skip ahead", ROUTE.replace(", otherwise: plain", "").replace("gold}", "plain}") + MORE + PLAIN),
    ("others come there, too", CALL.replace("ID", "first").replace("type", "on_failure: {next: gold}, type") + ROUTE + GOLD + PLAIN),
    ("a wait that fits", "- {id: w, type: wait, for: P364D}\n" + DONE),
    ("a wait without an end of its own", "- {id: w, type: wait_for, any: [{event: a}], within: P365D}\n" + DONE),
    ("equal weights", "- {id: s, type: split, arms: [{name: a, weight: 30}, {name: b, weight: 30}, {name: c, weight: 30}]}\n" + DONE),
    ("thirds", "- {id: s, type: split, arms: [{name: a, weight: 33}, {name: b, weight: 33}, {name: c, weight: 34.1}]}\n" + DONE),
    ("plain shares", "- {id: s, type: split, arms: [{name: a, weight: 2}, {name: b, weight: 1}]}\n" + DONE),
    ("the narrower event first", "- {id: w, type: wait_for, within: 1d, any: [{event: a, where: event.x > 1}, {event: a}]}\n" + DONE),
    ("waits only", "- {id: w, type: wait, for: 1d}\n"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "steps"), MEANT)
def test_what_may_be_meant_is_not_warned_of(why: str, steps: str) -> None:
    assert warned(steps) == [], why


def test_a_wait_at_the_end_matters_where_something_counts_meanwhile() -> None:
    steps = DONE + "- {id: w, type: wait, for: 1d}\n"
    for more in (
        "goals: [{name: bought, event: order}]\n",
        "exit: [{event: gone}]\n",
        "on_exit: [{id: bye, type: call_api, endpoint: e}]\n",
        "entry: {reentry: after_exit}\n",
    ):
        assert warned(steps, HEAD + more) == []
