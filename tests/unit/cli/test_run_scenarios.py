"""``journey test``, the first scenario of ``run-journey``, and ``--events``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.cli.commands import Journey

NUDGE = """\
dsl: 1
journey: nudge
entry: {triggers: [{event: cart}], reentry: after_exit}
goals: [{name: bought, event: order_placed}]
steps:
  - {id: greet, type: call_api, endpoint: messenger}
  - {id: settle, type: wait, for: P2D}
"""
GOES_WELL = """\
journey: nudge
scenarios:
  - name: greeted
    user: {id: ada}
    enter: {at: "2026-03-28T12:00:00Z"}
    answers: {messenger: [{status: 201}]}
    expect: {steps: {greet: succeeded}, outcome: completed}
"""
GOES_WRONG = GOES_WELL.replace("outcome: completed", "outcome: 'goal:bought'")


@pytest.fixture
def nudge(journey: Journey) -> Journey:
    journey.write("nudge.yaml", NUDGE)
    return journey


def test_scenarios_that_go_as_expected_are_ticked_off(nudge: Journey) -> None:
    nudge.write("nudge.scenarios.yaml", GOES_WELL)
    ended = nudge("test")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        "✓ nudge.scenarios.yaml:3  greeted\n1 scenario in 1 file, all as expected\n"
    )


def test_a_file_that_cannot_be_run_is_not_as_expected(nudge: Journey) -> None:
    nudge.write("nudge.scenarios.yaml", "scenarios: []")
    ended = nudge("test")
    assert (ended.code, ended.out) == (3, "nothing was run; 1 file can't be run\n")
    nudge.write("other.yaml", NUDGE.replace("journey: nudge", "journey: other"))
    nudge.write("other.scenarios.yaml", GOES_WELL.replace("journey: nudge", "journey: other"))
    ended = nudge("test")
    assert ended.code == 3
    assert ended.out.endswith("1 scenario in 1 file, all as expected; 1 file can't be run\n")


def test_another_way_is_shown_as_a_difference_with_the_whole_way(nudge: Journey) -> None:
    nudge.write("nudge.scenarios.yaml", GOES_WRONG)
    ended = nudge("test", "nudge.yaml")
    assert ended.code == 6
    assert ended.out == (
        "✗ nudge.scenarios.yaml:3  greeted\n"
        "    outcome\n"
        "      - goal:bought\n"
        "      + completed at 2026-03-30T12:00:00+00:00\n"
        "    nudge · user ada · simulated from Sat 28 Mar 2026 12:00 UTC\n"
        "      +0s       ● entered\n"
        "      +0s       ✓ greet       POST messenger/  201\n"
        "      +0s       ⏸ settle      until Mon 12:00 UTC\n"
        "      +2d 0h    ■ completed   2 steps\n"
        "1 scenario in 1 file, 1 failed\n"
    )


def test_json_is_a_line_for_each_scenario_and_a_summary(nudge: Journey) -> None:
    nudge.write("nudge.scenarios.yaml", GOES_WRONG)
    one, summary = map(json.loads, nudge("test", "--json").out.splitlines())
    assert one == {
        "type": "scenario",
        "file": "nudge.scenarios.yaml",
        "line": 3,
        "scenario": "greeted",
        "ok": False,
        "differences": [
            {
                "what": "outcome",
                "expected": "goal:bought",
                "taken": "completed at 2026-03-30T12:00:00+00:00",
            }
        ],
    }
    assert summary == {"type": "summary", "scenarios": 1, "failed": 1}


def test_a_wrong_file_is_told_as_a_compiler_does_and_the_others_are_run(nudge: Journey) -> None:
    nudge.write("nudge.scenarios.yaml", GOES_WELL.replace("{greet:", "{gret:"))
    nudge.write("other.yaml", NUDGE)
    nudge.write("other.scenarios.yaml", GOES_WRONG)
    ended = nudge("test", ".")
    assert ended.code == 3
    assert "nudge.scenarios.yaml:7:22: error: the journey has no step `gret`" in ended.err
    assert "did you mean `greet`?" in ended.err
    assert "✗ other.scenarios.yaml:3" in ended.out


def test_scenarios_without_their_journey_are_wrong(journey: Journey) -> None:
    journey.write("nudge.scenarios.yaml", GOES_WELL)
    ended = journey("test")
    assert ended.code == 3
    assert "nudge.scenarios.yaml:1:10: error: can't read 'nudge.yaml'" in ended.err


def test_without_any_scenarios_there_is_nothing_to_do(journey: Journey) -> None:
    assert (journey("test").code, journey("test", "gone.yaml").code) == (2, 2)


def test_a_journey_that_has_no_scenarios_is_told_where_they_go(nudge: Journey) -> None:
    ended = nudge("test", "nudge.yaml")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "no scenarios beside nudge.yaml: write them to nudge.scenarios.yaml" in ended.err
    assert "can't read 'nadge.yaml'" in nudge("test", "nadge.yaml").err


def test_endpoints_terms_are_taken_from_the_file_beside(nudge: Journey) -> None:
    nudge.write(
        "endpoints.yaml",
        "endpoints: {messenger: {base_url: https://m.example, retry: {attempts: 1}}}\n",
    )
    text = GOES_WELL.replace("[{status: 201}]", "[{status: 503}]")
    nudge.write(
        "nudge.scenarios.yaml",
        text.replace("{greet: succeeded}", "{greet: failed}, calls: {messenger: 1}"),
    )
    assert nudge("test").code == 0


def test_nobody_in_particular_is_the_first_scenarios_user(nudge: Journey) -> None:
    nudge.write("nudge.scenarios.yaml", GOES_WELL)
    ended = nudge("run", "nudge.yaml")
    assert ended.code == 0
    assert "nudge · user ada · simulated from Sat 28 Mar 2026 12:00 UTC" in ended.out
    assert "POST messenger/  201" in ended.out
    assert ended.err == "nudge.scenarios.yaml:3: greeted\n"
    own = nudge("run", "nudge.yaml", "--answer", "messenger=404", "--now", "2027-01-01T00:00Z")
    assert "call.client_error" in own.out
    assert "1 Jan 2027" in own.out
    assert "user u7" in nudge("run", "nudge.yaml", "--user", "u7").out


EVENTS = """\
user,event,at
u1,cart,2026-03-01
u2,cart,2026-03-02
u2,order_placed,2026-03-03
u3,order_placed,2026-03-03
"""


def test_events_let_users_in_and_count_for_the_goal(nudge: Journey) -> None:
    nudge.write("events.csv", EVENTS)
    ended = nudge("run", "nudge.yaml", "--events", "events.csv", "--json", "-q")
    summary: dict[str, Any] = json.loads(ended.out.splitlines()[-1])
    assert (summary["entered"], summary["outcomes"]) == (2, {"completed": 1, "goal:bought": 1})
    assert summary["goals"] == {"bought": {"met": 1, "held_out": 0}}
    table = nudge("run", "nudge.yaml", "--events", "events.csv", "--for", "P1D", "-q").out
    assert "nudge · simulated · 3 users · from Sun 1 Mar 2026 00:00 UTC" in table
    assert "entered   2   finished 0   waiting 2" in table
    assert "goal      bought 0 of 2 (0.0%)" in table


def test_users_say_who_the_events_are_about(nudge: Journey) -> None:
    nudge.write("events.csv", EVENTS)
    nudge.write("users.csv", "id\nu1\nu9\n")
    ended = nudge(
        "run", "nudge.yaml", "--events", "events.csv", "--users", "users.csv", "--json", "-q"
    )
    assert json.loads(ended.out.splitlines()[-1])["entered"] == 1


def test_a_journey_without_triggers_takes_its_users_and_tells_them_what_happens(
    nudge: Journey,
) -> None:
    nudge.write("plain.yaml", NUDGE.replace("entry: {", "title: x # {"))
    nudge.write("events.csv", EVENTS)
    assert nudge("run", "plain.yaml", "--events", "events.csv").code == 2
    ended = nudge("run", "plain.yaml", "--events", "events.csv", "--user", "u2", "-q")
    assert "+2d 0h    ▸ event       order_placed\n" in ended.out, "from the first event on"
    assert "+2d 0h    ★ goal        bought\n" in ended.out


CLOCK = NUDGE.replace(
    NUDGE.splitlines()[2],
    """\
