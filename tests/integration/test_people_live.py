"""What a live run wrote down of people: explained, shown, erased."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.commands import Journey

CART = """
dsl: 1
journey: cart
entry:
  inputs: {total: number}
  triggers: [{event: cart_updated, where: event.total >= 50}]
steps: [{id: settle, type: wait, for: 10s}]
"""
REST = """
dsl: 1
journey: rest
steps:
  - {id: rest, type: wait, for: 1h}
  - {id: done, type: exit}
"""
EVENTS = """user,event,at,event_id,total
u1,cart_updated,2026-11-22T07:00:00Z,a,12.5
u1,cart_updated,2026-11-22T07:10:00Z,b,80
u1,cart_updated,2026-11-22T07:10:00Z,b,80
u1,cart_updated,2026-11-22T07:20:00Z,c,90
u22,cart_updated,2026-11-22T07:20:00Z,c,
"""


@pytest.fixture
def lived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Journey:
    """``journey`` in a folder with a database, after a live run on a virtual clock."""
    journey = Journey(tmp_path, monkeypatch, capsys)
    journey.write("cart.yaml", CART)
    journey.write("events.csv", EVENTS)
    clock = ("--now", "2026-11-22T07:00:00Z", "--for", "P1D")
    done = journey("run", "cart.yaml", "--live", "--events", "events.csv", *clock)
    assert done.code == 0, done.err
    assert done.out.startswith("cart · version 1 · live\n")  # of how many users nobody knew
    return journey


def explained(journey: Journey, user: str, which: str) -> dict[str, Any]:
    done = journey("events", "explain", user, which, "--json")
    assert done.code == 0, done.err
    (line,) = done.out.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_each_event_says_whether_it_let_its_user_in(lived: Journey) -> None:
    first = explained(lived, "u1", "a")
    assert (first["result"], first["seen"]) == ("where_false", {"event.total": 12.5})
    second = explained(lived, "u1", "b")
    assert second["result"] == "entered"
    assert explained(lived, "u1", "c")["result"] == "once"
    shown = json.loads(lived("users", "show", "u1", "--json").out)
    assert [one["enrollment"] for one in shown["passages"]] == [second["enrollment"]]
    assert [one["message_id"] for one in shown["events"]] == ["a", "b", "c"]


def test_who_was_erased_is_gone_and_the_other_stays(lived: Journey) -> None:
    done = lived("users", "erase", "u1", "--yes", "--json")
    erased = json.loads(done.out)["erased"]
    assert (erased["users"], erased["enrollments"], erased["executions"]) == (1, 1, 1)
    assert (erased["facts"], erased["refusals"]) == (3, 2)
    assert lived("users", "show", "u1").code == 2
    assert lived("users", "show", "u22").code == 0
    report = json.loads(lived("report", "cart", "--json").out)
    assert report["entered"] == 1  # counts stay
    assert " · 0 users" not in lived("report", "cart").out


def test_a_run_is_over_when_whoever_was_left_is_erased(lived: Journey) -> None:
    lived.write("rest.yaml", REST)
    lived.write("two.csv", "id\nada\nben\n")
    run = ("run", "rest.yaml", "--live", "--users", "two.csv", "--json")
    at = ("--now", "2026-11-23T07:00:00Z", "--for")
    assert json.loads(lived(*run, *at, "PT1S").out.splitlines()[-1])["waiting"] == 2
    assert lived("users", "erase", "ada", "--yes").code == 0
    summary = json.loads(lived(*run, *at, "P1D").out.splitlines()[-1])
    assert (summary["entered"], summary["finished"], summary["waiting"]) == (2, 2, 0)
    assert summary["outcomes"] == {"completed": 1, "erased": 1}
    assert summary["steps"]["rest"]["waiting"] == 0
    again = json.loads(lived(*run, *at, "P1D").out.splitlines()[-1])
    assert (again["entered"], again["refusals"]) == (0, {"already_ran": 2})
