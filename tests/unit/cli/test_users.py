"""`journey users`: imported, shown, listed, erased."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.db.connect import Connection, Database
from engine.db.schema import open_database
from engine.enrollments.buckets import acquire
from tests.contract.people import NOW, add_everything, add_passage, add_version, insert
from tests.contract.test_explain import CART
from tests.databases import database_url
from tests.unit.cli.commands import Journey

USERS = "id,timezone,first_name,tier,code:text\nu1,Europe/Istanbul,Ada,gold,007\nu2,,Bob,,\n"


def database_of(journey: Journey) -> str:
    return f"sqlite:///{journey.folder}/.journey/engine.db"


def write(journey: Journey, change: Any) -> None:
    database = open_database(database_of(journey))
    with database.write() as connection:
        change(connection)
    database.close()


def inbox(journey: Journey) -> list[tuple[str, int, dict[str, object]]]:
    database = open_database(database_of(journey))
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT user_id, kind, data FROM inbox ORDER BY id")
        found = [(row[0], row[1], json.loads(row[2])) for row in rows]
    database.close()
    return found


def test_an_import_sends_attributes_and_zones_as_changes(journey: Journey) -> None:
    journey.write("users.csv", USERS)
    done = journey("users", "import", "users.csv")
    assert (done.code, done.err) == (0, "2 users sent\n")
    zone = {"timezone": "Europe/Istanbul"}
    assert inbox(journey) == [
        ("u1", 1, {"first_name": "Ada", "tier": "gold", "code": "007"} | zone),
        ("u2", 1, {"first_name": "Bob"}),
    ]


def test_null_in_json_lines_removes_an_attribute(journey: Journey) -> None:
    lines = '{"id": "u1", "attributes": {"tier": null, "n": {"a": [1]}}}\n'
    assert journey("users", "import", "-", stdin=lines).code == 0
    assert inbox(journey) == [("u1", 1, {"tier": None, "n": {"a": [1]}})]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "u2", "event": {"x": 1}}', "brings no event"),
        ('{"id": "u2", "inputs": {"x": 1}}', "no input 'x'"),
        ('{"id": "u2", "attributes": {"x": 9223372036854775808}}', "64 bits"),
        ('{"id": "u2", "timezone": "Europe/Nowhere"}', "'Europe/Nowhere' is unknown"),
        ('{"id": "u1"}', "already on line 1"),
    ],
)
def test_a_bad_row_keeps_the_whole_file_out_unless_it_is_skipped(
    journey: Journey, line: str, said: str
) -> None:
    lines = f'{{"id": "u1", "attributes": {{"x": 1}}}}\n{line}\n'
    journey.write("users.jsonl", lines)
    done = journey("users", "import", "users.jsonl")
    assert done.code == 2
    assert "users.jsonl:2: " in done.err
    assert said in done.err
    assert not (journey.folder / ".journey").exists()
    done = journey("users", "import", "users.jsonl", "--skip-bad")
    assert done.err == "1 user sent, 1 bad rows left out\n"
    assert inbox(journey) == [("u1", 1, {"x": 1})]


# --- showing -----------------------------------------------------------------------------------


def people(connection: Connection) -> None:
    """u1, who waits in a journey and has left another; u2 with attributes for a terminal."""
    cart = add_version(connection, "cart", CART)
    for user, zone, attributes in (
        ("u1", "Europe/Istanbul", {"tier": "gold", "n": 1}),
        ("u2", None, {"tier": "\x1b[2Jgold", "n": True}),
    ):
        text = json.dumps(attributes)
        bucket = bucket_of(user)
        insert(connection, "users", bucket=bucket, id=user, timezone=zone, attributes=text)
    add_passage(connection, "u1", "cart", cart, 7)
    waiting = {"state": 0, "reason": 1, "slot": 0, "position": 0, "wake_at": NOW + 9_000_000}
    inside = {"entered_at": NOW + 6, "ended_at": None, "outcome": None}
    add_passage(connection, "u1", "cart", cart, 8, **waiting, **inside)
    place = {"bucket": bucket_of("u1"), "user_id": "u1", "seq": NOW}
    insert(connection, "facts", **place, kind=0, name="signed_up", at=NOW, depth=0, data="{}")


def test_a_user_is_shown_with_passages_and_events(journey: Journey) -> None:
    write(journey, people)
    done = journey("users", "show", "u1", "--json")
    shown = json.loads(done.out)
    assert shown["timezone"] == "Europe/Istanbul"
    assert shown["attributes"] == {"tier": "gold", "n": 1}
    inside, left = shown["passages"]
    assert (inside["step"], inside["state"], inside["waits_for"]) == ("settle", "waiting", "timer")
    assert (left["step"], left["state"], left["outcome"]) == (None, "ended", "completed")
    assert [event["event"] for event in shown["events"]] == ["signed_up"]
    for_people = journey("users", "show", "u1").out
    for word in ("u1", "Europe/Istanbul", '"gold"', "cart", "settle", "completed", "signed_up"):
        assert word in for_people


def test_attributes_steer_no_terminal(journey: Journey) -> None:
    write(journey, people)
    for arguments in (("show", "u2"), ("list",), ("list", "--csv")):
        assert "\x1b" not in journey("users", *arguments).out


def test_somebody_unknown_is_an_error_and_who_waits_in_the_inbox_is_not(journey: Journey) -> None:
    write(journey, people)
    assert journey("users", "show", "u9").code == 2
    journey("events", "send", "--user", "u9", "--event", "x")
    done = journey("users", "show", "u9")
    assert done.code == 0
    assert "waits for a worker" in done.err


def test_users_are_listed_by_attribute_and_type(journey: Journey) -> None:
    write(journey, people)

    def found(*arguments: str) -> list[str]:
        done = journey("users", "list", "--json", *arguments)
        return sorted(json.loads(line)["id"] for line in done.out.splitlines())

    assert found() == ["u1", "u2"]
    assert found("--attribute", "tier=gold") == ["u1"]
    assert found("--attribute", "n=1") == ["u1"]
    assert found("--attribute", "n=true") == ["u2"]
    assert found("--attribute", "n=1", "--attribute", "tier=silver") == []
    assert found("--attribute", "timezone=Europe/Istanbul") == ["u1"]
    assert len(found("--limit", "1")) == 1
    assert "the first 1" in journey("users", "list", "--limit", "1").err
    assert journey("users", "list", "--attribute", "tier").code == 2


def test_thousands_of_users_are_listed_page_by_page(journey: Journey) -> None:
    def many(connection: Connection) -> None:
        for n in range(2_500):
            insert(connection, "users", bucket=n % 3, id=f"u{n}", timezone=None, attributes="{}")

    write(journey, many)
    done = journey("users", "list", "--limit", "9999", "--json")
    assert len(set(done.out.splitlines())) == 2_500


# --- erasing -------------------------------------------------------------------------------------


def test_erasing_says_what_went_and_nothing_is_left(journey: Journey) -> None:
    write(journey, lambda connection: add_everything(connection, "ada@example.com", 1))
    done = journey("users", "erase", "ada@example.com", "--yes", "--vacuum", "--json")
    assert done.code == 0
    assert set(json.loads(done.out)["erased"].values()) == {1}
    assert journey("users", "erase", "ada@example.com", "--yes").code == 2
    files = (journey.folder / ".journey").iterdir()
    assert not any(b"ada@example.com" in file.read_bytes() for file in files)
    assert "erase" in journey("audit").out


@pytest.mark.parametrize("option", [[], ["--vacuum"]])
def test_on_either_database_erasing_ends_well(
    journey: Journey, either_database: None, option: list[str]
) -> None:
    url = database_url(journey.folder)
    with closing(open_database(url)) as database, database.write() as connection:
        add_everything(connection, "ada@example.com", 1)
    done = journey("users", "erase", "ada@example.com", "--yes", *option, "--database", url)
    assert (done.code, done.err) == (0, "")
    assert "users" in done.out


def test_a_person_is_asked_and_a_program_must_say_yes(journey: Journey) -> None:
    write(journey, lambda connection: add_everything(connection, "u", 1))
    done = journey("users", "erase", "u")
    assert done.code == 2
    assert "say --yes" in done.err
    assert journey("users", "show", "u").code != 70


def test_nothing_held_is_said(journey: Journey) -> None:
    write(journey, lambda connection: add_everything(connection, "u", 1))
    assert "nothing is held of 'v'" in journey("users", "erase", "v", "--yes").err


def test_a_worker_that_takes_too_long_is_told_of_and_the_wish_stays(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.cli.erasing._PATIENCE_S", 0.0)
    write(journey, lambda connection: add_everything(connection, "u", 1))
    database = Database(f"sqlite:///{journey.folder / '.journey' / 'engine.db'}")
    buckets = acquire(database)
    done = journey("users", "erase", "u", "--yes")
    buckets.release()
    database.close()
    assert done.code == 2
    assert "within a minute" in done.err
    assert [row[1] for row in inbox(journey)] == [0, 3]
