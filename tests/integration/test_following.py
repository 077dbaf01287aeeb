"""``run-journey --live`` beside a worker: it hands its users over and follows, whoever is killed."""

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
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.clock import MICROSECONDS
from engine.core.expressions.assignment import bucket_of
from engine.enrollments.buckets import AnotherWorker, acquire, works_alone
from engine.enrollments.ledger import Ledger
from engine.processes import handing_over
from engine.processes.feed import FileFeed
from engine.users.events import open_events
from tests.integration.live import House, Seen, call
from tests.partners import Answers, Partner, running

BIN = Path(sys.executable).parent
PATIENCE_S = 60.0
USERS = 300
JOURNEY = {"steps": [call("greet", "api"), call("bye", "api")]}
DAY_US = 86_400 * MICROSECONDS


class Told(Seen):
    """What was told of a run: its steps in order, and the progress."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[str, int, str]] = []
        self.what: list[str] = []
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
    return subprocess.Popen(
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
                "paths": [{"when": "user.plan == 'gold'", "steps": [call("gold", "api")]}],
            },
            call("bye", "api", on_failure="exit"),
        ],
    }
    api.answer("/bye/b", 500)
    outcomes = []
    for name, beside in (("alone", False), ("beside", True)):
        folder = tmp_path / name
        folder.mkdir()
        house = _house(folder, api)
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
