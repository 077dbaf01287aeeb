from __future__ import annotations

import math
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from engine.clock import stopwatch, wall
from engine.core.expressions.calendar import DAY, MINUTE
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.endpoints.gate import WELL, GatePolicy, Sighting
from engine.endpoints.states import observe
from engine.errors import DatabaseUnavailable
from engine.operations import store
from engine.operations.running import running
from engine.operations.store import Finding, Process
from engine.processes import health
from engine.processes.health import DEAD, Watch, look_at, this_process


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'engine.db'}")
    yield database
    database.close()


@dataclass
class Thread:
    alive: bool = True
    back_by: float = math.inf


def told(database: Database, now: int | None = None) -> list[tuple[str, str, str]]:
    with database.read() as connection:
        found = running(connection, wall() if now is None else now)
        return [(check.name, check.state, check.found) for check in found]


def rows(database: Database) -> list[Process]:
    with database.read() as connection:
        return store.processes(connection)


def test_a_loop_that_waits_is_fine_and_one_that_should_be_back_hangs() -> None:
    assert look_at("worker", Thread())[0].state == "ok"
    assert look_at("worker", Thread(back_by=stopwatch() - 30))[0].state == "ok"
    (late,) = look_at("worker", Thread(back_by=stopwatch() - 100))
    assert (late.state, late.found) == ("wrong", "hangs since 100 s")
    assert look_at("worker", Thread(alive=False))[0].found == DEAD


@dataclass
class Waits:
    """An event that nobody sets; waiting for it takes ``took`` seconds of a stopwatch."""

    took: float
    now: float = 0.0
    asked: int = 0

    def wait(self, _timeout: float) -> bool:
        self.asked += 1
        self.now += self.took
        return False


@pytest.mark.parametrize(("took", "waits"), [(health.LOOK_S, 1), (900.0, 2)])
def test_after_the_whole_process_was_stopped_its_loops_get_a_turn_first(
    database: Database, monkeypatch: pytest.MonkeyPatch, took: float, waits: int
) -> None:
    watch, stopping = Watch(database, this_process("up"), [], print), Waits(took)
    monkeypatch.setattr(watch, "_stopping", stopping)
    monkeypatch.setattr(health, "stopwatch", lambda: stopping.now)
    watch._wait()
    assert stopping.asked == waits


def test_a_process_says_how_it_is_and_takes_itself_out(database: Database) -> None:
    thread = Thread()
    watch = Watch(database, this_process("up"), [lambda: look_at("worker", thread)], print)
    watch.start()
    while not rows(database):
        pass
    (name, state, found) = told(database)[0]
    assert (name, state) == ("processes", "ok")
    assert f"journey up (process {os.getpid()} on {socket.gethostname()}) runs since" in found
    assert found.endswith("worker, database")
    watch.stop()
    assert rows(database) == []
    assert told(database) == [("processes", "ok", "none runs; `journey up` starts one")]


def test_a_thread_that_died_is_told_once_and_makes_health_red(database: Database) -> None:
    thread, died = Thread(), list[str]()
    watch = Watch(database, this_process("up"), [lambda: look_at("worker", thread)], died.append)
    watch.look()
    assert [each.state for each in rows(database)[0].health] == ["ok", "ok"]
    thread.alive = False
    watch.look()
    watch.look()
    assert died == ["worker"]
    assert Finding("worker", "wrong", DEAD) in rows(database)[0].health
    assert ("processes", "wrong") in [each[:2] for each in told(database)]


