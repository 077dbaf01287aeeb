"""Which versions users enter: by triggers, and by command."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.db.connect import Database
from engine.operations.archive import archive
from engine.operations.pause import pause
from engine.operations.publish import publish, read_text
from engine.versions.live import LiveJourneys
from engine.versions.publish import publish as publish_for_a_command
from engine.versions.store import Versions

pytestmark = pytest.mark.usefixtures("either_database")

BY_EVENT: dict[str, Any] = {"triggers": [{"event": "signed_up"}]}


def source(span: str = "P1D", *, journey: str = "j", **entry: object) -> bytes:
    steps = [{"id": "rest", "type": "wait", "for": span}]
    return json.dumps({"dsl": 1, "journey": journey, "entry": entry, "steps": steps}).encode()


def put(database: Database, text: bytes) -> None:
    with database.write() as connection:
        publish(connection, [read_text("j.yaml", text)], now=1, actor="test")


def by_command(database: Database, text: bytes) -> None:
    with database.write() as connection:
        publish_for_a_command(connection, "j", text, {}, now=1, actor="test")


def live(database: Database) -> LiveJourneys:
    found = LiveJourneys(Versions())
    with database.read() as connection:
        assert found.refresh(connection)
    return found


def triggered(database: Database) -> list[tuple[str, int]]:
    return [(one.journey, one.number) for one in live(database).triggered]


def entered(database: Database, journey: str = "j") -> int | None:
    with database.read() as connection:
        found = live(database).published(connection, journey)
    return None if found is None else found.number


def test_triggers_let_users_into_the_newest_version_that_has_them_on(database: Database) -> None:
    put(database, source("P1D", **BY_EVENT))
    put(database, source("P2D", **BY_EVENT))
    assert triggered(database) == [("j", 2)]
    by_command(database, source("P3D", **BY_EVENT))
    assert (triggered(database), entered(database)) == ([("j", 2)], 3)


def test_a_text_without_triggers_takes_them_away(database: Database) -> None:
    put(database, source(**BY_EVENT))
    put(database, source())
    assert (triggered(database), entered(database)) == ([], 2)


def test_a_paused_journey_lets_users_in_and_is_marked(database: Database) -> None:
    put(database, source(**BY_EVENT))
    with database.write() as connection:
        pause(connection, "j", at=5, now=5, actor="test")
    found = live(database)
    assert [one.id in found.paused for one in found.triggered] == [True]
    assert found.state("j") == "paused"


def test_nobody_enters_an_archived_journey_or_one_that_is_not_there(database: Database) -> None:
    put(database, source(**BY_EVENT))
    with database.write() as connection:
        archive(connection, "j", at=5, now=5, actor="test")
    assert (triggered(database), entered(database), entered(database, "k")) == ([], None, None)
    assert (live(database).state("j"), live(database).state("k")) == ("archived", None)


def test_what_has_changed_is_read_and_nothing_else(database: Database) -> None:
    put(database, source(**BY_EVENT))
    found = live(database)
    before = found.triggered
    put(database, source(journey="k", **BY_EVENT))
    with database.read() as connection:
        assert found.refresh(connection)
        assert not found.refresh(connection)
    assert [one.journey for one in found.triggered] == ["j", "k"]
    assert found.triggered[0] is before[0], "a version never changes: it is compiled once"
