"""Why somebody is where he is: over rows as receive, decide and send write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.cli.show.story import story_lines
from engine.cli.show.terminal import Paint
from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.durations import DAY, HOUR
from engine.db.connect import Connection, Database
from engine.db.schema import open_database
from engine.enrollments.listing import Wanted, passages
from engine.enrollments.store.holding import HELD
from engine.enrollments.told import Cause, Noted, PassageTold, Why
from engine.enrollments.why import MOST_PASSAGES, why
from engine.errors import NotFound
from engine.operations.plain_data import plain_data
from engine.versions.store import Versions
from tests.databases import database_url

pytestmark = pytest.mark.usefixtures("either_database")

SOURCE = """\
dsl: 1
journey: rescue
entry:
  triggers:
    - {event: cart_updated, where: event.total > 50}
  reentry: {mode: after_exit, cooldown: P7D}
  inputs: {total: number}
goals:
  - {name: bought, event: order_placed}
steps:
  - {id: ask, type: call_api, endpoint: crm, path: /ask}
  - {id: answer, type: wait_for, any: [{event: clicked}, {when: user.vip}], within: P3D}
"""
NOW, USER = 1_790_000_000_000_000, "u1"
BUCKET = bucket_of(USER)
PUBLISHED = (
    "INSERT INTO versions (id, journey, number, hash, source, triggers_on, published_at,"
    " published_by) VALUES (5, 'rescue', 3, 'h', ?, TRUE, 1, 'ann')"
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = open_database(database_url(tmp_path))
    with made.write() as connection:
        connection.exec_driver_sql(PUBLISHED, (SOURCE,))
        connection.exec_driver_sql(
            "INSERT INTO users (bucket, id, timezone, attributes) VALUES (?, ?, NULL, '{}')",
            (BUCKET, USER),
        )
    yield made
    made.close()


def passage(connection: Connection, id_: int, **columns: Any) -> None:
    row = {
        "bucket": BUCKET,
        "id": id_,
        "user_id": USER,
        "journey": "rescue",
        "key": "",
        "slot": id_ if columns.get("outcome") else 0,
        "version_id": 5,
        "run_id": 0,
        "state": 0,
        "reason": 2,
        "position": 1,
        "started": NOW + HOUR,
        "wake_at": NOW + HOUR + 3 * DAY,
        "entered_at": NOW,
        "ended_at": None,
        "outcome": None,
        "data": '{"s":{"0":[1,null,200,1,null,1],"1":[null,null,null,0,null,1]},"n":[2,1]}',
        **columns,
    }
    marks = ", ".join("?" * len(row))
    connection.exec_driver_sql(
        f"INSERT INTO enrollments ({', '.join(row)}) VALUES ({marks})",
        tuple(row.values()),
    )


def fact(connection: Connection, seq: int, name: str, kind: int = 0, **data: Any) -> None:
    connection.exec_driver_sql(
        "INSERT INTO facts (bucket, user_id, seq, kind, name, at, depth, data)"
        " VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
        (BUCKET, USER, seq, kind, name, seq, json.dumps(data)),
    )


def refusal(connection: Connection, seq: int, reason: str, trigger: int, seen: str | None) -> None:
    connection.exec_driver_sql(
        "INSERT INTO refusals (bucket, user_id, seq, run_id, version_id, trigger, reason, at, seen)"
        " VALUES (?, ?, ?, 0, 5, ?, ?, ?, ?)",
        (BUCKET, USER, seq, trigger, reason, NOW + seq % 10, seen),
    )


def told(database: Database, user: str = USER, journey: str = "rescue", **keys: Any) -> Why:
    with database.read() as connection:
        return why(connection, user, journey, Versions(), **keys)


def shown(found: Why) -> str:
    return "\n".join(story_lines(found, Paint()))


def test_a_wait_for_says_what_it_waits_for_and_until_when(database: Database) -> None:
    with database.write() as connection:
        passage(connection, 1)
    found = told(database)
    standing = found.passages[0].standing
    assert standing is not None
    assert (standing.step, standing.what) == ("answer", "clicked or user.vip")
    assert standing.until == NOW + HOUR + 3 * DAY
    assert (
        "now       ⏸ answer      waits since +1h for clicked or user.vip,"
        " until Thu 24 Sep 2026 15:13 UTC"
    ) in shown(found)


def test_only_events_that_the_version_listens_to_are_told(database: Database) -> None:
    with database.write() as connection:
        passage(connection, 1)
        fact(connection, NOW - 5, "clicked")
        fact(connection, NOW + 5, "clicked", button="yes")
        fact(connection, NOW + 6, "scrolled")
        fact(connection, NOW + 7, "", 1, vip=[None, True], city=[None, "x"])
        fact(connection, NOW + 8, "", 1, city=["x", "y"])
    noted = told(database).passages[0].noted
    assert [(one.what, one.name, one.at) for one in noted] == [
        ("event", "clicked", NOW + 5),
        ("attributes", "vip, city", NOW + 7),
    ]
    assert "▸ event       clicked  button yes" in shown(told(database))
    assert "▸ changed     vip true  city x" in shown(told(database))


def test_the_event_that_let_him_in_is_told_and_one_long_before_is_not(database: Database) -> None:
    entered = '{"s":{},"n":[2,1],"e":[%d,%d,0,0,0]}'
    with database.write() as connection:
        fact(connection, NOW - DAY, "cart_updated", total=70)
        fact(connection, NOW + 1, "cart_updated", total=90)
        passage(connection, 1, key="a", run_id=7, data=entered % (NOW - DAY, NOW - DAY))
        passage(connection, 2, key="b", data=entered % (NOW + 1, NOW + 1))
    newest, older = told(database).passages
    assert newest.entered_by == Cause("event", "cart_updated", NOW + 1, {"total": 90})
    assert (older.entered_by, older.run) == (Cause("run", "7"), 7)
    assert "● entered     by event cart_updated  total 90" in shown(told(database))


def test_the_event_that_let_him_in_is_told_where_the_journey_hears_no_other(
    database: Database,
) -> None:
    deaf = SOURCE.replace("goals:\n  - {name: bought, event: order_placed}\n", "")
    deaf = deaf[: deaf.index("  - {id: answer")].replace("journey: rescue", "journey: deaf")
    with database.write() as connection:
        connection.exec_driver_sql(
            PUBLISHED.replace("(5, 'rescue'", "(6, 'deaf'").replace("'h'", "'d'"), (deaf,)
        )
        fact(connection, NOW - 1, "cart_updated", total=60)
        fact(connection, NOW, "scrolled")
        fact(connection, NOW + 1, "cart_updated", total=20)
        refuse = "INSERT INTO refusals (bucket, user_id, seq, run_id, version_id, trigger, reason,"
        connection.exec_driver_sql(
            f"{refuse} at) VALUES (?, ?, ?, 0, 6, 0, 'where_false', ?)",
            (BUCKET, USER, NOW + 1, NOW),
        )
        fact(connection, NOW + 2, "cart_updated", total=90)
        fact(connection, NOW + 2 * DAY + 1_000, "cart_updated", total=95)
        for id_, entered_at in ((1, NOW), (2, NOW + DAY), (3, NOW + 2 * DAY)):
            own = {"journey": "deaf", "version_id": 6, "key": str(id_), "reason": 0, "position": 0}
            data = '{"s":{},"n":[0,0]}'
            passage(connection, id_, entered_at=entered_at, data=data, **own)
    causes = [one.entered_by for one in told(database, journey="deaf").passages]
    assert causes == [
        Cause("command"),
        Cause("command"),
        Cause("event", "cart_updated", NOW + 2, {"total": 90}),
    ]


def test_what_came_after_the_end_stands_behind_it(database: Database) -> None:
    with database.write() as connection:
        data = f'{{"s":{{}},"n":[2,1],"i":{{"total":9}},"g":{{"0":{NOW + DAY}}}}}'
        gone = {"state": 2, "outcome": "held_out", "ended_at": NOW, "wake_at": None}
        passage(connection, 1, data=data, **gone)
    assert shown(told(database)).splitlines()[1:] == [
        "  +0s       ● entered     by command  total 9",
        "  +0s       ■ held_out    0 steps",
        "  +1d 0h    ★ goal        bought",
    ]


def test_a_goal_that_counted_is_told_with_its_time(database: Database) -> None:
    with database.write() as connection:
        data = f'{{"s":{{}},"n":[2,1],"g":{{"0":{NOW + DAY}}}}}'
        passage(connection, 1, data=data)
    assert told(database).passages[0].noted == (Noted("goal", "bought", NOW + DAY),)
    assert "  +1d 0h    ★ goal        bought" in shown(told(database))


@pytest.mark.parametrize(
    ("failure", "attempts", "next_try_at", "said"),
    [
        (None, 0, NOW, "waits since +0s for its turn at crm, or its answer, not before"),
        (
            "call.server_error",
            2,
            NOW + 60_000_000,
            "attempt at crm, not before Mon 21 Sep 2026 14:14 UTC, call.server_error, 2 attempts",
        ),
    ],
)
def test_a_call_under_way_says_what_is_left_to_come(
    database: Database, failure: str | None, attempts: int, next_try_at: int, said: str
) -> None:
    with database.write() as connection:
        calling = {"state": 1, "reason": 0, "position": 0, "started": NOW, "wake_at": None}
        passage(connection, 1, **calling)
        connection.exec_driver_sql(
            "INSERT INTO calls (bucket, enrollment, step, visit, redrive, run_id, endpoint, method,"
            " target, headers, body, key, attempts, tries, next_try_at, failure)"
            " VALUES (?, 1, 0, 1, 0, 0, 'crm', 'POST', '/ask', '[]', ?, 'k', ?, ?, ?, ?)",
            (BUCKET, b"", attempts, attempts, next_try_at, failure),
        )
    assert said in shown(told(database))
    assert "POST /ask" in shown(told(database))


def test_a_paused_journey_says_so(database: Database) -> None:
    with database.write() as connection:
        passage(connection, 1)
        connection.exec_driver_sql(
            "INSERT INTO journeys (journey, state, since, change) VALUES ('rescue', 'paused', ?, 2)"
            " ON CONFLICT (journey) DO UPDATE SET state = 'paused', since = excluded.since",
            (NOW,),
        )
    text = shown(told(database))
    assert text.startswith("rescue is paused since Mon 21 Sep 2026 14:13 UTC")
    assert text.endswith(", the journey is paused")


@pytest.mark.parametrize(("wake_at", "until"), [(HELD, None), (HELD + NOW + HOUR, NOW + HOUR)])
def test_who_is_held_by_a_pause_is_told_with_the_time_he_was_due_if_there_is_one(
    database: Database, wake_at: int, until: int | None
) -> None:
    with database.write() as connection:
        passage(connection, 1, wake_at=wake_at)
        (listed,) = passages(connection, Wanted(), Versions())
    assert listed.until == until
    assert "9998" not in shown(told(database))


def test_passages_stand_the_newest_first_and_can_be_picked(database: Database) -> None:
    with database.write() as connection:
        for number in range(MOST_PASSAGES + 3):
            left = {"state": 2, "outcome": "completed", "ended_at": NOW + number, "wake_at": None}
            passage(connection, 1 + number, entered_at=NOW + number, key=f"k{number % 2}", **left)
    found = told(database)
    assert [one.id for one in found.passages] == list(range(23, 3, -1))
    assert found.more == 3
    assert "and 3 earlier; --enrollment ID tells of one" in shown(found)
    assert {one.key for one in told(database, key="k1").passages} == {"k1"}
    assert [one.id for one in told(database, enrollment=1).passages] == [1]
    with pytest.raises(NotFound, match="has no passage 99 through rescue"):
        told(database, enrollment=99)
    with pytest.raises(NotFound, match="has no passage with the key 'no' through rescue"):
        told(database, key="no")


def test_a_passage_whose_data_retention_took_is_still_told(database: Database) -> None:
    with database.write() as connection:
        left = {"state": 2, "outcome": "completed", "ended_at": NOW + 9, "wake_at": None}
        passage(connection, 1, data="{}", **left)
    assert "■ completed   0 steps" in shown(told(database))


def test_who_was_refused_is_told_by_which_rule_and_what_it_saw(database: Database) -> None:
    with database.write() as connection:
        fact(connection, NOW + 1, "cart_updated", total=12.5)
        refusal(connection, NOW + 1, "where_false", 0, '{"event.total":12.5}')
        refusal(connection, NOW + 2, "cooldown", 0, None)
        refusal(connection, 0, "no_input", -1, None)
    found = told(database)
    assert [one.reason for one in found.refusals] == ["cooldown", "where_false", "no_input"]
    lines = shown(found).splitlines()
    assert lines.pop(0) == "user u1 never entered rescue:"
    at = "  ■ refused Mon 21 Sep 2026 14:13 UTC, by"
    assert [line.removeprefix(at) for line in lines] == [
        " command: cooldown (cooldown: P7D after an entry)",
        " event cart_updated: where_false (not true: event.total > 50)",
        "      saw event.total 12.5",
        " command: no_input (an input, or the value for the key, was missing)",
    ]


def test_who_never_came_is_told_how_one_enters(database: Database) -> None:
    assert shown(told(database)) == (
        "user u1 never came to rescue: it is entered by event cart_updated if event.total > 50"
    )
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE versions SET triggers_on = FALSE")
    assert shown(told(database)).endswith(": only commands and runs let users in")


def test_a_name_that_nothing_has_is_answered_with_the_nearest(database: Database) -> None:
    with pytest.raises(NotFound, match=r"there is no user 'U1' \(did you mean 'u1'\?\)"):
        told(database, "U1")
    with pytest.raises(NotFound, match=r"no journey 'resque' \(did you mean 'rescue'\?\)"):
        told(database, journey="resque")
    with pytest.raises(NotFound, match=r"there is no user 'somebody else'$"):
        told(database, "somebody else")


def test_hostile_data_never_reaches_the_terminal_as_it_is(database: Database) -> None:
    nasty = "\x1b]0;owned\x07\u202egnp\nfake line"
    noted = (Noted("event", nasty, NOW, {nasty: nasty}), Noted("goal", "bought", NOW + 1))
    passage = PassageTold(
        id=1,
        version=1,
        key=nasty,
        run=None,
        entered_at=NOW,
        entered_by=Cause("event", nasty, NOW, {nasty: [nasty]}),
        inputs={nasty: nasty},
        steps=(),
        noted=noted,
        standing=None,
        outcome=nasty,
        ended_at=NOW + 5,
    )
    found = Why(nasty, "rescue", "active", 0, "UTC", (), (passage,), ())
    text = shown(found)
    assert len(text.splitlines()) == 5, text
    assert all(line.isprintable() for line in text.splitlines())
    assert "★ goal        bought" in text


def test_json_has_instants_in_iso_8601_and_leaves_data_as_it_came(database: Database) -> None:
    with database.write() as connection:
        passage(connection, 1)
        fact(connection, NOW + 5, "clicked", until=5)
        connection.exec_driver_sql(
            "INSERT INTO executions (bucket, enrollment, step, visit, redrive, status, attempts,"
            " started_at, ended_at, seen) VALUES (?, 1, 1, 1, 0, 1, 0, ?, ?, ?)",
            (BUCKET, NOW, NOW + 5, json.dumps({"event": "clicked", "at": NOW + 5})),
        )
    data = json.loads(json.dumps(plain_data(told(database))))
    (passage_,) = data["passages"]
    assert passage_["entered_at"] == "2026-09-21T14:13:20.000000Z"
    assert passage_["noted"][0]["data"] == {"until": 5}
    assert passage_["steps"][0]["seen"] == {"event": "clicked", "at": "2026-09-21T14:13:20.000005Z"}
    assert passage_["standing"]["what"] == "clicked or user.vip"
