"""``run-journey --against``: whose way another version changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.installation import Installation
from tests.unit.cli.commands import Journey

NUDGE = """\
dsl: 1
journey: nudge
entry: {triggers: [{event: cart}], reentry: after_exit}
goals: [{name: bought, event: order_placed}]
steps:
  - {id: greet, type: call_api, endpoint: messenger, body: {to: "{{ user.id }}"}}
  - {id: settle, type: wait, for: P2D}
  - {id: tips, type: call_api, when: user.gold, endpoint: messenger}
"""
LONGER = NUDGE.replace("when: user.gold", "when: user.gold or user.silver")
USERS = "id,gold,silver\na,true,\nb,,true\nc,,\nd,,true\n"
RUN = ("run", "nudge.yaml", "--users", "users.csv", "--now", "2026-11-22T09:00Z", "-q")


@pytest.fixture
def nudge(journey: Journey) -> Journey:
    journey.write("nudge.yaml", LONGER)
    journey.write("before.yaml", NUDGE)
    journey.write("users.csv", USERS)
    return journey


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_who_differs_is_counted_and_shown_from_where_the_ways_part(nudge: Journey) -> None:
    ended = nudge(*RUN, "--against", "before.yaml")
    assert (ended.code, ended.err) == (0, "")
    assert (
        ended.out
        == """\
nudge · nudge.yaml against before.yaml · 4 users · from Sun 22 Nov 2026 09:00 UTC
  same      2
  differ    2   (2 go another way)
  first at
    tips        2

b goes another way from tips on
  nudge.yaml
      +2d 0h    ✓ tips        POST messenger/  200
      +2d 0h    ■ completed   3 steps
  before.yaml
      +2d 0h    ○ tips        skipped (when: user.gold)
      +2d 0h    ■ completed   2 steps

d goes another way from tips on
  nudge.yaml
      +2d 0h    ✓ tips        POST messenger/  200
      +2d 0h    ■ completed   3 steps
  before.yaml
      +2d 0h    ○ tips        skipped (when: user.gold)
      +2d 0h    ■ completed   2 steps