def test_it_is_written_when_something_changes_and_else_seldom(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = Thread()
    watch = Watch(database, this_process("up"), [lambda: look_at("worker", thread)], print)
    watch.look()
    first = rows(database)[0].seen_at
    watch.look()
    assert rows(database)[0].seen_at == first
    monkeypatch.setattr(health, "SAY_S", 0.0)
    watch.look()
    assert rows(database)[0].seen_at > first


def test_a_database_that_cannot_be_written_is_found(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("the database is locked")

    watch = Watch(database, this_process("up"), [], print)
    with monkeypatch.context() as patch:
        patch.setattr(database, "write", fails)
        watch.look()
        assert watch.look() == (Finding("database", "wrong", "the database is locked"),)
    watch.look()
    assert watch.look() == (Finding("database", "ok", "written"),)


def _left(database: Database, **changed: object) -> Process:
    now = wall()
    there = Process("x", "up", "elsewhere", 1, now - DAY, now)
    process = replace(there, **changed)  # type: ignore[arg-type]
    with database.write() as connection:
        store.put_process(connection, process)
    return process


def test_one_that_says_nothing_any_more_is_told_of(database: Database) -> None:
    process = _left(database)
    assert told(database)[0][1] == "ok"
    (name, state, found) = told(database, process.seen_at + 5 * MINUTE)[0]
    assert (name, state) == ("processes", "wrong")
    assert "said nothing since" in found


def test_one_of_this_machine_that_is_gone_is_told_of(database: Database) -> None:
    _left(database, host=socket.gethostname(), pid=2**22 + 1)
    assert told(database)[0][2].endswith("ended without a word")


@pytest.mark.parametrize(
    "left",
    [
        {"host": socket.gethostname(), "pid": 2**22 + 1},
        {"host": socket.gethostname(), "pid": os.getpid()},
        {"seen_at": wall() - 2 * DAY},
    ],
    ids=["killed", "before us in the same container", "long silent elsewhere"],
)
def test_who_is_gone_is_forgotten_by_the_next_that_starts(
    database: Database, left: dict[str, object]
) -> None:
    _left(database, **left)
    _left(database, id="other")
    watch = Watch(database, this_process("up"), [], print)
    watch._forget_the_gone()
    assert [each.id for each in rows(database)] == ["other"]


@pytest.mark.parametrize("kind", ["worker", "up"])
def test_one_that_ends_for_a_bug_leaves_word_until_somebody_does_its_work(
    database: Database, kind: str
) -> None:
    ended = Watch(database, this_process("worker"), [], print)
    ended.start()
    ended.stop("ValueError")
    (name, state, found) = told(database)[0]
    assert (name, state) == ("processes", "odd")
    assert f"journey worker (process {os.getpid()} on" in found
    assert found.endswith("for a bug: ValueError")
    Watch(database, this_process("scheduler"), [], print)._forget_the_gone()
    assert [each.bug for each in rows(database)] == ["ValueError"]
    assert told(database)[1][2].startswith("none runs")
    later = told(database, wall() + 2 * DAY)
    assert later[0][2].startswith("none runs")
    assert not any("for a bug" in found for _, _, found in later), "a day is enough"
    Watch(database, this_process(kind), [], print)._forget_the_gone()
    assert rows(database) == []


def test_who_ended_for_a_bug_does_no_duties(database: Database) -> None:
    with database.write() as connection:
        late = store.DutyState("backup", "p", None, None, "", None, 0, wall() - DAY)
        store.put_duty(connection, late)
    _left(database, health=(Finding(store.ENDED, "wrong", "ValueError"),))
    assert ("duties", "odd", "nobody does backup") in told(database)


def test_duties_that_failed_or_that_nobody_does_are_told_of(database: Database) -> None:
    now = wall()
    late = store.DutyState("backup", "p", None, None, "", None, 0, now - DAY)
    failed = store.DutyState("retention", "p", now, now, "", "disk full", 3, now + DAY)
    with database.write() as connection:
        for duty in (late, failed):
            store.put_duty(connection, duty)
    found = [each for each in told(database) if each[0] == "duties"]
    assert [each[1] for each in found] == ["odd", "odd"]
    assert "retention failed" in found[0][2]
    assert found[0][2].endswith(", 3 times in a row: disk full")
    assert found[1][2] == "nobody does backup"


def test_an_endpoint_whose_calls_are_held_is_told_of_until_it_is_well(database: Database) -> None:
    now, policy = wall(), GatePolicy(hold=DAY)
    with database.write() as connection:
        refused = Sighting("refused", "credential.unavailable", "the token server answered 503")
        observe(connection, "crm", policy, [(refused, now, False)])
    (found,) = (each for each in told(database) if each[0] == "endpoints")
    assert found[1] == "odd"
    assert found[2].startswith("crm: held since ")
    assert found[2].endswith(": the token server answered 503")
    with database.write() as connection:
        observe(connection, "crm", policy, [(WELL, now + MINUTE, True)])
    assert not [each for each in told(database) if each[0] == "endpoints"]
