"""Events on the virtual clock: in order of time, before clocks; who enters by them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.core.dsl.program import Program
from engine.core.interpreter.advance import World
from engine.core.interpreter.simulate import Happened, simulate
from engine.core.message import Answer
from engine.core.steps.facts import Change, Event, Fact
from tests.unit.core.interpreter.passing import DAY, SECOND, call, journey, pause, put
from tests.unit.core.interpreter.test_simulate import START, Row, told

LISTEN: dict[str, Any] = {
    "id": "listen",
    "type": "wait_for",
    "any": [{"event": "clicked", "next": "end"}],
    "within": "P2D",
}
END = {"id": "end", "type": "exit", "outcome": "clicked"}
OUT = {"id": "out", "type": "exit"}
BOUGHT = {"name": "won", "event": "bought"}


def event(name: str, after: int, **properties: Any) -> Event:
    """So many seconds after the start."""
    return Event(0, START + after * SECOND, name, properties)


def change(after: int, **values: Any) -> Change:
    return Change(0, START + after * SECOND, values, {})


def run(
    program: Program,
    *facts: Fact,
    status: int = 200,
    elapsed: int = 0,
    days: int | None = None,
    **more: Any,
) -> list[Happened]:
    def answer(*_: object) -> Answer:
        return Answer(status=status, elapsed_us=elapsed * SECOND)

    horizon = None if days is None else START + days * DAY
    users: Iterable[Row] = more.pop("users", [Row()])
    options = {"facts": lambda user: facts, **more}
    return list(simulate(program, users, World({}), answer, START, horizon, **options))


def whats(events: list[Happened]) -> list[str]:
    return [what for _, what in told(events)]


def outcomes(events: list[Happened]) -> list[tuple[int, str]]:
    return [((e.at - START) // SECOND, e.text) for e in events if e.what == "ended"]


def test_events_and_clocks_take_their_turns() -> None:
    events = run(journey(pause(), LISTEN, OUT, END), event("clicked", 90_000))
    assert told(events) == [
        (0, "entered"),
        (0, "waits"),
        (86_400, "rest:succeeded"),
        (86_400, "waits"),
        (90_000, "event"),
        (90_000, "listen:succeeded"),
        (90_000, "end:succeeded"),
        (90_000, "ended"),
    ]


def test_at_one_moment_facts_come_before_clocks() -> None:
    exits = journey(pause(), put(), exit=[{"event": "left"}])
    assert outcomes(run(exits, event("left", 86_400))) == [(86_400, "exit:1")]
    waits = journey(LISTEN, OUT, END)
    assert outcomes(run(waits, event("clicked", 2 * 86_400))) == [(2 * 86_400, "clicked")]
    assert outcomes(run(waits, event("clicked", 2 * 86_400 + 1))) == [(2 * 86_400, "completed")]


def test_an_event_between_two_attempts_makes_the_next_one_never_be_made() -> None:
    program = journey(
        call(retry={"attempts": 3, "delay": "1m"}),
        put(),
        exit=[{"event": "left"}],
        on_exit=[call("bye", retry={"attempts": 1})],
    )
    events = run(program, event("left", 1), status=503)
    assert whats(events) == ["entered", "again", "event", "ask:failed", "bye:failed", "ended"]
    assert (events[3].at, events[3].execution and events[3].execution.attempts) == (
        START + SECOND,
        1,
    )


def test_an_event_during_an_attempt_waits_for_its_answer() -> None:
    events = run(journey(call(), put(), exit=[{"event": "left"}]), event("left", 3), elapsed=5)
    assert told(events)[2:] == [(5, "ask:succeeded"), (5, "ended")]
    assert events[-1].text == "exit:1"


def test_a_step_is_told_to_wait_once_however_often_it_is_touched() -> None:
    facts = [event("clicked", n, wrong=True) for n in (1, 2, 3)]
    where = [{"event": "clicked", "where": "event.right"}]
    assert whats(run(journey({**LISTEN, "any": where}), *facts)).count("waits") == 1


def test_what_steps_write_and_emit_are_facts_as_well() -> None:
    writes = {"id": "mark", "type": "set", "values": {"user.done": True}}
    emits = {"id": "tell", "type": "emit", "event": "bought"}
    exit_rule = [{"when": "user.done"}]
    assert outcomes(run(journey(writes, pause(), exit=exit_rule))) == [(0, "exit:1")]
    assert outcomes(run(journey(emits, pause(), goals=[BOUGHT]))) == [(0, "goal:won")]


def test_a_goal_is_told_also_after_the_end_and_of_the_held_out() -> None:
    late = event("bought", 3 * 86_400)
    assert whats(run(journey(put(), goals=[BOUGHT]), late))[-3:] == ["ended", "event", "goal"]
    held = journey(put(), goals=[BOUGHT], entry={"holdout": 100})
    assert whats(run(held, late)) == ["entered", "ended", "event", "goal"]


def test_attributes_change_by_facts() -> None:
    program = journey(pause(), put("gold", tier="{{ user.tier }}"), exit=[{"when": "user.gone"}])
    events = run(program, change(5, tier="gold"))
    assert events[0].passage.vars == {"tier": "gold"}
    assert outcomes(run(program, change(5, gone=True))) == [(5, "exit:1")]


def test_facts_before_the_start_are_known_and_move_nobody() -> None:
    listens = journey({**LISTEN, "since": "entry"}, put(n="{{ event_count('clicked') }}"), END)
    events = run(listens, event("clicked", -5))
    assert "event" not in whats(events)
    assert events[0].passage.vars == {"n": 1}


def test_beyond_the_horizon_nothing_is_applied() -> None:
    events = run(journey(LISTEN, OUT, END), event("clicked", 90_000), days=1)
    assert whats(events) == ["entered", "waits", "stays"]


# --- triggers --------------------------------------------------------------------------------

CART: dict[str, Any] = {
    "inputs": {"cart": "text", "total": "number"},
    "triggers": [
        {"event": "cart", "where": "event.total >= 50", "inputs": {"cart": "event.id | string"}}
    ],
}


def test_an_event_lets_in_with_the_inputs_it_brings() -> None:
    program = journey(put(), entry=CART)
    events = run(program, event("cart", 7, id=12, total=60), triggered=True)
    assert told(events)[0] == (7, "entered")
    assert events[0].passage.inputs == {"cart": "12", "total": 60}
    assert run(program, event("cart", 7, id=12, total=49), triggered=True) == []
    wrong = run(program, event("cart", 7, id=12, total="60"), triggered=True)
    assert wrong == [], "a text is never more than a number"


def test_who_isnt_brought_what_the_journey_asks_for_is_refused() -> None:
    program = journey(put(), entry={**CART, "triggers": [{"event": "cart"}]})
    for properties in ({"cart": "c"}, {"cart": "c", "total": "60"}):
        events = run(program, event("cart", 7, **properties), triggered=True)
        assert [(e.what, e.text) for e in events] == [("refused", "no_input")]


def test_without_being_asked_for_triggers_let_nobody_in() -> None:
    events = run(journey(put(), entry={"triggers": [{"event": "x"}]}), event("x", 5))
    assert [(e.what, e.at) for e in events if e.what == "entered"] == [("entered", START)]


def test_who_comes_back_may_be_refused_or_begin_anew() -> None:
    facts = [event("x", 0), event("x", 10)]
    for mode, expected in (
        ("once", ["live"]),
        ("after_exit", ["live"]),
        ("restart", []),
    ):
        entry = {"triggers": [{"event": "x"}], "reentry": mode}
        events = run(journey(pause(), entry=entry), *facts, triggered=True)
        assert [e.text for e in events if e.what == "refused"] == expected
        restarted = [(10, "restarted")] if mode == "restart" else []
        assert outcomes(events)[:-1] == restarted


def test_the_event_that_ends_one_passage_begins_the_next() -> None:
    entry = {"triggers": [{"event": "bought"}], "reentry": "after_exit"}
    program = journey(pause(), entry=entry, goals=[BOUGHT])
    events = run(program, event("bought", 0), event("bought", 100), triggered=True)
    assert told(events)[:5] == [
        (0, "entered"),
        (0, "waits"),
        (100, "event"),
        (100, "goal"),
        (100, "rest:skipped"),
    ]
    assert outcomes(events) == [(100, "goal:won"), (100 + 86_400, "completed")]


def test_an_event_of_an_id_happens_once() -> None:
    twice = [Event(0, START + n * SECOND, "x", {}, "order-1") for n in (1, 1, 9)]
    entry = {"triggers": [{"event": "x"}], "reentry": "after_exit"}
    program = journey({"id": "n", "type": "exit", "outcome": "out"}, entry=entry)
    assert outcomes(run(program, *twice, event("x", 12), triggered=True)) == [
        (1, "out"),
        (12, "out"),
    ]


def test_an_audience_lets_in_who_comes_to_belong_to_it() -> None:
    program = journey(put(), entry={"triggers": [{"audience": "user.n > 2"}]})
    enters = [event.at for event in run(program, change(5, n=3), triggered=True)][:1]
    assert enters == [START + 5 * SECOND]
    was = [Row(attributes={"n": 3})]
    assert run(program, change(5, n=4), triggered=True, users=was) == []


def test_events_that_let_each_other_in_come_to_an_end() -> None:
    entry = {"triggers": [{"event": "x"}], "reentry": "after_exit"}
    program = journey({"id": "tell", "type": "emit", "event": "x"}, entry=entry)
    events = run(program, event("x", 0), triggered=True)
    entered = [e for e in events if e.what == "entered"]
    assert len(entered) == 11
    failed = [e.execution.failure for e in events if e.execution and e.execution.failure]
    assert failed == ["step.too_deep"]


def test_a_user_asks_an_endpoint_in_one_order_through_all_his_passages() -> None:
    asked: list[int] = []

    def answer(_: object, number: int) -> Answer:
        asked.append(number)
        return Answer(status=200)

    entry = {"triggers": [{"event": "x"}], "reentry": "after_exit"}
    facts = [event("x", 0), event("x", 10)]
    program = journey(call(), entry=entry)
    options: dict[str, Any] = {"facts": lambda user: facts, "triggered": True}
    list(simulate(program, [Row()], World({}), answer, START, None, **options))
    assert asked == [0, 1]
