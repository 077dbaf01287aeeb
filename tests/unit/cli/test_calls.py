from __future__ import annotations

import json
from pathlib import Path

from tests.integration.live import House, call
from tests.partners import Answers, running
from tests.unit.cli.commands import Journey

ONE_CALL = {"steps": [call("greet", "api")]}


def failed(folder: Path, api: Answers, users: int = 4) -> str:
    """A database with failed calls of the step `greet`; its URL."""
    house = House(folder)
    house.endpoint("api", api.url, retry={"attempts": 1})
    api.change(statuses=[503] * users)
    house.run(ONE_CALL, house.users(["id", *(f"u{n}" for n in range(users))]))
    return f"sqlite:///{house.database}"


def test_failed_calls_are_listed_and_narrowed_down(journey: Journey, tmp_path: Path) -> None:
    with running(Answers()) as api:
        database = failed(tmp_path, api)
    listed = journey("calls", "list", "--failed", "--json", "--database", database)
    rows = [json.loads(line) for line in listed.out.splitlines()]
    assert {row["user"] for row in rows} == {"u0", "u1", "u2", "u3"}
    assert {(row["step"], row["state"], row["failure"]) for row in rows} == {
        ("greet", "failed", "call.server_error")
    }
    table = journey("calls", "list", "--step", "greet", "--database", database)
    assert table.out.count("\n") == 5
    for narrowed in (
        ("--step", "bye"),
        ("--endpoint", "other"),
        ("--journey", "k"),
        ("--code", "call.timed_out"),
        ("--since", "2100-01-01"),
    ):
        ended = journey("calls", "list", *narrowed, "--database", database)
        assert (ended.code, ended.out, ended.err) == (0, "", "no call fits\n")
    assert (
        journey("calls", "list", "--since", "1h", "--csv", "--database", database).out.count("\n")
        == 5
    )


def test_a_list_of_calls_ends_at_its_limit_and_says_that_there_are_more(
    journey: Journey, tmp_path: Path
) -> None:
    with running(Answers()) as api:
        database = failed(tmp_path, api)
    every = journey("calls", "list", "--json", "--database", database).out.splitlines()
    first = journey("calls", "list", "--limit", "3", "--json", "--database", database)
    assert first.out.splitlines() == every[:3]
    assert first.err == "the first 3: --limit shows more\n"
    whole = journey("calls", "list", "--limit", "4", "--json", "--database", database)
    assert (whole.out.splitlines(), whole.err) == (every, "")


def test_a_redrive_counts_first_and_sends_only_when_told(journey: Journey, tmp_path: Path) -> None:
    where = {"JOURNEY_HOME": str(tmp_path / "home"), "JOURNEY_EGRESS_ALLOW": "127.0.0.0/8"}
    with running(Answers()) as api:
        failed(tmp_path, api)
        sent = len(api.log)
        counted = journey("calls", "redrive", "--step", "greet", **where)
        assert counted.code == 0
        assert "4 calls failed" in counted.out
        assert "4  j/greet → api  call.server_error" in counted.out
        assert "nothing was sent: --yes" in counted.err
        assert len(api.log) == sent
        api.change(statuses=[404])
        ended = journey("calls", "redrive", "--yes", **where)
        assert ended.code == 6
        assert "succeeded 3, failed 1: call.client_error 1" in ended.out
        assert len(api.log) == sent + 4
        rest = journey("calls", "redrive", "--yes", "--json", **where)
        assert rest.code == 0
        said = [json.loads(line) for line in rest.out.splitlines()]
        assert said[0]["calls"] == 1
        assert said[1] == {"type": "redriven", "succeeded": 1, "failed": 0, "failures": {}}
        assert "redrive" in journey("audit", **where).out
        assert journey("calls", "redrive", "--yes", **where).out.startswith("0 calls")


def test_endpoints_tell_how_they_fare(journey: Journey, tmp_path: Path) -> None:
    with running(Answers()) as api:
        house = House(tmp_path)
        breaker = {"failures": 2, "open_for": "P1D"}
        house.endpoint("api", api.url, retry={"attempts": 1}, circuit_breaker=breaker)
        api.change(status=503)
        house.run(ONE_CALL, house.users(["id", "u0", "u1", "u2"]))
    where = {"JOURNEY_HOME": str(tmp_path / "home")}
    shown = json.loads(journey("endpoints", "show", "api", "--json", **where).out)
    assert shown["state"] == "circuit open"
    assert "answered 503" in shown["because"]
    assert "circuit open" in journey("endpoints", "list", **where).out
