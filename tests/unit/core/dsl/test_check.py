"""What a journey means: who is reached, what never ends, what is listened to."""
# ruff: noqa: E501 - journeys in a line

from __future__ import annotations

import pytest

from engine.core.dsl.check import Checked, load_and_check
from engine.core.dsl.listening import Need
from engine.core.expressions.durations import DAY
from tests.unit.core.dsl.good_journeys import CART_RESCUE, EVERYTHING, WELCOME

HEAD = "dsl: 1\njourney: j\nsteps:\n"


def checked(text: str) -> Checked:
    """What was found in a journey without errors."""
    return load_and_check(text.encode(), "j.yaml").checked


def test_every_endpoint_is_known_with_the_steps_that_call_it() -> None:
    assert checked(CART_RESCUE).endpoints == {
        "crm": ("score", "ask_agent"),
        "messenger": ("remind", "offer"),
        "loyalty": ("coupon",),
    }
    assert checked(EVERYTHING).endpoints == {"crm": ("hello", "ask", "bye")}


def test_a_journey_listens_to_what_its_waits_goals_and_exit_rules_read() -> None:
    listens = checked(EVERYTHING).listens
    assert listens.events == {"deleted", "replied", "complained"}
    assert listens.attributes == {"orders", "unsubscribed", "tier", "renewal", "timezone"}
    assert checked(CART_RESCUE).listens.events == {"cart_mail_clicked", "order_placed"}
    assert checked(WELCOME).listens.events == frozenset()
    assert checked(WELCOME).listens.attributes == frozenset()


def test_a_condition_over_the_whole_user_listens_to_everything() -> None:
    text = "exit: [{when: \"'x' in user\"}]\nsteps: [{id: a, type: exit}]\n"
    assert checked("dsl: 1\njourney: j\n" + text).listens.attributes == {"*"}


def test_counted_events_are_known_with_their_widest_window() -> None:
    steps = (
        "- {id: a, type: exit, when: \"has_event('x', 'P7D') or event_count('x', 'P9D') > 1\"}\n"
        "- {id: b, type: set, values: {vars.n: \"{{ event_count('y') }}\"}}\n"
        "- {id: c, type: exit, when: \"has_event('y', '1h')\"}\n"
    )
    assert checked(HEAD + steps).needs == (Need("x", 9 * DAY), Need("y", None))
    assert checked(EVERYTHING).needs == (Need("complained", None), Need("seen", 7 * DAY))


ENDING = [
    (
        "a wait in the loop",
        "- {id: a, type: wait, for: 1d}\n- {id: b, type: set, values: {vars.x: 1}, next: a}\n",
    ),
    (
        "a jump that visits() limits",
        "- {id: a, type: set, values: {vars.x: 1}}\n- {id: b, type: set, values: {vars.x: 1}, when: visits(a) < 3, next: a}\n",
    ),
    (
        "an exit that visits() opens",
        "- {id: a, type: exit, when: visits(b) > 3}\n- {id: b, type: set, values: {vars.x: 1}, next: a}\n",
    ),
    (
        "a path that visits() limits",
        "- id: a\n  type: branch\n  paths: [{name: x, when: visits(a) < 3, next: a}]\n",
    ),
    (
        "a path that steps.X.visits limits",
        "- id: a\n  type: branch\n  paths: [{name: x, when: steps.a.visits < 3, next: a}]\n",
    ),
    (
        "a jump forward",
        "- {id: a, type: set, values: {vars.x: 1}, next: c}\n- {id: c, type: exit}\n",
    ),
    (
        "an arm that nobody gets",
        "- id: a\n  type: split\n  arms: [{name: x, weight: 0, next: a}, {name: y, weight: 1}]\n",
    ),
    (
        "a wait for something",
        "- id: a\n  type: wait_for\n  within: 1d\n  any: [{event: x, next: a}]\n  otherwise: a\n",
    ),
]


@pytest.mark.parametrize("steps", [text for _, text in ENDING], ids=[name for name, _ in ENDING])
def test_a_loop_may_wait_or_be_limited(steps: str) -> None:
    assert checked(HEAD + steps).problems == ()


UNREACHED = [
    ("behind an exit", "- {id: a, type: exit}\n- {id: b, type: exit}\n", [(5, "b")]),
    (
        "behind a jump",
        "- {id: a, type: wait, for: 1d, next: c}\n- {id: b, type: exit}\n- {id: c, type: exit}\n",
        [(5, "b")],
    ),
    (
        "only the first of several",
        "- {id: a, type: exit}\n- {id: b, type: wait, for: 1d}\n- {id: c, type: exit}\n",
        [(5, "b")],
    ),
    (
        "behind an exit that may be skipped",
        "- {id: a, type: exit, when: user.x}\n- {id: b, type: exit}\n",
        [],
    ),
    (
        "behind a branch whose ways all leave",
        "- id: a\n  type: branch\n  paths: [{name: x, when: user.y, next: c}]\n  otherwise: c\n- {id: b, type: exit}\n- {id: c, type: exit}\n",
        [(8, "b")],
    ),
    (
        "in an arm without weight",
        "- id: a\n  type: split\n  arms:\n    - {name: x, weight: 0, steps: [{id: b, type: exit}]}\n    - {name: y, weight: 1}\n",
        [(7, "b")],
    ),
]


@pytest.mark.parametrize(
    ("steps", "expected"), [case[1:] for case in UNREACHED], ids=[case[0] for case in UNREACHED]
)
def test_a_step_that_nobody_comes_to_is_a_warning(
    steps: str, expected: list[tuple[int, str]]
) -> None:
    loaded = load_and_check((HEAD + steps).encode(), "j.yaml")
    assert [(w.line, w.message.split("`")[1]) for w in loaded.warnings] == expected
    assert all(w.code == "step.unreachable" and w.severity == "warning" for w in loaded.warnings)
