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
from engine.enrollments.store.facts import Told
from engine.enrollments.users_held import UsersHeld
from engine.processes.supply import ARRIVALS_PER_TURN, Source, Tellings
from engine.users.incoming import IncomingEntry, IncomingEvent
from engine.users.ingest import ingest
from engine.users.row import UserRow
from engine.users.store import append
from engine.versions.store import Versions
from tests.databases import database_url

NOW = 1_800_000_000_000_000
RUN = 70
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


def _call(user: str) -> Any:
    return Mock(lane=("api", "j"), passage=Mock(user=Mock(id=user)))


def _takes(database: Database, tellings: Tellings, most: int = 1024, calling: int = RUN) -> int:
    """How many are taken in by a turn in which somebody of a run comes to a call, if there is one,
    and somebody who wasn't taken in.
    """
    with database.read() as connection:
        told = tellings.load(connection, NOW, most)
    with database.write() as connection:
        for one in told:
            connection.exec_driver_sql("DELETE FROM inbox WHERE id = ?", (one.id,))
    users = [one.user_id for one in told if facts.run_of(one) == calling][:1]
    tellings.received(Ledger(Changes(1), NOW, "", calls=[_call(user) for user in (*users, "else")]))
    return len(told)


def _looks(database: Database, tellings: Tellings, *, hungry: bool = False) -> bool:
    """Whether there is something to be taken in, as far as can be seen now."""
    with database.read() as connection:
        tellings.look(connection)
    return _wants(tellings, hungry=hungry)


def _wants(tellings: Tellings, *, hungry: bool = False) -> bool:
    return tellings.are_wanted(lambda lane: hungry and lane == ("api", "j"))


def _clocks_wait(tellings: Tellings) -> bool:
    return tellings.come_first


def _tell(database: Database, *told: IncomingEvent | IncomingEntry) -> None:
    with database.write() as connection:
        ingest(connection, told, now=NOW, new_id=IdMaker(lambda: 7))


def _held(database: Database, tellings: Tellings, waiting: int = 1_000) -> None:
    """Users of a run wait, as their endpoint can take no more."""
    _entries(database, RUN, 0, waiting)
    assert _looks(database, tellings)  # nobody knows yet where they go
    assert _takes(database, tellings, 100) == 100
    assert not _looks(database, tellings)


def test_users_who_were_handed_over_wait_until_an_endpoint_could_take_more(
    database: Database, tellings: Tellings
) -> None:
    _held(database, tellings)
    assert _looks(database, tellings, hungry=True)
    assert _takes(database, tellings) == ARRIVALS_PER_TURN
    assert not _looks(database, tellings)


@pytest.mark.parametrize("other", ["an event", "a user of another run", "a user by command"])
def test_nobody_else_waits_behind_them(database: Database, tellings: Tellings, other: str) -> None:
    """And who was seen by one look is met without another."""
    _held(database, tellings, 2_500)
    stopped = tellings._backlog._inbox._first
    far = next(n for n in range(9_000, 99_000) if bucket_of(f"u{n}") == (stopped - 2) % 256)
    if other == "a user of another run":
        _entries(database, 7, far, 1)
    elif other == "an event":
        _tell(database, IncomingEvent(f"u{far}", "came", {}))
    else:
        _tell(database, IncomingEntry(f"u{far}", "j", {}))
    assert _looks(database, tellings)
    while _wants(tellings):
        assert _takes(database, tellings) > 0
    with database.read() as connection:
        assert not facts.more_than_entries(connection, range(256))
        assert not facts.other_entries(connection, range(256), [RUN])


def test_a_run_is_not_held_by_another_ones_endpoints(
    database: Database, tellings: Tellings
) -> None:
    _entries(database, RUN, 0, 400)
    _entries(database, 7, 400, 400)
    assert _takes(database, tellings) == 800
    _entries(database, RUN, 1_000, 400)
    _entries(database, 7, 1_400, 400)
    assert _looks(database, tellings), "run 7 comes to no call"
    _takes(database, tellings, calling=7)
    assert _looks(database, tellings), "now it is the other one"


def test_calls_of_others_keep_no_run_waiting(database: Database, tellings: Tellings) -> None:
    _entries(database, RUN, 0, 1_000)
    assert _takes(database, tellings, 100, calling=0) == 100
    assert _looks(database, tellings)


