"""Users let in by the clock: on schedules, and at dates of their own."""

from __future__ import annotations

from typing import Any

from engine.core.dsl.program import Program
from engine.core.dsl.trigger import never_end
from engine.core.expressions.calendar import from_instant, parse_iso
from engine.core.expressions.scope import UTC_ZONE
from engine.core.interpreter.advance import World
from engine.core.interpreter.simulate import Happened, simulate
from engine.core.message import Answer
from engine.core.steps.facts import Change, Event, Fact
from tests.unit.core.interpreter.passing import journey, pause, put
from tests.unit.core.interpreter.test_simulate import Row

SUNDAY = "2026-11-22T00:00"


def at(text: str) -> int:
    instant = parse_iso(text, UTC_ZONE)
    assert instant is not None
    return instant


def by(*triggers: dict[str, Any], reentry: str = "after_exit", **more: Any) -> Program:
    inputs = more.pop("inputs", {})
    entry = {"triggers": list(triggers), "reentry": reentry, "inputs": inputs}
    return journey(*more.pop("steps", [put()]), entry=entry, **more)


def change(when: str, **values: Any) -> Change:
    return Change(0, at(when), values, {})


def live(
    program: Program, *facts: Fact, start: str = SUNDAY, until: str = "2026-12-06", **user: Any
) -> list[Happened]:
    zone = user.pop("timezone", None)
    return list(
        simulate(
            program,
            [Row(timezone=zone, attributes=user)],
            World({}),
            lambda call, number: Answer(status=200),
            at(start),
            at(until),
            facts=lambda _: facts,
            triggered=True,
        )
    )


def entries(events: list[Happened], what: str = "entered") -> list[str]:
    found = [from_instant(e.at, UTC_ZONE) for e in events if e.what == what]
    return [f"{moment:%m-%dT%H:%M}" for moment in found]


MONDAYS = {"schedule": "0 9 * * mon"}


def test_a_schedule_lets_in_whenever_it_fires_up_to_the_horizon() -> None:
    assert entries(live(by(MONDAYS))) == ["11-23T09:00", "11-30T09:00"]
    assert entries(live(by(MONDAYS), start="2026-11-23T09:00")) == ["11-23T09:00", "11-30T09:00"]
    assert entries(live(by(MONDAYS), until="2026-11-30T08:59")) == ["11-23T09:00"]


def test_an_audience_is_asked_about_each_user_at_that_moment() -> None:
    program = by({**MONDAYS, "audience": "user.gold"})
    assert entries(live(program)) == []
    assert entries(live(program, gold=True)) == ["11-23T09:00", "11-30T09:00"]
    assert entries(live(program, change("2026-11-29", gold=True))) == ["11-30T09:00"]
    # Who becomes gold at that very moment is gold: facts come before clocks.
    assert entries(live(program, change("2026-11-30T09:00", gold=True))) == ["11-30T09:00"]


def test_a_schedule_is_on_the_clock_of_the_journey_a_zone_or_each_user() -> None:
    fire = {"schedule": "0 9 23 11 *"}
    assert entries(live(by(fire, timezone="Asia/Tokyo"))) == ["11-23T00:00"]
    assert entries(live(by({**fire, "timezone": "Europe/Berlin"}))) == ["11-23T08:00"]
    mine = by({**fire, "timezone": "user"}, timezone="Asia/Tokyo")
    assert entries(live(mine, timezone="America/New_York")) == ["11-23T14:00"]
    assert entries(live(mine)) == ["11-23T00:00"]
    moves = change("2026-11-22T12:00", timezone="Europe/Berlin")
    assert entries(live(mine, moves, timezone="America/New_York")) == ["11-23T08:00"]


def test_a_passages_clock_comes_before_a_triggers() -> None:
    program = by({"schedule": "0 9 * * *"}, steps=[pause()])
    events = live(program, until="2026-11-25T12:00")
    assert entries(events) == ["11-22T09:00", "11-23T09:00", "11-24T09:00", "11-25T09:00"]
    assert entries(events, "refused") == []


