"""What a worker is told, it is told again until it has received it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.db.ids import IdMaker
from engine.db.schema import open_database
from engine.enrollments.backlog import Backlog
from engine.enrollments.users_held import UsersHeld
from engine.processes.supply import Tellings
from engine.users.incoming import IncomingEvent
from engine.users.ingest import ingest
from engine.versions.store import Versions
from tests.databases import database_url

NOW = 1_800_000_000_000_000
pytestmark = pytest.mark.usefixtures("either_database")


def test_facts_that_a_failed_turn_had_loaded_are_loaded_again(tmp_path: Path) -> None:
    database = open_database(database_url(tmp_path))
    tellings = Tellings(Backlog(None, Versions(), UsersHeld()), None)
    with database.write() as connection:
        ingest(connection, [IncomingEvent("ada", "came", {})], now=NOW, new_id=IdMaker(lambda: 7))
    with database.read() as connection:
        assert [told.name for told in tellings.load(connection, NOW, 10)] == ["came"]
        assert tellings.are_due(NOW)
        assert [told.name for told in tellings.load(connection, NOW, 10)] == ["came"]
    tellings.received()
    assert not tellings.are_due(NOW)
    database.close()
