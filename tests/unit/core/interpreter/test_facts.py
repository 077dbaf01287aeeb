"""Facts: goals first, then exit rules, then the step; at once, also while a call is on its way."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.interpreter.advance import advance
from engine.core.interpreter.leave import goals_until
from engine.core.interpreter.listens import listens
from engine.core.interpreter.state import Advanced, Passage, State, User
from engine.core.interpreter.walk import MOST_DEPTH
from engine.core.steps.facts import Change, Event, Fact, Past
from tests.unit.core.interpreter.passing import (
    DAY,
    NOW,
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

BYE = {"on_exit": [call("bye")]}
BOUGHT = {"name": "won", "event": "bought"}
LISTEN: dict[str, Any] = {
    "id": "listen",
    "type": "wait_for",
    "any": [{"event": "clicked", "next": "end"}],
    "within": "P2D",
}
END = {"id": "end", "type": "exit", "outcome": "clicked"}


def event(name: str, seq: int = 1, at: int = NOW, **properties: Any) -> Event:
    return Event(seq, at, name, properties)


def change(seq: int = 1, at: int = NOW, **before: Any) -> Change:
    """A change of attributes; what they are now stands with the user."""
    return Change(seq, at, dict.fromkeys(before), before)


def hear(passage: Passage, *facts: Fact, now: int | None = None) -> Advanced:
    at = max([NOW, *(fact.at for fact in facts)]) if now is None else now
    return advance(passage, at, WORLD, None, facts)


# --- exit rules ------------------------------------------------------------------------------


def test_an_exit_rule_ends_a_wait_at_once_and_on_exit_is_made() -> None:
    passage = entered(journey(pause(), exit=[{"event": "left"}], **BYE))
    go(passage)
    done = hear(passage, event("left", at=NOW + 5))
    assert taken(passage, done) == [("rest", "skipped")]
    assert (passage.outcome, passage.state, stands_at(passage)) == ("exit:1", State.CALLING, "bye")
    go(passage, NOW + 6, answer())
    assert (passage.state, passage.outcome, passage.ended_at) == (State.ENDED, "exit:1", NOW + 6)


def test_the_first_rule_in_file_order_that_holds_gives_the_number() -> None:
    rules = [
        {"event": "bought", "where": "event.total > 5"},
        {"when": "user.gone"},
        {"event": "bought"},
    ]
    for total, outcome in ((9, "exit:1"), (1, "exit:3")):
        passage = entered(journey(pause(), exit=rules))
        go(passage)
        hear(passage, event("bought", total=total))
        assert passage.outcome == outcome


def test_a_condition_that_holds_already_ends_the_passage_at_the_door() -> None:
    passage = entered(journey(put(), exit=[{"when": "user.gone"}], **BYE), gone=True)
    done = go(passage)
    assert (passage.outcome, taken(passage, done)) == ("exit:1", [])
    assert stands_at(passage) == "bye"


def test_while_a_call_is_on_its_way_the_outcome_is_fixed_and_the_answer_awaited() -> None:
    passage = entered(journey(call(), put(), exit=[{"event": "left"}], **BYE))
    go(passage)
    done = hear(passage, event("left"))
    assert (done.executions, done.call) == ([], None)
    assert (passage.outcome, passage.state, stands_at(passage)) == ("exit:1", State.CALLING, "ask")
    later = go(passage, NOW + 1, answer(503))
    assert taken(passage, later) == [("ask", "failed")], "no further attempt is made"
    assert later.again is None
    assert later.call is not None
    assert stands_at(passage) == "bye"
    assert go(passage, NOW + 2, answer(503)).again is not None, "on_exit has its own retries"


def test_exit_rules_are_off_during_on_exit() -> None:
    passage = entered(journey(put(), exit=[{"event": "left"}], **BYE))
    go(passage)
    hear(passage, event("left"))
    assert passage.outcome == "completed"


# --- goals -----------------------------------------------------------------------------------


def test_a_goal_counts_and_ends_the_passage_before_any_exit_rule() -> None:
    passage = entered(journey(pause(), goals=[BOUGHT], exit=[{"event": "bought"}]))
    go(passage)
    done = hear(passage, event("bought"))
    assert (done.goals, passage.goals, passage.outcome) == ((0,), {0: NOW}, "goal:won")


def test_a_goal_without_exit_counts_once_and_the_user_goes_on() -> None:
    passage = entered(journey(pause(), goals=[{**BOUGHT, "exit": False}]))
    go(passage)
    assert hear(passage, event("bought", 1, NOW + 1)).goals == (0,)
    assert hear(passage, event("bought", 2, NOW + 2)).goals == ()
    assert (passage.outcome, passage.goals) == (None, {0: NOW + 1})
    go(passage, NOW + DAY)
    assert passage.outcome == "completed"


def test_a_goal_counts_after_the_user_has_left_until_its_window_is_over() -> None:
    for at, counted in ((NOW + 3 * DAY, True), (NOW + 3 * DAY + 1, False)):
        passage = entered(journey(put(), goals=[{**BOUGHT, "within": "P3D"}]))
        go(passage)
        assert passage.state is State.ENDED
        assert goals_until(passage) == NOW + 3 * DAY
        hear(passage, event("bought", at=at))
        assert (bool(passage.goals), passage.outcome) == (counted, "completed")


def test_what_happened_before_the_entry_is_no_goal() -> None:
    passage = entered(journey(pause(), goals=[BOUGHT], exit=[{"event": "bought"}]))
    go(passage)
    hear(passage, event("bought", at=NOW - 1))
    assert (passage.goals, passage.outcome) == ({}, None)


@pytest.mark.parametrize(
    ("rules", "step", "outcome"),
    [
        ({"exit": [{"when": "user.gone"}]}, pause(), "exit:1"),
        ({}, {**LISTEN, "any": [{"when": "user.gone", "next": "end"}]}, "clicked"),
        (
            {},
            {**pause(), "for": None, "until": {"date": "user.day", "missing": "exit"}},
            "missed:rest",
        ),
        ({"goals": [{"name": "won", "when": "user.gone"}]}, pause(), None),
    ],
)
def test_what_a_user_is_counts_however_old_the_change_is_said_to_be(
    rules: dict[str, Any], step: dict[str, Any], outcome: str | None
) -> None:
    said = {key: value for key, value in step.items() if value is not None}
    passage = entered(journey(said, END, **rules), day="2027-01-01")
    go(passage)
    passage.user.attributes = {"gone": True}
    hear(passage, change(at=NOW - DAY, gone=None, day="2027-01-01"))
    assert (passage.outcome, passage.goals) == (outcome, {})


def test_a_goals_condition_has_to_become_true() -> None:
    goal = {"name": "gold", "when": "user.tier == 'gold'"}
    passage = entered(journey(pause(), goals=[goal]), tier="gold", n=2)
    go(passage)
    assert hear(passage, change(1, n=1)).goals == ()
    assert hear(passage, change(2, tier="silver")).goals == (0,)


def test_a_goal_may_count_events() -> None:
    goal = {"name": "twice", "when": "event_count('bought') >= 2"}
    user = User("u1", 3, None, {}, Past())
    passage = entered(journey(pause(), goals=[goal]), user=user)
    go(passage)
    for number, goals in ((1, ()), (2, (0,))):
        one = event("bought", number, NOW + number)
        assert user.past is not None
        user.past.add(one)
        assert hear(passage, one).goals == goals


def test_on_exit_knows_the_goal() -> None:
    bye = call("bye", body={"goal": "{{ enrollment.goal }}", "how": "{{ enrollment.outcome }}"})
    passage = entered(journey(pause(), goals=[BOUGHT], on_exit=[bye]))
    go(passage)
    done = hear(passage, event("bought"))
    assert done.call is not None
    assert done.call.body == b'{"goal":"won","how":"goal:won"}'


# --- steps -----------------------------------------------------------------------------------


def test_an_event_takes_the_user_on_from_where_he_waits() -> None:
    passage = entered(journey(LISTEN, put(), END))
    go(passage)
    done = hear(passage, event("clicked", at=NOW + 1))
    assert taken(passage, done) == [("listen", "succeeded"), ("end", "succeeded")]
    assert passage.outcome == "clicked"


def test_an_event_of_before_the_deadline_wins_although_it_is_seen_later() -> None:
    for at, outcome in ((NOW + 2 * DAY, "clicked"), (NOW + 2 * DAY + 1, "completed")):
        passage = entered(journey(LISTEN, {"id": "out", "type": "exit"}, END))
        go(passage)
        hear(passage, event("clicked", at=at), now=NOW + 5 * DAY)
        assert passage.outcome == outcome


def test_an_event_that_changes_nothing_does_not_bring_on_a_deadline_before_the_next_event() -> None:
    wanted = {"event": "clicked", "where": "event.n > 1", "next": "end"}
    passage = entered(journey({**LISTEN, "any": [wanted]}, END | {"id": "late"}, END))
    go(passage)
    late = NOW + 3 * DAY  # as after a downtime
    hear(passage, event("clicked", 1, NOW + DAY, n=1), now=late)
    assert stands_at(passage) == "listen"
    hear(passage, event("clicked", 2, NOW + 2 * DAY, n=2), now=late)
    assert taken(passage, go(passage, late)) == []
    assert [passage.program.nodes[n].id for n in passage.steps] == ["listen", "end"]


def test_each_fact_meets_the_step_that_the_one_before_led_to() -> None:
    second = {**LISTEN, "id": "again", "any": [{"event": "bought"}]}
    first = {**LISTEN, "any": [{"event": "clicked"}]}
    passage = entered(journey(first, second, pause()))
    go(passage)
    done = hear(passage, event("bought", 2), event("clicked", 1))
    assert taken(passage, done) == [("listen", "succeeded"), ("again", "succeeded")]
    assert stands_at(passage) == "rest"


def test_what_was_applied_is_passed_over() -> None:
    passage = entered(journey(LISTEN, {**LISTEN, "id": "again"}, END))
    go(passage)
    hear(passage, event("bought", 4))
    assert hear(passage, event("clicked", 3)).executions == []
    assert passage.seen_seq == 4


def test_a_wait_follows_its_date() -> None:
    until = {"date": "user.day", "missing": "exit"}
    passage = entered(
        journey({"id": "until", "type": "wait", "until": until}), day="2027-01-01T00:00Z"
    )
    go(passage)
    assert passage.wake_at == 1_798_761_600_000_000
    passage.user.attributes["day"] = "2027-01-02T00:00Z"
    hear(passage, change(day="2027-01-01T00:00Z"))
    assert passage.wake_at == 1_798_761_600_000_000 + DAY


def test_the_event_that_let_somebody_in_is_not_looked_back_at() -> None:
    user = User("u1", 3, None, {}, Past())
    assert user.past is not None
    for one in (event("clicked", 1, NOW - 5), event("clicked", 2, NOW)):
        user.past.add(one)
    passage = entered(journey({**LISTEN, "since": "entry"}, put(), END), user=user)
    passage.entered_seq = passage.seen_seq = 2
    go(passage)
    assert stands_at(passage) == "listen"


def test_expressions_count_the_users_events() -> None:
    user = User("u1", 3, None, {}, Past())
    assert user.past is not None
    for number in range(3):
        user.past.add(event("bought", number, NOW - number * DAY))
    two = put(n="{{ event_count('bought') }}", week="{{ event_count('bought', within='P1D') }}")
    passage = entered(journey(two, put("other", any="{{ has_event('opened') }}")), user=user)
    go(passage)
    assert passage.vars == {"n": 3, "week": 2, "any": False}


def test_events_that_lead_to_one_another_come_to_an_end() -> None:
    passage = entered(journey({"id": "tell", "type": "emit", "event": "x"}))
    assert go(passage).makes != ()
    deep = entered(journey({"id": "tell", "type": "emit", "event": "x"}))
    deep.depth = MOST_DEPTH
    assert failures(deep, go(deep)) == {"tell": "step.too_deep"}


def test_time_that_passes_begins_anew_what_leads_to_what() -> None:
    clicked = {**LISTEN, "any": [{"event": "clicked"}]}
    passage = entered(journey(clicked, pause(), {"id": "tell", "type": "emit", "event": "x"}))
    go(passage)
    advance(passage, NOW, WORLD, None, [Event(1, NOW, "clicked", {}, None, MOST_DEPTH)])
    assert passage.depth == MOST_DEPTH
    assert go(passage, NOW + DAY).makes != ()


# --- who is touched --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "touches"),
    [
        (event("bought"), True),
        (event("clicked"), True),
        (event("opened"), False),
        (change(day=None), True),
        (change(gone=None), True),
        (change(other=None), False),
    ],
)
def test_a_journey_is_touched_by_what_it_listens_to(fact: Fact, touches: bool) -> None:
    until = {"date": "user.day", "missing": "exit", "timezone": "UTC"}
    program = journey(
        LISTEN,
        {"id": "until", "type": "wait", "until": until},
        END,
        goals=[BOUGHT],
        exit=[{"when": "user.gone"}],
    )
    assert listens(program, fact) is touches
