"""Contact policy beside a journey: simulations and scenarios go by it, and `apply` stores it."""

from __future__ import annotations

import pytest

from tests.unit.cli.commands import Journey

NUDGE = """\
dsl: 1
journey: nudge
steps:
  - {id: greet, type: call_api, endpoint: messenger}
  - {id: again, type: call_api, endpoint: messenger}
  - {id: bill, type: call_api, endpoint: messenger, contact: false}
"""
ENDPOINTS = """\
endpoints: {messenger: {base_url: https://m.example, contact: true}}
contact_policy:
  suppress: user.unsubscribed
  quiet_hours: {from: "22:00", to: "08:00"}
  frequency_cap: [{count: 1, per: P7D}]
  holdout: {percent: 100}
"""
NOW = ("--now", "2026-11-22T12:00Z")


@pytest.fixture
def nudge(journey: Journey) -> Journey:
    journey.write("nudge.yaml", NUDGE)
    journey.write("endpoints.yaml", ENDPOINTS.replace("  holdout: {percent: 100}\n", ""))
    return journey


def test_a_simulation_shows_what_it_withheld(nudge: Journey) -> None:
    way = nudge("run", "nudge.yaml", *NOW, "--user", "u1").out
    assert "✓ greet" in way
    assert "contact policy: frequency cap: 1 in P7D" in way
    assert "✓ bill" in way
    auckland = ("--set", "timezone=Pacific/Auckland")
    held = nudge("run", "nudge.yaml", *NOW, "--user", "u1", *auckland).out
    assert "⏸ greet       quiet hours, until 2026-11-23 08:00 Pacific/Auckland" in held
    away = nudge("run", "nudge.yaml", *NOW, "--set", "unsubscribed=true").out
    assert away.count("contact policy: suppressed: user.unsubscribed") == 2


def test_scenarios_expect_it_and_are_held_out_only_if_they_say_so(nudge: Journey) -> None:
    nudge.write("endpoints.yaml", ENDPOINTS)
    scenario = """\
  - name: {name}
    enter: {{at: "2026-11-22T23:00:00Z"}}
    expect: {{steps: {steps}, calls: {{messenger: {calls}}}, waiting_at: {waiting}}}
    holdout: {holdout}
"""
    open_ = scenario.format(
        name="held",
        steps="{greet: succeeded, again: skipped, bill: succeeded}",
        calls=2,
        waiting='{"2026-11-23T07:59:00Z": greet}',
        holdout="false",
    )
    closed = scenario.format(
        name="out", steps="{greet: skipped}", calls=1, waiting="{}", holdout="true"
    )
    nudge.write("nudge.scenarios.yaml", f"journey: nudge\nscenarios:\n{open_}{closed}")
    ended = nudge("test")
    assert (ended.code, ended.err) == (0, ""), ended.out


def test_apply_stores_it_once_and_removes_it_only_where_none_is_said(nudge: Journey) -> None:
    def applied(text: str, *options: str) -> list[str]:
        nudge.write("other.yaml", text)
        return nudge("apply", "other.yaml", *options).out.splitlines()

    rule = "contact_policy: {suppress: user.gone, holdout: {percent: 5}}\n"
    assert applied(rule, "--dry-run") == applied(rule) == ["contact policy created"]
    assert applied(rule) == []
    more = rule.replace("percent: 5", "percent: 6")
    assert applied(more) == ["contact policy changed: holdout"]
    assert applied("attributes: {plan: text}\n") == ["attribute plan created"]
    assert applied(more) == []
    ended = nudge("apply", "other.yaml", "--json")
    assert '"kind": "contact policy", "name": "", "verb": "unchanged"' in ended.out
    assert applied("contact_policy: none\n") == ["contact policy removed"]
    assert applied("contact_policy: none\n") == []
    assert applied(more) == ["contact policy created"]
    audit = nudge("audit").out
    assert audit.count("contact policy") == 4


def test_a_policy_that_says_nothing_isnt_taken_for_none(nudge: Journey) -> None:
    nudge.write("other.yaml", "contact_policy:\n  # suppress: user.gone\n")
    ended = nudge("apply", "other.yaml")
    assert ended.code == 3
    assert "`contact_policy` says nothing" in ended.err
    assert "or `none` to remove the one that is stored" in ended.err


def test_none_is_no_policy_in_a_simulation(nudge: Journey) -> None:
    nudge.write(
        "endpoints.yaml",
        ENDPOINTS.split("contact_policy", maxsplit=1)[0] + "contact_policy: none\n",
    )
    assert "✓ again" in nudge("run", "nudge.yaml", *NOW, "--user", "u1").out


@pytest.mark.parametrize(
    ("wrong", "line", "said"),
    [
        ("{supress: user.x}", 2, "did you mean `suppress`?"),
        ("{suppress: inputs.x}", 2, "inputs"),
        ("{quiet_hours: {from: '22:00'}}", 2, "`to`"),
        ("{quiet_hours: {from: '22:00', to: '22:00'}}", 2, "end when they begin"),
        ("{quiet_hours: {from: 22, to: '08:00'}}", 2, "time of day"),
        ("{quiet_hours: {from: '22:00', to: '08:00', then: wait}}", 2, "hold"),
        ("{frequency_cap: [{count: 0, per: P7D}]}", 2, "count"),
        ("{frequency_cap: {count: 1, per: P7D}}", 2, "list"),
        ("{holdout: 5}", 2, "mapping"),
        ("{holdout: {percent: 101}}", 2, "percentage"),
        ("[]", 2, "mapping"),
        ("", 2, ""),
    ],
)
def test_what_is_wrong_in_it_is_named_at_its_line(
    nudge: Journey, wrong: str, line: int, said: str
) -> None:
    nudge.write("endpoints.yaml", f"endpoints: {{}}\ncontact_policy: {wrong}\n")
    ended = nudge("run", "nudge.yaml", *NOW)
    assert ended.code == 3
    assert f"endpoints.yaml:{line}:" in ended.err
    assert said in ended.err
    assert "Traceback" not in ended.err