def test_facts_and_fires_take_their_turns() -> None:
    program = by(MONDAYS, {"event": "ordered"})
    facts = [Event(0, at(when), "ordered", {}) for when in ("2026-11-24", "2026-12-01")]
    assert entries(live(program, *facts)) == [
        *("11-23T09:00", "11-24T00:00", "11-30T09:00", "12-01T00:00"),
    ]


def test_inputs_are_what_the_trigger_says() -> None:
    program = by({**MONDAYS, "inputs": {"plan": "user.plan"}}, inputs={"plan": "text"})
    events = live(program, plan="gold", until="2026-11-24")
    assert [e.passage.inputs for e in events if e.what == "entered"] == [{"plan": "gold"}]
    assert [e.text for e in live(program, until="2026-11-24") if e.what == "refused"] == [
        "no_input"
    ]


RENEWS = {"date": "user.renews", "offset": "-P7D", "time": "09:00"}


def test_a_date_lets_in_once_on_the_users_own_clock() -> None:
    assert entries(live(by(RENEWS), renews="2026-12-03")) == ["11-26T09:00"]
    berlin = live(by(RENEWS), renews="2026-12-03", timezone="Europe/Berlin")
    assert entries(berlin) == ["11-26T08:00"]
    assert entries(live(by(RENEWS))) == entries(live(by(RENEWS), renews="soon")) == []


def test_a_date_follows_its_attribute_and_counts_once_for_each_value() -> None:
    moved = change("2026-11-23", renews="2026-12-05")
    assert entries(live(by(RENEWS), moved, renews="2026-12-03")) == ["11-28T09:00"]
    back = [change("2026-11-27", renews="2026-12-05"), change("2026-11-29", renews="2026-12-03")]
    assert entries(live(by(RENEWS), *back, renews="2026-12-03")) == ["11-26T09:00", "11-28T09:00"]
    gone = change("2026-11-23", renews=None)
    assert entries(live(by(RENEWS), gone, renews="2026-12-03")) == []
    zone = change("2026-11-23", timezone="Europe/Berlin")
    assert entries(live(by(RENEWS), zone, renews="2026-12-03")) == ["11-26T08:00"]


def test_what_a_step_writes_moves_the_date_too() -> None:
    later = {"id": "later", "type": "set", "values": {"user.renews": "2026-12-10"}}
    program = by(RENEWS, steps=[later])
    assert entries(live(program, renews="2026-12-03")) == ["11-26T09:00", "12-03T09:00"]


def test_a_date_that_is_over_counts_as_long_as_its_grace() -> None:
    def begun(moment: str, **more: Any) -> list[str]:
        return entries(live(by({**RENEWS, **more}), renews="2026-12-03", start=moment))

    assert begun("2026-11-26T15:00") == ["11-26T15:00"]
    assert begun("2026-11-27T09:00") == ["11-27T09:00"]
    assert begun("2026-11-27T09:01") == []
    assert begun("2026-11-26T15:00", grace="PT1H") == []


def test_a_date_that_looks_at_the_clock_is_looked_at_once_a_day() -> None:
    silent = {"date": "user.asked if days_since(user.seen) >= 3 else none", "grace": "P30D"}
    program = by(silent)
    assert never_end(program.journey.entry.triggers)
    assert entries(live(program, seen="2026-11-21", asked="2026-11-20")) == ["11-24T00:00"]


def test_only_schedules_and_dates_that_look_at_the_clock_never_end() -> None:
    assert never_end(by(MONDAYS).journey.entry.triggers)
    assert not never_end(by(RENEWS, {"event": "ordered"}).journey.entry.triggers)


def test_without_triggers_in_force_nobody_waits_for_the_clock() -> None:
    events = list(
        simulate(by(MONDAYS), [Row()], World({}), lambda call, number: Answer(200), at(SUNDAY))
    )
    assert entries(events) == ["11-22T00:00"]
