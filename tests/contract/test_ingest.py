"""The inbox: what is let in, in sets, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.calendar import MINUTE
from engine.db.connect import Database
from engine.db.ids import IdMaker, entropy
from engine.users.incoming import (
    LARGEST,
    Incoming,
    IncomingChange,
    IncomingEntry,
    IncomingEvent,
)
from engine.users.ingest import FactRefused, Ingested, ingest
from engine.users.store import facts_of

NOW = 1_790_000_000_000_000


def taken(database: Database, *facts: Incoming) -> list[tuple[object, ...]]:
    """The rows of the inbox, in order of their ids, without these."""
    with database.write() as connection:
        ingest(connection, facts, now=NOW, new_id=IdMaker(entropy))
    with database.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT bucket, user_id, kind, name, at, message_id, data FROM inbox ORDER BY id"
        )
        return [tuple(row) for row in rows]


def refused(database: Database, *facts: Incoming) -> FactRefused:
    with pytest.raises(FactRefused) as raised:
        taken(database, *facts)
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM inbox").scalar_one() == 0
    return raised.value


def test_each_kind_of_fact_becomes_a_row_in_the_order_given(database: Database) -> None:
    assert taken(
        database,
        IncomingEvent("ü", "order placed", {"total": 12.5, "tags": ["ö"]}, NOW - 5, "m1"),
        IncomingChange("b", {"tier": None, "timezone": "Europe/Istanbul"}),
        IncomingEntry("b", "win-back", {"total": 3}),
    ) == [
        (bucket_of("ü"), "ü", 0, "order placed", NOW - 5, "m1", '{"total":12.5,"tags":["ö"]}'),
        (bucket_of("b"), "b", 1, "", NOW, None, '{"tier":null,"timezone":"Europe/Istanbul"}'),
        (bucket_of("b"), "b", 2, "win-back", NOW, None, '{"inputs":{"total":3}}'),
    ]


def test_a_set_says_how_many_of_each_kind_it_held(database: Database) -> None:
    facts: list[Incoming] = [IncomingEvent(f"u{n}", "x", {}) for n in range(700)]
    facts.append(IncomingChange("u", {}))
    with database.write() as connection:
        done = ingest(connection, facts, now=NOW, new_id=IdMaker(entropy))
    assert done == Ingested(events=700, changes=1)
    assert (done + Ingested(entries=1)).total == 702


def test_one_that_cant_be_taken_leaves_the_whole_set_out_and_is_named(database: Database) -> None:
    error = refused(database, IncomingEvent("u", "x", {}), IncomingEvent("", "x", {}))
    assert error.index == 1
    assert error.code == "users.no_id"
    assert "the row has no id" in error.message


def nested(depth: int) -> dict[str, object]:
    inner: dict[str, object] = {}
    for _ in range(depth - 1):
        inner = {"x": inner}
    return inner


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        (IncomingEvent("a\x1b[2J", "x", {}), "control character"),
        (IncomingEvent("\ud800", "x", {}), "control character"),
        (IncomingEvent("u" * 256, "x", {}), "256 characters"),
        (IncomingEvent("u", "", {}), "no event's name"),
        (IncomingEvent("u", " x", {}), "no event's name"),
        (IncomingEvent("u", "a\nb", {}), "no event's name"),
        (IncomingEvent("u", "x" * 201, {}), "no event's name"),
        (IncomingEvent("u", "x", {}, message_id=""), "the event's id"),
        (IncomingEvent("u", "x", {}, message_id="m\0"), "the event's id"),
        (IncomingEvent("u", "x", {"n": float("nan")}), "no JSON"),
        (IncomingEvent("u", "x", {"n": float("inf")}), "no JSON"),
        (IncomingEvent("u", "x", {"n": {1, 2}}), "no JSON"),
        (IncomingEvent("u", "x", {"n": "\ud800"}), "surrogate"),
        (IncomingEvent("u", "x", {"n": 2**63}), "64 bits"),
        (IncomingEvent("u", "x", {"n": [-(2**63) - 1]}), "64 bits"),
        (IncomingEvent("u", "x", nested(65)), "nested deeper than 64"),
        (IncomingEvent("u", "x", nested(5_000)), "nested"),
        (IncomingEvent("u", "x", {"n": "x" * LARGEST}), "bytes as JSON; at most 32,768"),
        (IncomingEvent("u", "x", {"n": "ö" * (LARGEST // 2)}), "bytes as JSON"),
        (IncomingEvent("u", "x", {}, NOW + 10 * MINUTE + 1), "ten minutes ahead"),
        (IncomingEvent("u", "x", {}, -1), "before 1970"),
        (IncomingChange("u", {"timezone": "Europe/Nowhere"}), "'Europe/Nowhere' is unknown"),
        (IncomingChange("u", {"timezone": 7}), "the timezone is 7"),
        (IncomingChange("u", {"id": "v"}), "'id' is no attribute"),
        (IncomingChange("u", {"": 1}), "no attribute's name"),
        (IncomingChange("u", {"a\n": 1}), "no attribute's name"),
        (IncomingEntry("u", "Win Back", {}), "no journey's name"),
    ],
)
def test_what_cant_be_taken_says_why(database: Database, fact: Incoming, said: str) -> None:
    message = refused(database, fact).message
    assert said in message
    assert message.isprintable()


@pytest.mark.parametrize(
    "properties",
    [
        nested(64),
        {"n": 2**63 - 1, "m": -(2**63), "f": 1e300, "digits": "9" * 30},
        {"n": "x" * (LARGEST - 8)},
        {"nul": "\0", "esc": "\x1b[2J"},
    ],
)
def test_what_is_just_within_the_bounds_is_taken_unchanged(
    database: Database, properties: dict[str, object]
) -> None:
    ((*_, data),) = taken(database, IncomingEvent("u", "x", properties))
    assert json.loads(str(data)) == properties


def test_a_clock_that_is_a_little_ahead_is_taken_back_to_now(database: Database) -> None:
    rows = taken(
        database,
        IncomingEvent("u", "ahead", {}, NOW + 10 * MINUTE),
        IncomingEvent("u", "now", {}, NOW),
        IncomingEvent("u", "late", {}, 0),
    )
    assert [row[4] for row in rows] == [NOW, NOW, 0]


def test_nothing_is_seen_before_the_caller_commits(database: Database) -> None:
    with database.write() as connection:
        ingest(connection, [IncomingEvent("u", "x", {})], now=NOW, new_id=IdMaker(entropy))
        with database.read() as other:
            assert facts_of(other, "u") == []
    with database.read() as other:
        assert [fact.name for fact in facts_of(other, "u")] == ["x"]


def test_ids_rise_with_the_order_in_which_facts_come(database: Database) -> None:
    make: Callable[[int], int] = IdMaker(entropy)
    with database.write() as connection:
        for start in range(0, 3_000, 1_000):
            some = [IncomingEvent("u", f"{n}", {}) for n in range(start, start + 1_000)]
            ingest(connection, some, now=NOW + start, new_id=make)
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT name FROM inbox ORDER BY bucket, id").fetchall()
    assert [row[0] for row in rows] == [f"{n}" for n in range(3_000)]
