"""Journeys by command: published, planned, listed, shown, exported, paused, archived."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.databases import by_hand
from tests.unit.cli.commands import Ended, Journey

WELCOME = """
dsl: 1
journey: welcome
entry: {triggers: [{event: signed_up, where: event.plan == 'pro'}]}
steps:
  - {id: settle, type: wait, for: P2D}
  - {id: greet, type: call_api, endpoint: messenger, path: /send}
"""
OTHER = "dsl: 1\njourney: other\nsteps: [{id: a, type: wait, for: P1D}]\n"


@pytest.fixture
def here(journey: Journey) -> Journey:
    journey("endpoints", "set", "messenger", "--url", "https://m.example")
    journey.write("welcome.yaml", WELCOME)
    journey.write("other.yaml", OTHER)
    return journey


def rows(folder: Path, query: str) -> list[Any]:
    with by_hand(folder / ".journey" / "engine.db") as connection:
        return connection.execute(query).fetchall()


def versions(here: Journey) -> list[Any]:
    query = "SELECT journey, number, triggers_on FROM versions ORDER BY id"
    return rows(here.folder, query)


def put_inside(here: Journey, waiting: int, calling: int = 0, version: int = 1) -> None:
    """Users who entered by triggers, and stand at the first step or call at the second."""
    with by_hand(here.folder / ".journey" / "engine.db") as connection:
        for n in range(waiting + calling):
            state = int(n >= waiting)
            connection.execute(
                "INSERT INTO enrollments (bucket, id, user_id, journey, key, slot, version_id,"
                " run_id, state, reason, position, started, entered_at, data)"
                " VALUES (0, ?, ?, 'welcome', '', 0, ?, 0, ?, 0, ?, 1, ?, '{}')",
                (100 * version + n, f"u{version}-{n}", version, state, state, 1 << 60),
            )
        connection.execute(
            "INSERT INTO step_counts"
            " VALUES (0, 0, ?, -1, 7, '', ?, 0), (0, 0, ?, -1, 5, 'x', 3, 0)",
            (version, waiting + calling + 3, version),
        )


def data(ended: Ended) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ended.out.splitlines()]


# --- publish ---------------------------------------------------------------------------------


def test_a_journey_is_published_once_with_its_triggers_on(here: Journey) -> None:
    first = here("publish", "welcome.yaml")
    assert (first.code, first.out) == (
        0,
        "welcome version 1 published; entered by event signed_up where event.plan == 'pro'\n",
    )
    again = here("publish", "welcome.yaml")
    assert (again.code, again.out) == (0, "welcome version 1 unchanged\n")
    assert versions(here) == [("welcome", 1, 1)]
    audit = rows(here.folder, "SELECT verb, name, fields FROM audit WHERE kind = 'journey'")
    assert audit == [("publish", "welcome", "version 1")]


def test_a_changed_text_is_the_next_version(here: Journey) -> None:
    here("publish", "welcome.yaml")
    here.write("welcome.yaml", WELCOME.replace("P2D", "P3D"))
    assert "welcome version 2 published" in here("publish", "welcome.yaml").out
    assert versions(here) == [("welcome", 1, 1), ("welcome", 2, 1)]


def test_a_version_that_only_commands_entered_gets_its_triggers_switched_on(here: Journey) -> None:
    here("publish", "welcome.yaml")
    with by_hand(here.folder / ".journey" / "engine.db") as connection:
        connection.execute("UPDATE versions SET triggers_on = FALSE")
        (before,) = connection.execute("SELECT change FROM journeys").fetchone()
    assert "its triggers would be switched on" in here("plan", "welcome.yaml").out
    done = here("publish", "welcome.yaml")
    assert "welcome version 1 is the same text; its triggers are on now" in done.out
    assert versions(here) == [("welcome", 1, 1)]
    assert rows(here.folder, "SELECT change FROM journeys") == [(before + 1,)]
    assert rows(here.folder, "SELECT count(*) FROM audit WHERE verb = 'switch triggers on'") == [
        (1,)
    ]


def test_a_bad_file_is_told_like_a_compiler_and_never_replaces_a_good_version(
    here: Journey,
) -> None:
    here("publish", "welcome.yaml")
    here.write("welcome.yaml", WELCOME.replace("for: P2D", "for: 2 dais"))
    here.write("worse.yaml", WELCOME.replace("type: wait", "type: wiat"))
    ended = here("publish", "welcome.yaml", "other.yaml", "worse.yaml")
    assert (ended.code, ended.out) == (3, "")
    assert "welcome.yaml:6:" in ended.err
    assert "worse.yaml:6:" in ended.err
    assert "nothing was published" in ended.err
    assert versions(here) == [("welcome", 1, 1)]


def test_a_missing_endpoint_publishes_nothing(here: Journey) -> None:
    here.write("welcome.yaml", WELCOME.replace("messenger", "nowhere"))
    ended = here("publish", "other.yaml", "welcome.yaml")
    assert (ended.code, "nowhere (step greet)" in ended.err) == (4, True)
    assert versions(here) == []


def test_a_folder_is_published_as_a_whole(here: Journey) -> None:
    ended = here("publish", ".", "--json")
    assert [(one["journey"], one["version"], one["done"]) for one in data(ended)] == [
        ("other", 1, "published"),
        ("welcome", 1, "published"),
    ]


def test_two_files_of_one_journey_are_refused_by_name(here: Journey) -> None:
    here.write("second.yaml", WELCOME.replace("P2D", "P3D"))
    ended = here("publish", ".")
    assert ended.code == 2
    assert "second.yaml and welcome.yaml are both journey welcome" in ended.err
    assert versions(here) == []
    assert here("publish", "welcome.yaml", "welcome.yaml").code == 0


def test_a_file_may_be_called_otherwise_than_its_journey(here: Journey) -> None:
    here.write("spring.yaml", WELCOME)
    assert "welcome version 1 published" in here("publish", "spring.yaml").out


@pytest.mark.parametrize("name", ["nope.yaml", "empty"])
def test_a_file_that_cannot_be_read_is_a_slip_of_the_command(here: Journey, name: str) -> None:
    (here.folder / "empty").mkdir()
    ended = here("publish", name)
    assert (ended.code, ended.err.count("\n")) == (2, 1)


# --- plan ------------------------------------------------------------------------------------


def test_a_plan_tells_what_changes_and_who_stands_where(here: Journey) -> None:
    here("publish", "welcome.yaml")
    put_inside(here, waiting=3, calling=2)
    changed = WELCOME.replace("P2D", "P3D").replace("id: greet", "id: hello")
    here.write("welcome.yaml", changed.replace("'pro'", "'team'"))
    ended = here("plan", "welcome.yaml")
    assert (ended.code, ended.out.splitlines()) == (
        0,
        [
            "welcome: would be version 2, after 1",
            "  ~ step settle changed: for",
            "  + step hello added",
            "  - step greet removed",
            "  + trigger event signed_up where event.plan == 'team'",
            "  - trigger event signed_up where event.plan == 'pro'",
            "  5 users entered by its triggers in the last 30 days, lost ones included",
            "5 users inside version 1: they stay on it and go on",
            "  settle: 3 waiting",
            "  greet: 2 calling (the new text has no such step)",
        ],
    )
    assert versions(here) == [("welcome", 1, 1)]
    (found,) = data(here("plan", "welcome.yaml", "--json"))
    assert (found["would"], found["version"], found["against"]) == ("published", 2, 1)
    assert found["versions"] == [
        {
            "number": 1,
            "users": 5,
            "steps": [
                {"step": "settle", "waiting": 3, "calling": 0},
                {"step": "greet", "waiting": 0, "calling": 2},
            ],
            "gone": ["greet"],
        }
    ]


def test_a_plan_says_if_nobody_would_enter_by_itself_any_more(here: Journey) -> None:
    here("publish", "welcome.yaml")
    put_inside(here, waiting=1)
    here.write("welcome.yaml", WELCOME.replace("entry:", "# entry:"))
    said = here("plan", "welcome.yaml").out
    assert "nobody would enter by itself any more: 1 user did in the last 30 days" in said


def test_plans_of_what_is_new_the_same_or_only_commented(here: Journey) -> None:
    new = here("plan", "welcome.yaml")
    assert "welcome: new, would be version 1, with 2 steps" in new.out
    here("publish", "welcome.yaml")
    same = here("plan", "welcome.yaml").out
    assert same.splitlines() == [
        "welcome: unchanged, it is version 1 already",
        "nobody is inside now",
    ]
    here.write("welcome.yaml", WELCOME + "# a comment\n")
    assert "which differs in nothing that means anything" in here("plan", "welcome.yaml").out


def test_a_plan_exits_with_4_if_an_endpoint_is_missing_and_with_3_for_a_bad_file(
    here: Journey,
) -> None:
    here.write("welcome.yaml", WELCOME.replace("messenger", "nowhere"))
    ended = here("plan", "welcome.yaml")
    assert (ended.code, "endpoint nowhere doesn't exist here (step greet)" in ended.out) == (
        4,
        True,
    )
    here.write("welcome.yaml", WELCOME.replace("P2D", "soon"))
    bad = here("plan", "welcome.yaml")
    assert (bad.code, bad.out, "welcome.yaml:6:" in bad.err) == (3, "", True)


# --- list, show, export ----------------------------------------------------------------------


def test_journeys_are_listed_with_their_numbers(here: Journey) -> None:
    assert "no journey is published yet" in here("list").err
    here("publish", ".")
    put_inside(here, waiting=1, version=2)
    here("pause", "other")
    listed = data(here("list", "--json"))
    assert [(one["journey"], one["state"], one["inside"], one["entered"]) for one in listed] == [
        ("other", "paused", 0, 0),
        ("welcome", "active", 1, 4),
    ]
    assert listed[1]["triggers"] == ["event signed_up where event.plan == 'pro'"]
    assert [one["journey"] for one in data(here("list", "SIGNED", "--json"))] == ["welcome"]
    assert [one["journey"] for one in data(here("list", "--state", "paused", "--json"))] == [
        "other"
    ]
    assert here("list", "--csv").out.startswith("journey,state,version,inside,entered")


def test_a_journey_is_shown_with_versions_and_who_stands_where(here: Journey) -> None:
    here("publish", "welcome.yaml")
    put_inside(here, waiting=2, calling=1)
    (shown,) = data(here("show", "welcome", "--json"))
    assert shown["endpoints"] == [{"endpoint": "messenger", "steps": ["greet"]}]
    assert shown["steps"] == [
        {"version": 1, "step": "settle", "waiting": 2, "calling": 0},
        {"version": 1, "step": "greet", "waiting": 0, "calling": 1},
    ]
    (version,) = shown["versions"]
    assert (version["number"], version["entered"], version["inside"]) == (1, 6, 3)
    said = here("show", "welcome").out
    assert "version 1, step settle, waiting 2, calling 0" in said


def test_an_unknown_journey_is_answered_with_the_nearest(here: Journey) -> None:
    here("publish", "welcome.yaml")
    for command in ("show", "export", "pause", "resume", "archive"):
        ended = here(command, "welcom")
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert "there is no journey 'welcom' here; did you mean `welcome`?" in ended.err


def test_a_text_is_exported_as_it_was_published(here: Journey) -> None:
    here("publish", "welcome.yaml")
    changed = here.write("welcome.yaml", WELCOME.replace("P2D", "P3D"))
    here("publish", changed)
    assert here("export", "welcome").out == WELCOME.replace("P2D", "P3D")
    assert here("export", "welcome", "--version", "1", "-o", "old.yaml").out == ""
    assert (here.folder / "old.yaml").read_text() == WELCOME
    none = here("export", "welcome", "--version", "3")
    assert (none.code, "welcome has no version 3; its newest is 2" in none.err) == (2, True)


# --- pause, resume, archive ------------------------------------------------------------------


def test_a_journey_is_paused_once_and_resumed_once(here: Journey) -> None:
    here("publish", "welcome.yaml")
    put_inside(here, waiting=2)
    assert "welcome paused, 2 users inside held" in here("pause", "welcome").out
    twice = here("pause", "welcome")
    assert (twice.code, "welcome is paused already" in twice.err) == (2, True)
    assert "welcome resumed" in here("resume", "welcome", "--overdue", "shift").out
    again = here("resume", "welcome")
    assert (again.code, "welcome is active, not paused" in again.err) == (2, True)
    orders = rows(here.folder, "SELECT journey, number, what, at >= paused_at FROM journey_orders")
    assert orders == [("welcome", 1, "shift", 1)]
    audit = rows(here.folder, "SELECT verb, fields FROM audit WHERE kind = 'journey' ORDER BY id")
    assert audit == [("publish", "version 1"), ("pause", ""), ("resume", "overdue: shift")]


def test_publishing_leaves_a_paused_journey_paused(here: Journey) -> None:
    here("publish", "welcome.yaml")
    here("pause", "welcome")
    here.write("welcome.yaml", WELCOME.replace("P2D", "P3D"))
    assert "it stays paused" in here("plan", "welcome.yaml").out
    assert "version 2 published" in here("publish", "welcome.yaml").out
    assert rows(here.folder, "SELECT state FROM journeys") == [("paused",)]


def test_archiving_says_how_many_and_asks_for_yes(here: Journey) -> None:
    here("publish", "welcome.yaml")
    put_inside(here, waiting=2)
    asked = here("archive", "welcome")
    assert (asked.code, asked.out) == (2, "")
    assert "2 users inside welcome would leave it at once" in asked.err
    assert rows(here.folder, "SELECT state FROM journeys") == [("active",)]
    done = here("archive", "welcome", "--yes")
    assert (done.code, done.out) == (
        0,
        "welcome archived; 2 users inside leave it, once a worker runs\n",
    )
    assert "welcome is archived already" in here("archive", "welcome", "--yes").err
    assert "welcome is archived already" in here("pause", "welcome").err
    assert "`journey publish FILE` brings it back" in here("resume", "welcome").err


def test_publishing_brings_an_archived_journey_back_as_a_new_version(here: Journey) -> None:
    here("publish", "welcome.yaml")
    here("archive", "welcome", "--yes")
    assert "brought back from the archive as version 2" in here("plan", "welcome.yaml").out
    assert "welcome was archived and is active again" in here("publish", "welcome.yaml").out
    assert versions(here) == [("welcome", 1, 1), ("welcome", 2, 1)]
    assert rows(here.folder, "SELECT state FROM journeys") == [("active",)]


@pytest.mark.parametrize("state", ["paused", "archived"])
def test_nobody_enters_a_paused_or_archived_journey_by_command(here: Journey, state: str) -> None:
    here("publish", "other.yaml")
    here(*(("pause", "other") if state == "paused" else ("archive", "other", "--yes")))
    ended = here("run", "other.yaml", "--live", "--user", "u1")
    assert (ended.code, f"other is {state}, so nobody enters it by command" in ended.err) == (
        2,
        True,
    )


def test_on_a_virtual_clock_the_moment_is_said(here: Journey) -> None:
    here("publish", "other.yaml")
    with by_hand(here.folder / ".journey" / "engine.db") as connection:
        connection.execute("UPDATE installation SET clock = 'virtual'")
    refused = here("pause", "other")
    assert (refused.code, "runs on the virtual clock" in refused.err) == (2, True)
    assert here("pause", "other", "--now", "2027-01-01T00:00Z").code == 0
    assert here("resume", "other", "--now", "soon").code == 2
    assert "after 1d 2h" in here("resume", "other", "--now", "2027-01-02T02:00Z").out


def test_a_killed_publication_leaves_nothing_behind(
    here: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.audit.store.record", die)
    assert here("publish", "welcome.yaml").code == 130
    assert versions(here) == []
    assert rows(here.folder, "SELECT count(*) FROM journeys") == [(0,)]
