"""What decisions saw is in the executions they made."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.dsl.contact_policy import ContactPolicy
from engine.core.interpreter.advance import advance
from engine.core.interpreter.contact import governed
from engine.core.interpreter.state import Passage
from engine.core.steps.facts import Event
from tests.unit.core.interpreter.passing import DAY, NOW, WORLD, call, entered, go, journey, put

TIERS = [
    {"name": "gold", "when": "user.tier == 'gold'"},
    {"name": "busy", "when": "user.orders > 5 and user.tier != 'new'"},
    {"name": "far", "when": "user.city == 'Far'"},
]


def saw(passage: Passage, now: int = NOW, *facts: Event) -> list[object]:
    return [execution.seen for execution in advance(passage, now, WORLD, facts=facts).executions]


@pytest.mark.parametrize(
    ("attributes", "text", "seen"),
    [
        ({"tier": "gold", "orders": 9}, "gold", {"user.tier": "gold"}),
        ({"tier": "old", "orders": 9}, "busy", {"user.tier": "old", "user.orders": 9}),
        ({"city": "Near"}, "none is true", dict.fromkeys(("user.tier", "user.orders"), None)),
    ],
)
def test_a_branch_tells_the_values_up_to_the_path_that_was_true(
    attributes: dict[str, Any], text: str, seen: dict[str, Any]
) -> None:
    passage = entered(journey({"id": "b", "type": "branch", "paths": TIERS}))
    passage.user.attributes.update(attributes)
    (execution,) = go(passage).executions
    assert execution.text == text
    expected = seen if text != "none is true" else {**seen, "user.city": "Near"}
    assert execution.seen == expected


def test_a_step_that_is_skipped_tells_why_and_one_without_conditions_tells_nothing() -> None:
    passage = entered(journey({**put("a"), "when": "user.tier == 'gold'"}, put("b")))
    assert saw(passage) == [{"user.tier": None}, None]


def test_a_wait_tells_its_moment_and_zone() -> None:
    passage = entered(journey({"id": "w", "type": "wait", "until": {"days": 1, "time": "09:00"}}))
    passage.user.timezone = "Nowhere/Else"
    go(passage)
    until = passage.wake_at
    assert until is not None
    (execution,) = go(passage, until).executions
    assert execution.seen == {"until": until, "zone": "UTC"}
    assert "Nowhere/Else" in execution.text


def test_a_wait_of_a_computed_length_or_date_tells_what_it_was_made_of() -> None:
    passage = entered(journey({"id": "w", "type": "wait", "for": "PT{{ user.n }}H"}))
    passage.user.attributes["n"] = 2
    go(passage)
    until = NOW + DAY // 12
    assert saw(passage, until) == [{"user.n": 2, "until": until, "zone": "UTC"}]
    date = {"date": "user.due", "missing": "continue"}
    passage = entered(journey({"id": "w", "type": "wait", "until": date}))
    assert saw(passage) == [{"user.due": None}]


def test_a_wait_of_a_length_that_the_file_says_tells_nothing() -> None:
    passage = entered(journey({"id": "w", "type": "wait", "for": "P1D"}))
    go(passage)
    assert saw(passage, NOW + DAY) == [None]


def test_a_wait_for_tells_which_event_it_was_and_what_where_read() -> None:
    any_ = [{"event": "bought", "where": "event.total > user.least"}]
    passage = entered(journey({"id": "w", "type": "wait_for", "any": any_, "within": "P2D"}))
    passage.user.attributes["least"] = 10
    go(passage)
    event = Event(NOW + 7, NOW + 5, "bought", {"total": 12, "card": "x"}, "m1")
    (seen,) = saw(passage, NOW + 7, event)
    named = {"event": "bought", "at": NOW + 5, "id": "m1"}
    assert seen == {**named, "event.total": 12, "user.least": 10}


def test_a_wait_for_that_is_over_tells_what_its_conditions_saw() -> None:
    any_ = [{"event": "bought"}, {"when": "user.tier == 'gold'"}]
    passage = entered(journey({"id": "w", "type": "wait_for", "any": any_, "within": "P2D"}))
    go(passage)
    assert saw(passage, NOW + 2 * DAY) == [{"user.tier": None}]


def test_a_call_that_contact_policy_withholds_tells_why() -> None:
    policy = ContactPolicy.model_validate({"suppress": "user.unsubscribed"})
    passage = entered(governed(journey(call("hello", contact=True)), policy))
    passage.user.attributes["unsubscribed"] = True
    assert saw(passage) == [{"user.unsubscribed": True}]
