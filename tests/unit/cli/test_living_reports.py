"""``journey report``, ``enrollments`` and ``why`` of a journey that users enter by themselves."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing
from typing import Any

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.db.connect import Connection
from engine.db.schema import open_database
from engine.enrollments import store
from tests.databases import database_url
from tests.unit.cli.commands import Journey

SOURCE = """\
dsl: 1
journey: rescue
entry: {triggers: [{event: cart_updated}], holdout: 10}
goals:
  - {name: bought, event: order_placed, exit: false}
steps:
  - id: variant
    type: split
    arms: [{name: a, weight: 1}, {name: b, weight: 1}]
  - {id: ask, type: call_api, endpoint: crm, path: /ask}
  - {id: rest, type: wait, for: P1D}
"""
NOW, DAY = 1_790_000_000_000_000, 86_400_000_000


def user(number: int) -> str:
    return f"u{number}"


def enroll(connection: Connection, number: int, **columns: Any) -> None:
    bought = columns.pop("bought", False)
    outcome = columns.get("outcome")
    row = {
        "bucket": bucket_of(user(number)),
        "id": 1_000 + number,
        "user_id": user(number),
        "journey": "rescue",
        "key": "",
        "slot": 1_000 + number if outcome else 0,
        "version_id": 5,
        "run_id": 0,
        "state": 2 if outcome else 0,
        "reason": 0 if outcome else 1,
        "position": 2,
        "started": NOW,
        "wake_at": None if outcome else NOW + DAY,
        "entered_at": NOW - number * DAY,
        "ended_at": NOW if outcome else None,
        "data": json.dumps({"s": {}, "n": [1, 1], **({"g": {"0": NOW}} if bought else {})}),
        **columns,
    }
    connection.exec_driver_sql(
        f"INSERT INTO enrollments ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
        tuple(row.values()),
    )


def execute(connection: Connection, number: int, step: int, status: int = 1, **more: Any) -> None:
    row = {
        "bucket": bucket_of(user(number)),
        "enrollment": 1_000 + number,
        "step": step,
        "visit": 1,
        "redrive": 0,
        "status": status,
        "attempts": 0,
        "started_at": NOW - number * DAY,
        "ended_at": NOW - number * DAY,
        **more,
    }
    connection.exec_driver_sql(
        f"INSERT INTO executions ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
        tuple(row.values()),
    )


def count(connection: Connection, kind: int, n: int, name: str = "", step: int = -1) -> None:
    connection.exec_driver_sql(
        "INSERT INTO step_counts (bucket, run_id, version_id, step, kind, name, n, attempts)"
        " VALUES (0, 0, 5, ?, ?, ?, ?, 0)",
        (step, kind, name, n),
    )


@pytest.fixture
def living(journey: Journey, monkeypatch: pytest.MonkeyPatch, either_database: None) -> Journey:
    """Twelve users: two held out, four who left, six who wait; the counts say more."""
    url = database_url(journey.folder)
    with closing(open_database(url)) as database, database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO versions (id, journey, number, hash, source, triggers_on, published_at,"
            " published_by) VALUES (5, 'rescue', 3, 'h', ?, TRUE, 1, 'ann')",
            (SOURCE,),
        )
        connection.exec_driver_sql(
            "INSERT INTO journeys (journey, state, since, change)"
            " VALUES ('rescue', 'active', 1, 1) ON CONFLICT (journey) DO NOTHING"
        )
        for number in range(12):
            place = (bucket_of(user(number)), user(number))
            connection.exec_driver_sql(
                "INSERT INTO users (bucket, id, timezone, attributes) VALUES (?, ?, NULL, '{}')",
                place,
            )
            if number < 2:
                enroll(connection, number, outcome="held_out", bought=number == 0)
                continue
            gone = "completed" if number < 6 else None
            enroll(connection, number, outcome=gone, bought=number in (2, 3, 7))
            execute(connection, number, 0, arm="ab"[number % 2])
            failed = {"failure": "call.timed_out", "text": "no answer"} if number == 4 else {}
            execute(connection, number, 1, 2 if failed else 1, attempts=2, **failed)
            if gone:
                execute(connection, number, 2)
        count(connection, store.ADMITTED, 1_000)
        count(connection, store.OUTCOME, 100, "held_out")
        count(connection, store.OUTCOME, 500, "completed")
        count(connection, store.GOAL, 300, "bought")
        count(connection, store.GOAL_HELD_OUT, 20, "bought")
        count(connection, store.ENTERED, 900, step=1)
        count(connection, store.FAILED, 7, "call.timed_out", step=1)
        count(connection, store.SUCCEEDED, 893, step=1)
    monkeypatch.setenv("JOURNEY_DATABASE_URL", url)
    return journey


def test_a_living_journey_is_told_as_a_whole_with_goals_and_uplift(living: Journey) -> None:
    said = living("report", "rescue")
    assert said.code == 0, said.err
    assert said.out.startswith("rescue · all versions, the newest 3, all who entered\n")
    gained = "bought 300 of 900 (33.3%), held out 20 of 100 (20.0%): +13.3 points"
    for line in (
        "entered   1,000   finished 600   waiting 400",
        f"goal      {gained} (95%: +4.0 to +20.7)",
        "ask  call.timed_out      7",
        "failed 7, went on 7, stuck 0",
    ):
        assert line in said.out, said.out
    data = json.loads(living("report", "rescue", "--json").out)
    assert data["goals"]["bought"]["of_held_out"] == 100
    uplift = data["goals"]["bought"]["uplift"]
    assert uplift["difference"] == pytest.approx(1 / 3 - 0.2, abs=1e-6)
    assert uplift["low"] < uplift["difference"] < uplift["high"]
    assert data["steps"]["ask"]["failures"] == {"call.timed_out": 7}


def test_since_counts_what_happened_since_and_goals_of_who_entered_since(living: Journey) -> None:
    since = "2026-09-15T14:13:20Z"  # six days before NOW: users 0 to 6 entered then or later
    said = living("report", "rescue", "--since", since, "--json")
    data = json.loads(said.out)
    assert (data["entered"], data["finished"], data["waiting"]) == (7, 6, 6)
    assert data["outcomes"] == {"completed": 4, "held_out": 2}
    assert data["since"] == "2026-09-15T14:13:20.000000Z"
    goal = data["goals"]["bought"]
    assert (goal["met"], goal["of"], goal["held_out"], goal["of_held_out"]) == (2, 5, 1, 2)
    ask, rest = data["steps"]["ask"], data["steps"]["rest"]
    assert (ask["entered"], ask["succeeded"], ask["failed"], ask["waiting"]) == (5, 4, 1, 0)
    assert (rest["entered"], rest["succeeded"], rest["waiting"]) == (10, 4, 6)
    assert data["calls"] == {"succeeded": 4, "failed": 1, "attempts": 10}
    bad = living("report", "rescue", "--since", "soon")
    assert (bad.code, "'soon' is no ISO 8601 time" in bad.err) == (2, True)


def test_arms_are_told_against_each_other(living: Journey) -> None:
    table = living("report", "rescue", "--by", "arm").out
    assert "variant → a   5 took it, 3 waiting" in table
    assert "  completed  2" in table
    assert "  goal bought  1 of 5 (20.0%), 95%: 3.6% to 62.4%" in table
    said = living("report", "rescue", "--by", "arm", "--csv").out
    rows = list(csv.DictReader(io.StringIO(said)))
    assert [tuple(row.values()) for row in rows if row["arm"] == "b"] == [
        ("variant", "b", "5", "3", "outcome", "completed", "2"),
        ("variant", "b", "5", "3", "goal", "bought", "2"),
    ]
    data = json.loads(living("report", "rescue", "--by=arm", "--json").out)
    assert [(one["arm"], one["taken"]) for one in data["by_arm"]] == [("a", 5), ("b", 5)]


def test_the_page_has_goals_uplift_and_arms(living: Journey) -> None:
    done = living("report", "rescue", "--by=arm", "--html", "r.html")
    assert done.code == 0, done.err
    page = (living.folder / "r.html").read_text(encoding="utf-8")
    assert "<h2>Goals</h2>" in page
    assert "uplift, with its 95% interval" in page
    assert "variant → a" in page


def test_what_cannot_be_reported_is_said_in_one_line(living: Journey) -> None:
    for arguments, words in (
        (("nothing",), "there is no run of a journey 'nothing'"),
        (("nothing", "--run", "all"), "there is no journey 'nothing'; published: rescue"),
        (("rescue", "--version", "9"), "rescue has no version 9; its newest is 3"),
        (("rescue", "--run", "x"), "'x' is no run's id and not 'all'"),
        (("rescue", "--run", "7", "--by", "arm"), "--run ID is of one run"),
        (("rescue", "--json", "--csv"), "exclude each other"),
    ):
        ended = living("report", *arguments)
        assert (ended.code, words in ended.err) == (2, True), ended.err
        assert ended.err.count("\n") == 1


def test_passages_are_listed_by_what_one_asks_for(living: Journey) -> None:
    def ids(*arguments: str) -> list[int]:
        said = living("enrollments", "list", "--json", *arguments)
        return [json.loads(line)["id"] for line in said.out.splitlines()]

    assert ids() == list(range(1_011, 999, -1))
    assert ids("--state", "ended", "--outcome", "held_out") == [1_001, 1_000]
    assert ids("--user", "u7") == [1_007]
    assert ids("--journey", "rescue", "--step", "rest") == list(range(1_011, 1_005, -1))
    assert ids("--journey", "other") == []
    assert ids("--limit", "2") == [1_011, 1_010]
    table = living("enrollments", "list", "--user", "u7").out
    assert "1007  u7    rescue   3        waiting  rest  timer  2026-09-22T14:13:20Z" in table
    cut = living("enrollments", "list", "--limit", "2", "--csv")
    assert (cut.out.count("\n"), cut.err) == (3, "the newest 2: --limit shows more\n")
    far = "9" * 30
    for command in (
        ("enrollments", "show", far),
        ("report", "rescue", "--version", far),
        ("report", "rescue", "--run", far),
        ("why", "u7", "rescue", "--enrollment", far),
        ("export", "rescue", "--version", far),
        ("users", "import", "users.csv", "--skip", far),
    ):
        ended = living(*command)
        assert (ended.code, ended.err.count("\n"), "whole number" in ended.err) == (2, 1, True)
    wrong = living("enrollments", "list", "--step", "rst")
    assert (wrong.code, "no step 'rst' (did you mean 'rest'?)" in wrong.err) == (2, True)


def test_one_passage_is_shown_as_why_tells_it(living: Journey) -> None:
    shown = living("enrollments", "show", "1004")
    assert shown.out == living("why", "u4", "rescue").out
    assert (
        "✗ ask         POST crm/ask  call.timed_out: no answer  (2 attempts); goes on" in shown.out
    )
    assert "◇ variant     → a" in shown.out
    assert json.loads(living("why", "u4", "rescue", "--json").out)
    missing = living("enrollments", "show", "7")
    assert (missing.code, "there is no passage 7" in missing.err) == (2, True)
    nobody = living("why", "U4", "rescue")
    assert nobody.err == "error: there is no user 'U4' (did you mean 'u4'?)\n"
    assert nobody.code == 2
