"""``wait_for``: what counts, since when, until when, what is kept of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from engine.core.steps.base import Move, View, Wait
from engine.core.steps.facts import Change, Event, Fact
from tests.unit.core.steps.standing import NOW, step, view

DAY = 86_400_000_000
TWO = ({"event": "clicked"}, {"event": "bought", "where": "event.total >= 50"})


def event(name: str, at: int = NOW, seq: int = 1, **properties: Any) -> Event:
    return Event(seq, at, name, properties)


def waiting(**keys: Any) -> Any:
    return step(type="wait_for", **{"any": TWO, "within": "P2D", **keys})


def told(made: Any, fact: Fact, **keys: Any) -> Any:
    return made.heed(view(started=NOW, **keys), fact)


def with_earlier(*events: Event, **keys: Any) -> View:
    def earlier(name: str) -> Iterable[Event]:
        return [one for one in events if one.name == name]

    return replace(view(**keys), earlier=earlier)


def test_an_event_takes_its_alternative() -> None:
    assert told(waiting(), event("clicked")) == Move(0, text="clicked")
    assert told(waiting(), event("bought", total=50)) == Move(1, text="bought")


def test_an_event_that_isnt_waited_for_changes_nothing() -> None:
    assert told(waiting(), event("opened")) is None
    assert told(waiting(), event("bought", total=49)) is None
    assert told(waiting(), event("bought")) is None


def test_the_first_alternative_in_file_order_that_is_true_is_taken() -> None:
    both = ({"event": "bought", "where": "event.total >= 50"}, {"event": "bought"})
    assert told(waiting(any=both), event("bought", total=60)) == Move(0, text="bought")
    assert told(waiting(any=both), event("bought", total=6)) == Move(1, text="bought")


def test_the_events_own_time_decides_the_race_with_the_clock() -> None:
    made = waiting(otherwise="late")
    late = NOW + 3 * DAY
    assert told(made, event("clicked", NOW + 2 * DAY), now=late) == Move(0, text="clicked")
    assert told(made, event("clicked", NOW + 2 * DAY + 1), now=late) is None
    assert made.decide(view(now=late, started=NOW)) == Move(2, text="nothing happened")


def test_what_came_before_the_step_counts_only_since_the_entry() -> None:
    before = event("clicked", NOW - DAY)
    assert told(waiting(), before) is None
    since = waiting(since="entry")
    standing = replace(view(started=NOW), began=NOW - 2 * DAY)
    assert since.heed(standing, before) == Move(0, text="clicked")
    assert since.heed(replace(standing, began=NOW), before) is None


def test_who_arrives_looks_back_to_his_entry_in_file_order() -> None:
    seen = (event("bought", NOW - 2 * DAY, total=70), event("clicked", NOW - DAY))
    assert waiting(since="entry").decide(with_earlier(*seen)) == Move(0, text="clicked")
    only = waiting(since="entry", any=TWO[1:])
    assert only.decide(with_earlier(*seen)) == Move(0, text="bought")
    assert isinstance(waiting().decide(with_earlier(*seen)), Wait)


def test_look_back_takes_the_earliest_that_fits() -> None:
    made = waiting(
        since="entry",
        any=[{"event": "bought", "where": "event.n > 1", "outputs": {"vars.n": "event.n"}}],
    )
    seen = [event("bought", NOW - DAY + n, n, n=n) for n in (1, 2, 3)]
    decision = made.decide(with_earlier(*seen))
    assert decision.vars == {"n": 2}


def test_a_condition_holds_on_arrival_or_from_a_change_on() -> None:
    made = waiting(any=[{"event": "clicked"}, {"when": "user.vip"}])
    assert made.decide(view(user={"id": "u1", "vip": True})) == Move(1, text="user.vip")
    change = Change(1, NOW, {"vip": True}, {"vip": None})
    assert told(made, change, user={"id": "u1", "vip": True}) == Move(1, text="user.vip")
    assert told(made, change, user={"id": "u1"}) is None


def test_outputs_are_taken_from_the_event_and_its_name_time_and_id() -> None:
    outputs = {
        "vars.total": "event.total",
        "user.last": "event_time",
        "vars.by": "event_name ~ ' ' ~ event_id",
    }
    made = waiting(any=[{"event": "bought", "outputs": outputs}])
    decision = told(made, replace(event("bought", NOW, total=7), id="e9"))
    assert decision.vars == {"total": 7, "by": "bought e9"}
    assert decision.user == {"last": "2026-09-21T14:13:20+00:00"}


def test_an_output_that_isnt_there_fails_the_step_which_goes_the_same_way() -> None:
    made = waiting(any=[{"event": "bought", "outputs": {"vars.total": "event.total"}}])
    decision = told(made, event("bought"))
    assert (decision.exit, decision.status, decision.failure) == (0, "failed", "step.unfillable")
    assert decision.vars is None


def test_the_event_is_gone_from_the_scope_afterwards() -> None:
    seen = view(started=NOW)
    waiting().heed(seen, event("clicked", total=1))
    assert (seen.scope.event, seen.scope.event_name, seen.scope.event_time) == (None, None, None)