def test_runs_of_no_calls_are_taken_in_by_large_turns(
    database: Database, tellings: Tellings
) -> None:
    _entries(database, RUN, 0, 1_500)
    assert _looks(database, tellings)
    assert _takes(database, tellings, calling=0) == ARRIVALS_PER_TURN
    assert _takes(database, tellings, calling=0) == 1024


def test_what_is_told_to_another_worker_lets_nobody_in(
    database: Database, tellings: Tellings
) -> None:
    tellings._backlog.own(tuple(range(128)), tuple(range(128)))
    _held(database, tellings)
    far = next(n for n in range(9_000, 99_000) if bucket_of(f"u{n}") >= 128)
    _tell(database, IncomingEvent(f"u{far}", "came", {}))
    _entries(database, 7, far, 1)
    assert not _looks(database, tellings)


def test_clocks_wait_for_a_fact_that_came_after_the_look(
    database: Database, tellings: Tellings
) -> None:
    _entries(database, RUN, 0, 600)
    assert _looks(database, tellings)
    _tell(database, IncomingEvent("u1", "came", {}))
    with database.read() as connection:
        assert len(tellings.load(connection, NOW, 1024)) == ARRIVALS_PER_TURN
        assert _clocks_wait(tellings)
        assert len(tellings.load(connection, NOW, 1024)) == 601
    assert not _clocks_wait(tellings)


def test_clocks_wait_for_no_fact_that_is_taken_in_now(
    database: Database, tellings: Tellings
) -> None:
    _entries(database, RUN, 0, 2_000)
    first = next(f"x{n}" for n in range(9_999) if bucket_of(f"x{n}") == 0)
    _tell(database, IncomingEvent(first, "came", {}))
    assert _looks(database, tellings)
    assert _takes(database, tellings) == 1024
    assert not _clocks_wait(tellings)


def test_users_of_very_many_runs_are_held_back_by_none(
    database: Database, tellings: Tellings
) -> None:
    for n in range(1_100):
        _entries(database, n + 100, n, 1)
    _entries(database, 7, 1_100, 1)
    assert _takes(database, tellings) == 1024
    assert _looks(database, tellings)


def test_clocks_wait_for_facts_of_a_feed(database: Database) -> None:
    fed = [Told(7, 0, "ada", facts.EVENT, "came", NOW, None, "{}") for _ in range(5)]
    feed = Mock(due=lambda _now, most: fed[:most], next_at=NOW)
    tellings = Tellings(Backlog(None, Versions(), UsersHeld()), feed)
    with database.read() as connection:
        assert len(tellings.load(connection, NOW, 5)) == 5
        assert _clocks_wait(tellings)
        assert len(tellings.load(connection, NOW, 6)) == 5
        assert not _clocks_wait(tellings)


def test_a_runs_own_process_goes_by_the_calls_of_who_came() -> None:
    rows = [(bucket_of(f"u{n}"), UserRow(n, f"u{n}", None, {}, {})) for n in range(3)]
    source = Source(iter(()), 3)
    source.came(Ledger(Changes(1), NOW, "", calls=[_call("else")]), rows)
    assert (source.targets, source.is_light) == (set(), True)
    source.came(Ledger(Changes(1), NOW, "", calls=[_call("u2")]), rows)
    assert (source.targets, source.is_light) == ({("api", "j")}, False)


def test_who_could_not_look_takes_in_what_is_there(database: Database, tellings: Tellings) -> None:
    _held(database, tellings)
    tellings.expect()
    assert _wants(tellings)


def test_clocks_wait_for_facts_and_not_for_who_was_handed_over(
    database: Database, tellings: Tellings
) -> None:
    _entries(database, RUN, 0, 1_000)
    assert _looks(database, tellings)
    assert _takes(database, tellings) == ARRIVALS_PER_TURN
    assert not _clocks_wait(tellings)
    _tell(database, *(IncomingEvent(f"u{n}", "came", {}) for n in range(2_000)))
    assert _looks(database, tellings)
    assert _takes(database, tellings) == 1024
    assert _clocks_wait(tellings)
    while _looks(database, tellings):
        _takes(database, tellings)
    assert not _clocks_wait(tellings)