"""
    )


def test_json_has_an_object_for_each_user_who_differs_and_a_summary(nudge: Journey) -> None:
    b, d, summary = lines(nudge(*RUN, "--against", "before.yaml", "--json").out)
    at = "2026-11-24T09:00:00.000000Z"
    skipped = {"at": at, "what": "step", "name": "tips", "status": "skipped"}
    assert b["other"][0] == skipped | {"failure": None, "arm": None}
    assert b["this"][0]["request"]["endpoint"] == "messenger"
    assert (b["type"], b["user"], b["differs"]) == ("difference", "b", "way")
    assert (b["first_at"], b["common"], d["user"]) == ("tips", 3, "d")
    counts = {key: summary[key] for key in ("users", "same", "differ", "kinds", "first_at")}
    assert counts == {
        "users": 4,
        "same": 2,
        "differ": 2,
        "kinds": {"way": 2, "request": 0, "time": 0},
        "first_at": {"tips": 2},
    }
    assert summary["this"]["steps"]["tips"]["succeeded"] == 3
    assert summary["other"]["steps"]["tips"]["succeeded"] == 1


def test_another_request_and_another_time_are_told_apart(nudge: Journey) -> None:
    nudge.write("sent.yaml", LONGER.replace('{to: "{{ user.id }}"}', '{to: "x {{ user.id }}"}'))
    out = nudge(*RUN, "--against", "sent.yaml").out
    assert "differ    4   (4 are sent something else)" in out
    assert (
        'a is sent something else at greet\n  nudge.yaml\n      POST messenger/  {"to":"a"}' in out
    )
    assert out.count("is sent something else at greet") == 3  # so many are shown
    nudge.write("later.yaml", LONGER.replace("P2D", "P3D"))
    out = nudge(*RUN, "--against", "later.yaml").out
    assert "differ    4   (4 go the same way at other times)" in out
    assert "⏸ settle      until Wed 09:00 UTC" in out


def test_events_and_answers_are_the_same_for_both(nudge: Journey) -> None:
    nudge.write("events.csv", "user,event,at\na,cart,2026-11-23\nb,cart,2026-11-23\n")
    more = ("--events", "events.csv", "--answer", "messenger=500", "--answer", "messenger=200")
    *_, summary = lines(nudge(*RUN, *more, "--against", "before.yaml", "--json").out)
    assert (summary["users"], summary["differ"]) == (4, 1)
    assert summary["this"]["calls"]["attempts"] == 6
    assert summary["other"]["calls"]["attempts"] == 5


def test_a_recording_answers_both_and_a_new_call_needs_an_answer(nudge: Journey) -> None:
    nudge("run", "before.yaml", *RUN[2:], "--record", "r.jsonl")
    replay = ("--replay", "r.jsonl", "--against", "before.yaml")
    missing = nudge(*RUN, *replay)
    assert (missing.code, "user 'b' at step tips" in missing.err) == (4, True)
    assert "differ    2" in nudge(*RUN, *replay, "--answer", "messenger=200").out


def test_a_published_version_is_compared_with_by_its_number(nudge: Journey) -> None:
    missing = nudge(*RUN, "--against", "1")
    assert missing.code == 5
    home = nudge.folder / "home"
    here = Installation(nudge.folder)
    here.write("endpoints.yaml", "endpoints: {messenger: {base_url: 'http://127.0.0.1:1'}}\n")
    nudge.write("plain.yaml", LONGER.replace("entry: {trig", "title: x # {").replace("goals:", "#"))
    nudge.write(
        "plainer.yaml", NUDGE.replace("entry: {trig", "title: x # {").replace("goals:", "#")
    )
    environment = {"JOURNEY_HOME": str(home), "JOURNEY_EGRESS_ALLOW": "127.0.0.0/8"}
    assert nudge("apply", "endpoints.yaml", **environment).code == 0
    live = ("run", "plainer.yaml", "--user", "u", "--live", "-q")
    assert nudge(*live, "--for", "PT1S", **environment).code == 0
    run = ("run", "plain.yaml", *RUN[2:])
    for version in ("1", "newest"):
        ended = nudge(*run, "--against", version, **environment)
        assert ended.code == 0, ended.err
        assert ended.out.startswith("nudge · plain.yaml against version 1 · 4 users")
        assert "differ    2" in ended.out
    named = ("--database", f"sqlite:///{home}/engine.db")
    assert nudge(*run, "--against", "1", *named).out == ended.out
    ended = nudge(*run, "--against", "7", **environment)
    assert (ended.code, ended.err) == (2, "error: nudge has no version 7: the newest is 1\n")
    other = nudge.write("other.yaml", NUDGE.replace("journey: nudge", "journey: other"))
    ended = nudge("run", other, "--user", "u", "--against", "newest", **environment)
    assert (ended.code, ended.err) == (2, "error: the journey other was never published\n")


def test_what_cant_be_compared_is_refused(nudge: Journey) -> None:
    assert nudge(*RUN, "--against", "gone.yaml").code == 2
    nudge.write("bad.yaml", NUDGE.replace("P2D", "2 weeks"))
    assert nudge(*RUN, "--against", "bad.yaml").code == 3
    against = ("--against", "before.yaml")
    for option in (("--record", "r"), ("--html", "p"), ("--fail-on", "step"), ("--live",)):
        assert nudge(*RUN, *against, *option).code == 2, option
    nudge.write("clock.yaml", NUDGE.replace("[{event: cart}]", "[{schedule: 0 9 * * *}]"))
    nudge.write("events.csv", "user,event,at\na,cart,2026-11-23\n")
    ended = nudge(*RUN, "--events", "events.csv", "--against", "clock.yaml")
    assert (ended.code, "clock.yaml lets users in for ever" in ended.err) == (2, True)


def test_another_journey_is_compared_with_a_word_of_warning(nudge: Journey) -> None:
    nudge.write("other.yaml", NUDGE.replace("journey: nudge", "journey: other"))
    ended = nudge(*RUN[:-1], "--against", "other.yaml")
    assert "other.yaml is the journey other, not nudge: lots fall differently" in ended.err
