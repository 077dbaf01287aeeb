"""Live runs on a PostgreSQL server that doesn't stay up, or is somebody else's just now."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.db.connect import Connection, Database
from engine.enrollments import store
from engine.enrollments.buckets import AnotherWorker, acquire
from engine.enrollments.ledger import Ledger
from engine.errors import DatabaseUnavailable
from engine.processes import committing, run
from tests.databases import databases_on
from tests.integration.live import House, Seen, call
from tests.partners import Answers, running
from tests.postgresql import Server, running_server

JOURNEY = {"steps": [call("greet", "api"), call("bye", "api")]}


def test_a_server_that_is_restarted_at_once_costs_a_run_nothing_but_time(tmp_path: Path) -> None:
    """What was on its way to be committed is committed once, whether its answer came or not."""
    with running_server() as server, databases_on(server), running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        restarts: list[threading.Thread] = []

        class Restarting(Seen):
            def turned(self, ledger: Any) -> None:
                super().turned(ledger)
                if self.turns in (3, 9, 15):
                    restarts.append(threading.Thread(target=server.restart))
                    restarts[-1].start()

        users = house.users(["id", *(f"u{n}" for n in range(1_500))])
        ran = house.run(JOURNEY, users, seen=Restarting())
        for restart in restarts:
            restart.join()
        assert ran.summary.finished == 1_500
        house.check_counts(ran, JOURNEY)
        assert len(restarts) == 3
        assert set(Counter(request.path for request in api.log).values()) == {1}
        assert len(ran.seen.pauses) >= 1
        assert "can't be reached" in ran.seen.pauses[-1] or "ended" in ran.seen.pauses[-1]


def test_a_commit_whose_answer_is_lost_is_not_made_twice(
    tmp_path: Path, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = 0
    write = Database.write

    @contextmanager
    def losing(self: Database, **options: Any) -> Iterator[Connection]:
        """A write transaction whose commit is made, and whose answer doesn't come."""
        nonlocal lost
        with write(self, **options) as connection:
            yield connection
        if not options.get("alone", True) and lost < 5:
            lost += 1
            raise DatabaseUnavailable("the connection is gone")

    with databases_on(postgresql), running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        monkeypatch.setattr(committing, "rest", lambda _seconds: None)
        users = house.users(["id", *(f"u{n}" for n in range(300))])
        with monkeypatch.context() as patch:

            class Begun(Seen):
                def turned(self, ledger: Any) -> None:
                    super().turned(ledger)
                    if self.turns == 1:
                        patch.setattr(Database, "write", losing)

            ran = house.run(JOURNEY, users, seen=Begun())
        assert lost == 5
        assert ran.summary.finished == 300
        house.check_counts(ran, JOURNEY)
        assert set(Counter(request.path for request in api.log).values()) == {1}


def test_a_set_that_can_not_be_written_is_written_later(
    tmp_path: Path, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, failed = store.write, 0

    def failing(connection: Connection, changes: store.Changes) -> None:
        nonlocal failed
        write(connection, changes)
        if changes.answered_calls and failed < 5:
            failed += 1
            raise DatabaseUnavailable("the server went away before the end")

    with databases_on(postgresql), running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        monkeypatch.setattr(committing, "rest", lambda _seconds: None)
        monkeypatch.setattr(store, "write", failing)
        ran = house.run(JOURNEY, house.users(["id", *(f"u{n}" for n in range(100))]))
        assert failed == 5
        assert ran.summary.finished == 100
        house.check_counts(ran, JOURNEY)
        assert set(Counter(request.path for request in api.log).values()) == {1}


def test_a_run_with_a_clock_of_its_own_is_refused_beside_a_worker(
    tmp_path: Path, postgresql: Server
) -> None:
    with databases_on(postgresql), running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        with house.opened() as database:
            other = acquire(database, shared=True)
            with pytest.raises(AnotherWorker, match="works on postgresql://"):
                house.run(JOURNEY, house.users(["id", "u1"]), now=1_800_000_000_000_000)
            other.release()
            assert house.run(JOURNEY, house.users(["id", "u1"])).summary.finished == 1


def test_what_was_decided_by_half_is_decided_anew_from_what_is_stored(
    tmp_path: Path, either_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server goes away while a set is decided, when some of it has been moved in memory."""
    failed = answers = 0
    note = Ledger.note

    def failing(self: Ledger, passage: Any, advanced: Any, call: Any) -> None:
        nonlocal failed, answers
        note(self, passage, advanced, call)
        answers += call is not None
        if call is not None and answers % 17 == 0 and failed < 6:
            failed += 1
            raise DatabaseUnavailable("the server went away amid a decision")

    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url)
        monkeypatch.setattr(Ledger, "note", failing)
        ran = house.run(JOURNEY, house.users(["id", *(f"u{n}" for n in range(300))]))
        assert failed == 6
        assert ran.summary.finished == 300
        house.check_counts(ran, JOURNEY)
        keys = Counter((request.path, request.headers["idempotency-key"]) for request in api.log)
        assert len({path for path, _ in keys}) == len(keys) == 600


def test_a_run_whose_every_decision_fails_ends_when_its_patience_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(self: Ledger, passage: Any, advanced: Any, call: Any) -> None:
        raise DatabaseUnavailable("a page of the file can't be read")

    house = House(tmp_path)
    house.endpoint("api", "http://127.0.0.1:9")
    monkeypatch.setattr(Ledger, "note", failing)
    monkeypatch.setattr(run, "PATIENCE_S", 0.3)
    monkeypatch.setattr(run, "_PAUSE_S", 0.01)
    with pytest.raises(DatabaseUnavailable, match="can't be read"):
        house.run(JOURNEY, house.users(["id", "u1"]))
