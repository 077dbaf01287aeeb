"""Contact policy: who isn't contacted, when nobody is, and how often."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.dsl.contact_policy import ContactPolicy
from engine.core.expressions.assignment import held_out
from engine.core.expressions.calendar import from_instant, parse_iso
from engine.core.expressions.scope import UTC_ZONE
from engine.core.interpreter.advance import World
from engine.core.interpreter.contact import governed, without_holdout
from engine.core.interpreter.simulate import Happened, simulate
from engine.core.message import Answer
from engine.core.steps.facts import Change, Fact
from engine.core.steps.terms import Terms
from tests.unit.core.interpreter.passing import call, journey, pause, put
from tests.unit.core.interpreter.test_simulate import Row

CONTACT = World({"crm": Terms(contact=True)})
NOON = "2026-11-22T12:00"
QUIET = {"quiet_hours": {"from": "22:00", "to": "08:00"}}


def policy(**keys: Any) -> ContactPolicy:
    return ContactPolicy.model_validate(keys)


def go(
    steps: list[dict[str, Any]],
    rules: ContactPolicy,
    *facts: Fact,
    world: World = CONTACT,
    start: str = NOON,
    statuses: tuple[int, ...] = (200,),
    users: list[Row] | None = None,
    **more: Any,
) -> list[Happened]:
    at = parse_iso(start, UTC_ZONE)
    assert at is not None
    program = governed(journey(*steps, **more), rules)

    def answer(call: object, number: int) -> Answer:
        return Answer(statuses[min(number, len(statuses) - 1)])

    rows = users or [Row()]
    return list(simulate(program, rows, world, answer, at, facts=lambda _: facts))


def told(events: list[Happened]) -> list[str]:
    """Each step with its status, the hour and, if it was withheld, why."""
    lines = []
    for event in events:
        if event.execution is not None:
            at = from_instant(event.at, UTC_ZONE)
            step = event.passage.program.nodes[event.execution.step].step.id
            why = event.execution.text.removeprefix("contact policy: ")
            lines.append(f"{at:%dT%H:%M} {step} {event.execution.status} {why}".rstrip())
    return lines


def user(zone: str | None = None, **attributes: object) -> list[Row]:
    return [Row(timezone=zone, attributes=attributes)]


def test_who_is_suppressed_goes_on_as_after_the_call() -> None:
    rules = policy(suppress="user.unsubscribed or user.bounced")
    steps = [call(next="end"), put("never"), put("end")]
    told_of = told(go(steps, rules, users=user(bounced=True)))
    assert told_of == [
        "22T12:00 ask skipped suppressed: user.unsubscribed or user.bounced",
        "22T12:00 end succeeded",
    ]
    assert told(go(steps, rules, users=user(bounced=False)))[0] == "22T12:00 ask succeeded"


def test_it_holds_for_contact_endpoints_unless_the_step_says_otherwise() -> None:
    rules = policy(suppress="true")
    assert "skipped" in told(go([call()], rules))[0]
    assert "succeeded" in told(go([call(contact=False)], rules))[0]
    assert "succeeded" in told(go([call()], rules, world=World({})))[0]
    assert "skipped" in told(go([call(contact=True)], rules, world=World({})))[0]


def test_it_holds_for_calls_on_entry_and_exit_too() -> None:
    around: dict[str, Any] = {"on_enter": [call("hello")], "on_exit": [call("bye")]}
    lines = told(go([put()], policy(suppress="true"), **around))
    assert [line.split()[1:3] for line in lines] == [
        ["hello", "skipped"],
        ["put", "succeeded"],
        ["bye", "skipped"],
    ]


def test_quiet_hours_hold_the_call_until_they_are_over_where_the_user_lives() -> None:
    assert told(go([call()], policy(**QUIET))) == ["22T12:00 ask succeeded"]
    # 12:00 UTC is 23:00 in Auckland (+13) and 22:00 in Brisbane (+10): quiet from there on.
    assert told(go([call()], policy(**QUIET), users=user("Pacific/Auckland"))) == [
        "22T19:00 ask succeeded"
    ]
    assert told(go([call()], policy(**QUIET), users=user("Australia/Brisbane"))) == [
        "22T22:00 ask succeeded"
    ]


@pytest.mark.parametrize(
    ("start", "sent"),
    [
        ("2026-11-22T21:59", "22T21:59"),
        ("2026-11-22T22:00", "23T08:00"),
        ("2026-11-23T07:59", "23T08:00"),
        ("2026-11-23T08:00", "23T08:00"),
    ],
)
def test_their_last_moment_is_not_quiet(start: str, sent: str) -> None:
    assert told(go([call()], policy(**QUIET), start=start)) == [f"{sent} ask succeeded"]


def test_quiet_hours_within_a_day() -> None:
    rules = policy(quiet_hours={"from": "12:00", "to": "14:00", "then": "skip"})
    assert told(go([call()], rules)) == ["22T12:00 ask skipped quiet hours"]
    assert told(go([call()], rules, start="2026-11-22T14:00")) == ["22T14:00 ask succeeded"]


def test_quiet_hours_that_end_in_an_hour_told_twice_end_both_times() -> None:
    rules = policy(quiet_hours={"from": "22:00", "to": "02:30"})
    berlin = user("Europe/Berlin")  # 03:00 becomes 02:00 at 01:00 UTC
    for start, sent in (("00:10", "00:30"), ("00:40", "00:40"), ("01:10", "01:30")):
        events = go([call()], rules, users=berlin, start=f"2026-10-25T{start}")
        assert told(events) == [f"25T{sent} ask succeeded"]


def test_a_held_call_is_rendered_when_it_is_made_and_an_exit_rule_still_ends_it() -> None:
    start = parse_iso(NOON, UTC_ZONE)
    assert start is not None
    gone = Change(0, start + 1_000_000, {"gone": True}, {})
    auckland = user("Pacific/Auckland")
    events = go([call()], policy(**QUIET), gone, users=auckland, exit=[{"when": "user.gone"}])
    assert [e.text for e in events if e.what == "waits"] == [
        "quiet hours, until 2026-11-23 08:00 Pacific/Auckland"
    ]
    assert told(events) == ["22T12:00 ask skipped exit:1"]
    changed = Change(0, start + 1_000_000, {"name": "Ada"}, {})
    said = call(body={"name": "{{ user.name }}"})
    (sent,) = [e.call for e in go([said], policy(**QUIET), changed, users=auckland) if e.call]
    assert sent.body == b'{"name":"Ada"}'


TWICE_A_WEEK = {"count": 2, "per": "P7D"}
DAILY = [step for n in range(4) for step in (call(f"ask{n}"), pause(f"rest{n}"))]


def test_a_cap_skips_what_is_over_it() -> None:
    asked = [
        line for line in told(go(DAILY, policy(frequency_cap=[TWICE_A_WEEK]))) if "ask" in line
    ]
    assert asked == [
        "22T12:00 ask0 succeeded",
        "23T12:00 ask1 succeeded",
        "24T12:00 ask2 skipped frequency cap: 2 in P7D",
        "25T12:00 ask3 skipped frequency cap: 2 in P7D",
    ]


def test_or_holds_it_until_the_oldest_is_out_of_the_window() -> None:
    rules = policy(frequency_cap=[{**TWICE_A_WEEK, "then": "hold"}])
    asked = [line.split()[0] for line in told(go(DAILY, rules)) if "ask" in line]
    assert asked == ["22T12:00", "23T12:00", "29T12:00", "30T12:00"]


def test_held_calls_follow_one_another_at_the_windows_distance() -> None:
    rules = policy(frequency_cap=[{"count": 1, "per": "P7D", "then": "hold"}])
    asked = told(go([call("a"), call("b"), call("c")], rules))
    assert [line.split()[0] for line in asked] == ["22T12:00", "29T12:00", "06T12:00"]


def test_a_call_that_failed_for_good_is_no_contact_and_a_retry_is_the_same_one() -> None:
    once = policy(frequency_cap=[{"count": 1, "per": "P7D"}])
    two = [call("first", retry={"attempts": 2}), call("second"), call("third")]
    assert [line.split()[2] for line in told(go(two, once, statuses=(503, 503, 200)))] == [
        "failed",
        "succeeded",
        "skipped",
    ]
    assert [line.split()[2] for line in told(go(two, once, statuses=(503, 200)))] == [
        "succeeded",
        "skipped",
        "skipped",
    ]


def test_contacts_are_each_users_own() -> None:
    once = policy(frequency_cap=[{"count": 1, "per": "P7D"}])
    events = go([call(), call("again")], once, users=[Row("a"), Row("b")])
    assert [line.split()[2] for line in told(events)] == 2 * ["succeeded", "skipped"]


def test_what_is_held_through_quiet_hours_meets_the_cap_afterwards() -> None:
    rules = policy(**QUIET, frequency_cap=[{"count": 1, "per": "PT12H", "then": "hold"}])
    steps = [call(), call("again")]
    assert told(go(steps, rules)) == ["22T12:00 ask succeeded", "23T08:00 again succeeded"]


def test_the_holdout_is_the_same_users_each_time() -> None:
    rules = policy(holdout={"percent": 30})
    rows = [Row(f"u{n}") for n in range(50)]
    withheld = {e.passage.user.id for e in go([call()], rules, users=rows) if e.execution
                and e.execution.status == "skipped"}  # fmt: skip
    assert withheld == {row.id for row in rows if held_out("global", row.id, 30)}
    assert 5 < len(withheld) < 30
    nobody = without_holdout(rules)
    assert nobody is not None
    assert "skipped" not in str(told(go([call()], nobody, users=rows)))


def test_what_cant_be_computed_for_somebody_suppresses() -> None:
    rules = policy(suppress="9223372036854775807 + user.n > 0")
    assert "skipped" in told(go([call()], rules, users=user(n=1)))[0]


def test_a_step_by_itself_is_what_it_was() -> None:
    program = journey(call(title="Ask", outputs={"vars.n": "response.body.n"}, timeout="3s"))
    step, same = (one.nodes[0].step for one in (program, governed(program, policy(suppress="1"))))
    assert vars(step).items() <= vars(same).items()
    assert governed(program, None) is program
    assert governed(journey(call(contact=False)), policy()).nodes[0].step.__class__ is type(step)
