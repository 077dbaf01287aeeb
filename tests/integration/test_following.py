"""``run-journey --live`` beside a worker: it hands users over and follows, whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.db.connect import Database
from engine.enrollments.buckets import AnotherWorker, Owned, acquire, works_alone
from engine.enrollments.ledger import Ledger
from engine.processes import follow, handing_over
from engine.processes.feed import FileFeed
from engine.users.events import open_events
from tests.databases import on_postgresql
from tests.forked import Popen
from tests.integration.live import House, Seen, call
from tests.partners import Answers, Partner, running

BIN = Path(sys.executable).parent
PATIENCE_S = 180.0
USERS = 300
LEASES = """SELECT lease_until - (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
  FROM workers"""
JOURNEY = {"steps": [call("greet", "api"), call("bye", "api")]}


class Told(Seen):
    """What was told of a run: its steps in order, and the progress."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[str, int, str]] = []
        self.what: list[str] = []
        self.outcomes: dict[str, str] = {}
        self.ends: list[int] = []
        self.counted: Counter[tuple[int, int]] = Counter()
        self.settled = 0
        self.at_turn: Callable[[], None] | None = None

    def turned(self, ledger: Ledger) -> None:
        super().turned(ledger)
        for (_, _, step, kind, _), (n, _) in ledger.changes.counts.items():
            self.counted[step, kind] += n
        self.settled += ledger.settled
        for one in ledger.told:
            self.what.append(one.what)
            if one.execution is not None:
                took = one.execution
                self.steps.append((one.passage.user.id, took.step, took.status))
                self.ends.append(took.ended_at)
            elif one.what == "ended":
                self.outcomes[one.passage.user.id] = one.text
                self.ends.append(one.at)
        if self.at_turn is not None:
            self.at_turn()

    def says(self, text: str) -> bool:
        """Whether a notice has it."""
        return any(text in notice for notice in self.notices)


def _start(house: House, *command: str) -> subprocess.Popen[str]:
    environment = {
        "JOURNEY_HOME": str(house.folder / "home"),
        "JOURNEY_DATABASE_URL": house.settings.database_url,
        "JOURNEY_EGRESS_ALLOW": "127.0.0.0/8",
    }
    return Popen(
        [BIN / command[0], *command[1:]],
        cwd=house.folder,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def _process(house: House, *command: str) -> Iterator[subprocess.Popen[str]]:
    with _start(house, *command) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _worker(house: House) -> Iterator[subprocess.Popen[str]]:
    """A worker that works everything, once it is at work."""
    with _process(house, "journey", "worker") as process:
        _until(lambda: bool(house.query("SELECT 1 FROM processes WHERE kind = 'worker'")))
        yield process


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it doesn't come to that"
        time.sleep(0.01)


def _once(action: Callable[[], object]) -> Callable[[], None]:
    done: list[object] = []

    def act() -> None:
        if not done:
            done.append(action())

    return act


@pytest.fixture
def api() -> Iterator[Partner]:
    with running(Answers()) as api:
        yield api


def _house(folder: Path, api: Partner) -> House:
    house = House(folder)
    house.endpoint("api", api.url)
    return house


def _many(house: House, users: int = USERS) -> Path:
    rows = (f"u{n},{n}" for n in range(users))
    return house.users(["id,amount", *rows])


@pytest.mark.usefixtures("either_database")
def test_users_are_handed_to_the_worker_and_followed_to_the_end(
    tmp_path: Path, api: Partner
) -> None:
    house, told = _house(tmp_path, api), Told()
    with _worker(house) as worker:
        ran = house.run(JOURNEY, _many(house), seen=told, telling=True)
        assert worker.poll() is None
        assert told.says(f"process {worker.pid} works on")
        assert told.says("is followed here")
        again = house.run(JOURNEY, _many(house), seen=Told())
    assert again.result.already_ran
    assert ran.summary.finished == ran.summary.entered == USERS
    assert ran.summary.calls.succeeded == ran.summary.calls.attempts == 2 * USERS
    house.check_counts(ran, JOURNEY)
    assert Counter(told.steps) == Counter(
        (f"u{n}", step, "succeeded") for n in range(USERS) for step in (0, 1)
    )
    assert told.outcomes == {f"u{n}": "completed" for n in range(USERS)}
    assert told.ends == sorted(told.ends)
    assert told.settled == USERS
    assert told.counted[0, 1] == told.counted[1, 1] == USERS
    assert set(Counter(request.path for request in api.log).values()) == {1}
    assert house.query("SELECT state FROM runs") == [("finished",)]
    assert house.query("SELECT count(*) FROM inbox") == [(0,)]
    attributes = house.query("SELECT attributes FROM users WHERE id = 'u7'")
    assert [json.loads(row[0]) for row in attributes] == [{"amount": 7}]


def test_beside_a_worker_everything_is_as_without_one(tmp_path: Path, api: Partner) -> None:
    """Changed and removed attributes, refusals, branches, failures, inputs: equal in the end."""
    journey: dict[str, Any] = {
        "entry": {"inputs": {"n": "number"}, "key": "inputs.n", "reentry": {"mode": "once"}},
        "steps": [
            call("greet", "api"),
            {
                "id": "size",
                "type": "branch",
                "paths": [
                    {"name": "gold", "when": "user.plan == 'gold'", "steps": [call("gold", "api")]}
                ],
            },
            call("bye", "broken", on_failure="exit"),
        ],
    }
    outcomes = []
    for name, beside in (("alone", False), ("beside", True)):
        folder = tmp_path / name
        folder.mkdir()
        house = _house(folder, api)
        house.endpoint("broken", "http://127.0.0.1:9")
        lines = [
            '{"id": "a", "attributes": {"plan": "gold", "age": 3}, "inputs": {"n": 1}}',
            '{"id": "b", "timezone": "Europe/Istanbul", "inputs": {"n": 1}}',
            '{"id": "c", "inputs": {"n": 2}}',
        ]
        first = house.users(lines, "users.jsonl")
        changed = '{"id": "a", "attributes": {"plan": null, "age": 4}, "inputs": {"n": 2}}'
        second = house.users([changed, *lines[2:]], "again.jsonl")
        if beside:
            with _worker(house):
                runs = [house.run(journey, users) for users in (first, second)]
        else:
            runs = [house.run(journey, users) for users in (first, second)]
        for ran in runs:
            house.check_counts(ran, journey)
        rows = house.query("SELECT bucket, id, timezone, attributes FROM users ORDER BY 1, 2")
        outcomes.append(([ran.summaries for ran in runs], rows))
        assert runs[1].summary.refusals == {"once": 1}
    assert outcomes[0] == outcomes[1]


@pytest.mark.usefixtures("either_database")
def test_a_worker_that_is_only_started_anew_goes_on_and_is_followed(
    tmp_path: Path, api: Partner
) -> None:
    house, told = _house(tmp_path, api), Told()
    api.change(delay=0.02)
    with _worker(house) as first, ExitStack() as stack:

        def restart() -> None:
            if len(api.log) < 100 or first.poll() is not None:
                return
            first.send_signal(signal.SIGTERM)
            first.wait()
            stack.enter_context(_process(house, "journey", "worker"))

        told.at_turn = restart
        ran = house.run(JOURNEY, _many(house, 600), seen=told)
        assert first.returncode == 143
        assert house.query("SELECT count(*) FROM processes WHERE kind = 'worker'") == [(1,)]
    assert not told.says("works no more")
    assert ran.summary.finished == ran.summary.entered == 600
    assert set(Counter(request.path for request in api.log).values()) == {1}


@pytest.mark.usefixtures("either_database")
def test_a_worker_that_is_killed_is_taken_over_from(
    tmp_path: Path, api: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "RESTART_S", 0.5)
    house, told, leases = _house(tmp_path, api), Told(), {0}
    house.settings = replace(house.settings, lease="200")
    api.change(delay=0.02)
    with _worker(house) as worker:

        def kill() -> None:
            if worker.poll() is not None and on_postgresql():
                leases.update(row[0] for row in house.query(LEASES))
            if len(api.log) < 100 or worker.poll() is not None:
                return
            worker.kill()
            worker.wait()
            if on_postgresql():
                with house.opened() as database, database.write() as connection:
                    connection.exec_driver_sql("UPDATE workers SET lease_until = 0")  # 30 s later

        told.at_turn = kill
        ran = house.run(JOURNEY, _many(house, 600), seen=told, telling=True)
        assert worker.poll() is not None
    assert told.says("works no more: its users are taken over")
    assert not on_postgresql() or max(leases) > 100_000_000
    assert ran.summary.finished == ran.summary.entered == 600
    house.check_counts(ran, JOURNEY)
    assert set(Counter(told.steps).values()) == {1}
    assert len(told.steps) == 1_200
    assert len({request.path for request in api.log}) == 1_200
    assert house.query("SELECT state FROM runs") == [("finished",)]


def test_a_run_that_is_killed_while_it_hands_over_goes_on_where_it_was(
    tmp_path: Path, api: Partner
) -> None:
    """And two that do the same at once hand nobody over twice."""
    house, users = _house(tmp_path, api), 1_500
    _many(house, users)
    journey = {"dsl": 1, "journey": "j", "steps": [call("greet", "api")]}
    (tmp_path / "j.yaml").write_text(json.dumps(journey))
    command = ("run-journey", "j.yaml", "--users", "users.csv", "--live", "--json")
    with _worker(house) as worker:
        with _process(house, *command) as killed:
            _until(lambda: house.query("SELECT 1 FROM runs WHERE position > 0") != [])
            killed.kill()
        with _process(house, *command) as one, _process(house, *command) as other:
            out, err = one.communicate(timeout=PATIENCE_S)
            _, said = other.communicate(timeout=PATIENCE_S)
        assert worker.poll() is None
    assert (one.returncode, other.returncode) == (0, 0), err + said
    assert json.loads(out.splitlines()[-1])["finished"] == users
    calls = {"succeeded": users, "failed": 0, "attempts": users}
    assert json.loads(out.splitlines()[-1])["calls"] == calls
    assert set(Counter(request.path for request in api.log).values()) == {1}
    assert house.query("SELECT state, position FROM runs") == [("finished", users)]
    assert house.query("SELECT count(*) FROM refusals") == [(0,)]


@pytest.mark.usefixtures("either_database")
def test_who_was_handed_over_waits_for_room_and_nobody_else_behind_him(
    tmp_path: Path, api: Partner
) -> None:
    """Users aren't taken in while their endpoint's queue is long; what happens to others, and users
    of another run, don't wait for that.
    """
    house, users = _house(tmp_path, api), 3_000
    slow = {"dsl": 1, "journey": "slow", "steps": [call("slow", "slow")]}
    quick = {"dsl": 1, "journey": "quick", "steps": [{"id": "end", "type": "exit"}]}
    event = {"triggers": [{"event": "came"}]}
    comes = {"dsl": 1, "journey": "comes", "entry": event, "steps": [call("hello", "api")]}
    for journey in (slow, quick, comes):
        (tmp_path / f"{journey['journey']}.yaml").write_text(json.dumps(journey))
    _many(house, users)
    house.users(["id", *(f"q{n}" for n in range(1_500))], "others.csv")

    def waiting() -> int:
        counted: int = house.query("SELECT count(*) FROM inbox")[0][0]
        return counted

    with running(Answers()) as busy, ExitStack() as stack:
        house.endpoint("slow", busy.url, concurrency=1, timeout="PT60S")
        busy.change(delay=30)
        with _process(house, "journey", "publish", "comes.yaml") as published:
            assert published.wait(PATIENCE_S) == 0
        stack.enter_context(_worker(house))
        run = ("run-journey", "slow.yaml", "--users", "users.csv", "--live")
        stack.enter_context(_process(house, *run))
        _until(lambda: waiting() > 200 and bool(busy.log))
        time.sleep(1.0)
        assert waiting() > 200
        assert house.query("SELECT count(*) FROM calls")[0][0] < users // 2
        with _process(house, "journey", "events", "send", "--user", "e", "--event", "came") as sent:
            assert sent.wait(PATIENCE_S) == 0
        _until(lambda: [request.path for request in api.log] == ["/hello/e"])
        other = ("run-journey", "quick.yaml", "--users", "others.csv", "--live")
        with _process(house, *other) as quickly:
            _, err = quickly.communicate(timeout=PATIENCE_S)
            assert quickly.returncode == 0, err


def test_who_works_is_asked_ten_times_a_second_at_most(
    tmp_path: Path, api: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def counted(database: Database, **options: Any) -> Owned:
        asked.append(time.monotonic())
        return acquire(database, **options)

    monkeypatch.setattr("engine.enrollments.buckets.acquire", counted)
    api.change(delay=0.05)
    house = _house(tmp_path, api)
    with _worker(house):
        asked.clear()
        house.run(JOURNEY, _many(house, 1_500))
    first, *others = asked[1:]  # the first time is before it follows
    assert len(others) > 2
    assert all(later - before > 0.09 for before, later in pairwise([first, *others]))


def test_a_signal_ends_following_and_not_the_work(tmp_path: Path, api: Partner) -> None:
    house, told = _house(tmp_path, api), Told()
    api.change(delay=0.3)
    with _worker(house) as worker:
        told.at_turn = _once(lambda: os.kill(os.getpid(), signal.SIGINT))
        ran = house.run(JOURNEY, _many(house), seen=told)
        assert ran.result.interrupted == signal.SIGINT
        assert told.says("no longer following")
        assert ran.summary.finished < USERS
        api.change(delay=0.0)
        again = Told()
        ran = house.run(JOURNEY, _many(house), seen=again)
        assert worker.poll() is None
        assert again.opened_runs[0].continued
    assert ran.summary.finished == ran.summary.entered == USERS
    house.check_counts(ran, JOURNEY)
    assert set(Counter(request.path for request in api.log).values()) == {1}


def test_sleepers_of_days_are_left_and_those_of_a_moment_waited_for(
    tmp_path: Path, api: Partner
) -> None:
    short = {"id": "short", "type": "wait", "for": "PT1S"}
    long = {"id": "long", "type": "wait", "for": "P2D"}
    house, told = _house(tmp_path, api), Told()
    journey = {"steps": [call("greet", "api"), short, call("bye", "api"), long]}
    with _worker(house):
        ran = house.run(journey, house.users(["id", "u1"]), seen=told, telling=True)
        assert (ran.summary.waiting, ran.summary.finished) == (1, 0)
        assert ran.summary.calls.succeeded == 2
        assert [step for _, step, _ in told.steps] == [0, 1, 2]
        assert [what for what in told.what if what] == ["entered", "waits"]
        assert house.query("SELECT state FROM runs") == [("open",)]
        ran = house.run(journey, house.users(["id", "u1"]), seen=Told(), stay_us=1_000_000)
        assert ran.summary.waiting == 1


def test_what_needs_a_worker_of_its_own_is_refused_in_one_line(
    tmp_path: Path, api: Partner
) -> None:
    house = _house(tmp_path, api)
    users = house.users(["id", "u1"])
    events = tmp_path / "events.csv"
    events.write_text("user,event,at\nu1,hello,2026-11-22T09:00:00Z\n")
    with house.opened() as database:
        owned = acquire(database, shared=True)
        try:
            with pytest.raises(AnotherWorker, match="--now needs a clock of its own"):
                house.run(JOURNEY, users, now=1_800_000_000_000_000)
            with pytest.raises(AnotherWorker, match="--record can't hear them"):
                house.run(JOURNEY, users, listening=lambda _held, _sent: None)
            with (
                open_events(events, ZoneInfo("UTC")) as file,
                pytest.raises(AnotherWorker, match="journey events send") as caught,
            ):
                house.run(JOURNEY, users, feed=FileFeed(file))
        finally:
            owned.release()
    assert "\n" not in caught.value.message
    assert house.query("SELECT count(*) FROM runs") == [(0,)]
    assert api.log == []


@pytest.mark.usefixtures("either_database")
def test_a_run_beside_another_run_begins_when_that_is_done(tmp_path: Path, api: Partner) -> None:
    house, told = _house(tmp_path, api), Told()
    with house.opened() as database:
        owned = acquire(database)
        with database.read() as connection:
            assert works_alone(database, connection)
        waited = threading.Timer(1.0, owned.release)
        waited.start()
        ran = house.run(JOURNEY, house.users(["id", "u1"]), seen=told)
        waited.join()
        assert not waited.is_alive()
    assert told.says("these users are taken through when it is done")
    assert ran.summary.finished == 1
    assert house.query("SELECT count(*) FROM inbox") == [(0,)]


@pytest.mark.usefixtures("either_database")
def test_only_so_many_wait_in_the_inbox_at_once(
    tmp_path: Path, api: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_over, "SET", 32)
    monkeypatch.setattr(handing_over, "MOST_WAITING", 96)
    monkeypatch.setattr(handing_over, "MOST_WAITING_ON_A_SERVER", 128)
    house = _house(tmp_path, api)
    path = _many(house)
    with house.opened() as database:
        most = 96 if database.is_file else 128
        owned = acquire(database, shared=True)  # and never takes anything in
        timer = threading.Timer(1.5, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        ran = house.run(JOURNEY, path, seen=Told())
        timer.join()
        assert ran.result.interrupted == signal.SIGINT
        assert house.query("SELECT count(*), count(DISTINCT user_id) FROM inbox") == [(most, most)]
        assert house.query("SELECT position FROM runs") == [(most,)]
        owned.release()
    assert house.run(JOURNEY, path).summary.finished == USERS
    assert set(Counter(request.path for request in api.log).values()) == {1}
