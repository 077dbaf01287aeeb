"""What a worker is told, it is told again until it has received it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.db.connect import Database
from engine.db.ids import IdMaker
from engine.db.schema import open_database
from engine.enrollments.backlog import Backlog
from engine.enrollments.ledger import Ledger
from engine.enrollments.store import Changes, facts
from engine.enrollments.users_held import UsersHeld
from engine.processes.supply import ARRIVALS_PER_TURN, Tellings
from engine.users.incoming import IncomingEntry, IncomingEvent
from engine.users.ingest import ingest
from engine.users.store import append
from engine.versions.store import Versions
from tests.databases import database_url

NOW = 1_800_000_000_000_000
pytestmark = pytest.mark.usefixtures("either_database")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(database_url(tmp_path))) as database:
        yield database


@pytest.fixture
def tellings() -> Tellings:
    return Tellings(Backlog(None, Versions(), UsersHeld()), None)


def test_facts_that_a_failed_turn_had_loaded_are_loaded_again(
    database: Database, tellings: Tellings
) -> None:
    with database.write() as connection:
        ingest(connection, [IncomingEvent("ada", "came", {})], now=NOW, new_id=IdMaker(lambda: 7))
    with database.read() as connection:
        assert [told.name for told in tellings.load(connection, NOW, 10)] == ["came"]
        assert tellings.are_wanted(lambda _: True)
        assert [told.name for told in tellings.load(connection, NOW, 10)] == ["came"]
    tellings.received(Ledger(Changes(1), NOW, ""))
    assert not tellings.are_wanted(lambda _: True)


def _entries(database: Database, run: int, first: int, count: int) -> None:
    data = facts.entry_of_run(run, 1, {}, {})
    rows = [
        (bucket_of(f"u{n}"), n + 1, f"u{n}", facts.ENTRY, "j", NOW, None, data)
        for n in range(first, first + count)
    ]
    with database.write() as connection:
        append(connection, rows)


def _call() -> Any:
    return Mock(lane=("api", "j"))


def _takes(database: Database, tellings: Tellings, most: int = 1024) -> int:
    """How many are taken in by a turn in which all of them come to a call."""
    with database.read() as connection:
        tellings.look(connection)
        told = tellings.load(connection, NOW, most)
    ledger = Ledger(Changes(1), NOW, "", calls=[_call()])
    with database.write() as connection:
        for one in told:
            connection.exec_driver_sql("DELETE FROM inbox WHERE id = ?", (one.id,))
    tellings.received(ledger)
    return len(told)


def _looks(database: Database, tellings: Tellings, *, hungry: bool) -> bool:
    with database.read() as connection:
        tellings.look(connection)
    return tellings.are_wanted(lambda lane: hungry and lane == ("api", "j"))


def test_users_who_were_handed_over_wait_until_an_endpoint_could_take_more(
    database: Database, tellings: Tellings
) -> None:
    _entries(database, 70, 0, 1_000)
    assert _looks(database, tellings, hungry=False)  # nobody knows yet where they go
    assert _takes(database, tellings, 100) == 100
    assert not _looks(database, tellings, hungry=False)
    assert _looks(database, tellings, hungry=True)
    assert _takes(database, tellings) == ARRIVALS_PER_TURN
    assert not _looks(database, tellings, hungry=False)


@pytest.mark.parametrize("other", ["an event", "a user of another run", "a user by command"])
def test_they_do_not_wait_where_somebody_else_stands_behind_them(
    database: Database, tellings: Tellings, other: str
) -> None:
    _entries(database, 70, 0, 1_000)
    assert _takes(database, tellings, 100) == 100
    if other == "a user of another run":
        _entries(database, 7, 1_000, 1)
    else:
        told = IncomingEvent("ada", "came", {})
        entry = IncomingEntry("ada", "j", {})
        with database.write() as connection:
            said = [told if other == "an event" else entry]
            ingest(connection, said, now=NOW, new_id=IdMaker(lambda: 7))
    assert _looks(database, tellings, hungry=False)
    while _looks(database, tellings, hungry=False):
        assert _takes(database, tellings) > 0
    with database.read() as connection:
        assert facts.anything_but_entries(connection, [70]) is False


def test_who_comes_to_no_call_keeps_nobody_waiting(database: Database, tellings: Tellings) -> None:
    _entries(database, 70, 0, 1_000)
    with database.read() as connection:
        tellings.look(connection)
        tellings.load(connection, NOW, 100)
    tellings.received(Ledger(Changes(1), NOW, ""))
    assert _looks(database, tellings, hungry=False)
