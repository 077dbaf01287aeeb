"""`journey events`: one or many are sent, listed, explained."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.clock import wall
from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.calendar import parse_iso
from engine.core.expressions.scope import UTC_ZONE
from engine.db.connect import Connection
from engine.db.schema import open_database
from tests.contract.people import add_passage, add_version, insert
from tests.contract.test_explain import CART
from tests.unit.cli.commands import Journey

EVENTS = """user,event,at,event_id,total
u1,order_placed,2026-01-20T10:00:00+03:00,m1,12.5
u1,,2026-01-22,,3
u2,order placed,2026-01-21,,3
"""


@pytest.fixture
def installed(journey: Journey) -> Journey:
    """With a database."""
    open_database(f"sqlite:///{journey.folder}/.journey/engine.db").close()
    return journey


def write(journey: Journey, change: Any) -> None:
    database = open_database(f"sqlite:///{journey.folder}/.journey/engine.db")
    with database.write() as connection:
        change(connection)
    database.close()


def listed(journey: Journey, *arguments: str) -> list[dict[str, Any]]:
    done = journey("events", "list", "--json", *arguments)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_file_is_sent_in_sets_and_counted(installed: Journey) -> None:
    rows = "".join(f"u{n % 7},x,2026-01-20,\n" for n in range(4_001))
    file = installed.write("events.csv", "user,event,at,total\n" + rows)
    done = installed("events", "send", file)
    assert (done.code, done.err) == (0, "4,001 events sent\n")
    assert len(listed(installed, "--user", "u0", "--limit", "9999")) == 572
    cut = installed("events", "list", "--user", "u0", "--csv")
    assert (cut.out.count("\n"), cut.err) == (101, "the newest 100: --limit shows more\n")
    for command in (("events", "list", "--user", "u0"), ("users", "list"), ("calls", "list")):
        ended = installed(*command, "--limit", "9" * 30)
        assert (ended.code, ended.err.count("\n")) == (2, 1)


def test_events_and_changes_of_a_file_come_with_id_time_and_zone(installed: Journey) -> None:
    installed.write("events.csv", EVENTS)
    done = installed("events", "send", "events.csv", JOURNEY_TIMEZONE="Europe/Istanbul")
    assert done.err == "2 events and 1 change of attributes sent\n"
    assert listed(installed, "--user", "u1") == [
        {
            "at": "2026-01-20T07:00:00.000000Z",
            "event": "order_placed",
            "properties": {"total": 12.5},
            "received": None,
            "seq": None,
            "message_id": "m1",
        },
        {
            "at": "2026-01-21T21:00:00.000000Z",
            "event": None,
            "attributes": {"total": 3},
            "received": None,
            "seq": None,
            "message_id": None,
        },
    ]


def test_standard_input_is_sent_and_skipped_rows_are_not(installed: Journey) -> None:
    done = installed("events", "send", "-", "--skip", "2", stdin=EVENTS)
    assert done.err == "1 event sent\n"
    assert listed(installed, "--user", "u1") == []
    assert [row["event"] for row in listed(installed, "--user", "u2")] == ["order placed"]


def test_one_bad_row_keeps_the_whole_file_out(installed: Journey) -> None:
    rows = "".join(f"u1,x,2026-01-20,{n}\n" for n in range(3_000))
    bad = ",x,2026-01-20,1\nu1,x,2999-01-01,1\n"
    installed.write("events.csv", "user,event,at,total\n" + rows + bad)
    done = installed("events", "send", "events.csv")
    assert done.code == 2
    assert "events.csv:3002: the row has no id" in done.err
    assert "events.csv:3003: its time is more than ten minutes ahead" in done.err
    assert listed(installed, "--user", "u1") == []


def test_one_event_is_sent_now_with_typed_properties(installed: Journey) -> None:
    before = wall()
    words = ("--property", "total=7", "--property", "name=a b", "--property", 'x={"y": [1]}')
    done = installed("events", "send", "--user", "u1", "--event", "cart", "--id", "m", *words)
    assert (done.code, done.err) == (0, "1 event sent\n")
    (row,) = listed(installed, "--user", "u1", "--event", "cart", "--since", "1h")
    assert row["properties"] == {"total": 7, "name": "a b", "x": {"y": [1]}}
    assert row["message_id"] == "m"
    at = parse_iso(row["at"], UTC_ZONE)
    assert at is not None
    assert before <= at <= wall()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a FILE, or one event"),
        (("--user", "u"), "name a FILE, or one event"),
        (("x.csv", "--event", "x"), "name a FILE, or one event"),
        (("gone.csv",), "can't read 'gone.csv'"),
        (("--user", "u", "--event", "x", "--at", "soon"), "'soon' is no ISO 8601 time"),
        (("--user", "u", "--event", "x", "--property", "y"), "--property 'y' is no setting"),
        (("--user", "u", "--event", "x", "--at", "2999-01-01"), "ten minutes ahead"),
        (("--user", "u", "--event", "x", "--property", "n=99999999999999999999"), "64 bits"),
    ],
)
def test_what_cant_be_sent_says_why_in_one_line(
    installed: Journey, arguments: tuple[str, ...], said: str
) -> None:
    done = installed("events", "send", *arguments)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1


def test_a_database_on_the_virtual_clock_takes_no_events(installed: Journey) -> None:
    write(installed, lambda c: c.exec_driver_sql("UPDATE installation SET clock = 'virtual'"))
    done = installed("events", "send", "--user", "u", "--event", "x")
    assert done.code == 2
    assert "virtual clock" in done.err


def test_events_arent_sent_into_a_database_that_isnt_there(journey: Journey) -> None:
    done = journey("events", "send", "--user", "u", "--event", "x")
    assert done.code == 5
    assert not (journey.folder / ".journey").exists()


def test_a_list_can_be_read_and_steers_no_terminal(installed: Journey) -> None:
    installed("events", "send", "--user", "u", "--event", "x", "--property", "n=\x1b[2J")
    done = installed("events", "list", "--user", "u")
    assert "not yet" in done.out
    assert "\x1b" not in done.out
    assert "SEQ" in done.out.splitlines()[0]


# --- explain ---------------------------------------------------------------------------------


def receive(connection: Connection) -> None:
    """Two facts of u: the first was refused, the second let him in."""
    place = {"bucket": bucket_of("u"), "user_id": "u"}
    now = wall()
    version = add_version(connection, "cart", CART, at=now - 10)
    for number in (1, 2):
        fact = {"seq": now + number, "kind": 0, "name": "cart_updated", "at": now + number}
        insert(connection, "facts", **place, **fact, depth=0, message_id=f"m{number}", data="{}")
    for trigger in (0, 1):
        why = {"trigger": trigger, "reason": "where_false", "at": now, "seen": '{"user.vip":null}'}
        insert(connection, "refusals", **place, seq=now + 1, run_id=0, version_id=version, **why)
    add_passage(connection, "u", "cart", version, 77, e=now + 2, entered_at=now)


def test_explain_names_the_rule_and_what_it_saw(installed: Journey) -> None:
    write(installed, receive)
    done = installed("events", "explain", "u", "m1")
    assert done.code == 0
    heading, _, first, second = done.out.splitlines()
    assert heading.startswith("cart_updated of u, ")
    assert "1 of 3" in first
    assert "`event.total >= 50` is false: user.vip null" in first
    assert "`user.vip` is false" in second


def test_explain_takes_the_newest_a_name_a_seq_or_an_id(installed: Journey) -> None:
    write(installed, receive)
    installed("events", "send", "--user", "u", "--event", "cart_updated")  # it waits
    seq = listed(installed, "--user", "u")[1]["seq"]
    for which in ((), ("cart_updated",), (str(seq),), ("m2",)):
        done = installed("events", "explain", "u", *which, "--json")
        verdict = json.loads(done.out.splitlines()[0])
        assert (verdict["result"], verdict["enrollment"], verdict["seq"]) == ("entered", 77, seq)


def test_explain_says_what_it_doesnt_find(installed: Journey) -> None:
    installed("events", "send", "--user", "u", "--event", "x")
    assert "not received yet" in installed("events", "explain", "u").err
    assert "'u' has no event 'y'" in installed("events", "explain", "u", "y").err
    assert installed("events", "explain", "v").code == 2