entry:
  triggers: [{schedule: '0 9 * * mon', audience: user.gold}, {date: user.renews, offset: -P7D}]
  reentry: after_exit""",
)
MARCH = ("--now", "2026-03-01T00:00Z")


def test_with_a_span_schedules_and_dates_let_users_in(nudge: Journey) -> None:
    nudge.write("clock.yaml", CLOCK)
    nudge.write("users.csv", "id,gold,renews\nu1,true,\nu2,,2026-03-20\nu3,,\n")
    ended = nudge("run", "clock.yaml", "--users", "users.csv", "--for", "P30D", *MARCH, "--json")
    assert (ended.code, ended.err) == (0, "")
    entered = [json.loads(line) for line in ended.out.splitlines()]
    greeted = [(one["user"], one["at"][5:16]) for one in entered if one.get("step") == "greet"]
    mondays = [("u1", f"03-{day:02}T09:00") for day in (2, 9, 16, 23, 30)]
    assert greeted == [*mondays, ("u2", "03-13T00:00")]


def test_without_a_span_they_say_that_everybody_enters_at_the_beginning(nudge: Journey) -> None:
    nudge.write("clock.yaml", CLOCK)
    ended = nudge("run", "clock.yaml", "--user", "u1", *MARCH)
    assert "+0s       ● entered" in ended.out
    assert ended.err == (
        "everybody enters at the beginning: with --for DUR the journey's schedules and dates let"
        " users in\n"
    )
    dated = CLOCK.replace("{schedule: '0 9 * * mon', audience: user.gold}, ", "")
    nudge.write("dated.yaml", dated)
    way = nudge("run", "dated.yaml", "--set", "renews=2026-03-20", "--for", "P30D", *MARCH)
    assert "simulated from Fri 13 Mar 2026 00:00 UTC" in way.out


def test_events_and_a_schedule_without_an_end_are_refused(nudge: Journey) -> None:
    nudge.write("clock.yaml", CLOCK)
    nudge.write("events.csv", EVENTS)
    ended = nudge("run", "clock.yaml", "--events", "events.csv")
    assert (ended.code, "say how far, as in --for P90D" in ended.err) == (2, True)
    assert nudge("run", "clock.yaml", "--events", "events.csv", "--for", "P9D").code == 0


def test_a_scenario_may_begin_and_end_with_the_clock(nudge: Journey) -> None:
    nudge.write("nudge.yaml", CLOCK)
    text = GOES_WELL.replace('enter: {at: "2026-03-28T12:00:00Z"}', 'from: "2026-03-01T00:00:00Z"')
    text = text.replace("outcome: completed", "entered: 2").replace("{id: ada}", "{gold: true}")
    nudge.write("nudge.scenarios.yaml", text)
    ended = nudge("test")
    assert (ended.code, "a schedule lets him in for ever" in ended.err) == (3, True)
    begins, ends = "    from:", '    until: "2026-03-09T09:00:00Z"\n    from:'
    nudge.write("nudge.scenarios.yaml", text.replace(begins, ends))
    assert nudge("test").code == 0
    assert nudge("run", "nudge.yaml").out.count("● entered") == 2


def test_bad_events_are_refused(nudge: Journey) -> None:
    nudge.write("events.csv", "user,event,at\nu1,cart,soon\nu1,cart,later\n")
    ended = nudge("run", "nudge.yaml", "--events", "events.csv")
    assert ended.code == 2
    assert ended.err.count("is no time") == 2
    assert nudge("run", "nudge.yaml", "--events", "events.csv", "--live", "--user", "a").code == 2


def test_a_simulation_is_a_page_as_well(nudge: Journey) -> None:
    nudge.write("events.csv", EVENTS)
    run = ("run", "nudge.yaml", "--events", "events.csv", "--for", "P1D")
    ended = nudge(*run, "--html", "page.html")
    assert ended.code == 0
    assert "entered   2" in ended.out
    page = (nudge.folder / "page.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "simulated · 3 users · from Sun 1 Mar 2026 00:00 UTC" in page
    assert "<svg" in page
    assert nudge(*run, "--html", "no/such/page.html").code == 2
    assert nudge("run", "nudge.yaml", "--user", "a", "--live", "--html", "page.html").code == 2
