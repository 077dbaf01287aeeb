"""Errors and crashes at any moment, by seed: nobody is lost, nobody is served twice."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from engine.core.dsl.check import load_and_check
from engine.core.steps.base import Status
from engine.db.schema import open_database
from engine.endpoints import store as endpoints
from engine.endpoints.model import Endpoint
from engine.enrollments.rows import STATUS
from engine.enrollments.store import runs
from engine.processes import supply, worker
from engine.users.row import UserRow
from engine.versions.publish import publish
from tests.properties.simulated_world import Life, restless

USERS = 14
SEEDS = [seed if seed < 10 else pytest.param(seed, marks=pytest.mark.soak) for seed in range(100)]
DAY = 86_400_000_000
RETRY = {"attempts": 60, "delay": "PT1S", "max_delay": "PT10S", "within": "P30D"}
JOURNEY: dict[str, Any] = {
    "dsl": 1,
    "journey": "j",
    "steps": [
        {"id": "count", "type": "set", "values": {"user.n": "{{ user.n | default(0) + 1 }}"}},
        {
            "id": "ask",
            "type": "call_api",
            "endpoint": "api",
            "path": "/ask/{{ user.id }}",
            "body": {"visit": "{{ visits('ask') }}"},
            "outputs": {"vars.x": "response.body.x"},
        },
        {"id": "rest", "type": "wait", "for": "P1D", "when": "user.sleepy"},
        {
            "id": "once",
            "type": "call_api",
            "endpoint": "once",
            "path": "/once/{{ user.id }}",
        },
        {
            "id": "back",
            "type": "branch",
            "paths": [{"name": "b", "when": "user.twice and visits('back') < 2", "next": "ask"}],
        },
    ],
    "on_exit": [{"id": "bye", "type": "call_api", "endpoint": "api", "path": "/bye/{{ user.id }}"}],
}
STEPS = ["count", "ask", "rest", "once", "back", "bye"]


def _refusals(target: str) -> int:
    """How often the first requests of a call are refused before it succeeds."""
    return crc32(target.encode()) % 3


def _fails(target: str) -> bool:
    return crc32(target.encode()) % 7 == 6


def _answer(target: str, number: int) -> tuple[int, object]:
    if _fails(target):
        return 404, {}
    if target.startswith("/once/") or number > _refusals(target):
        return 200, {"x": 1}
    return 503, {}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the journey published, its endpoints, and a run over the users."""
    path = tmp_path_factory.mktemp("template") / "engine.db"
    source = json.dumps(JOURNEY).encode()
    checked = load_and_check(source, "j.yaml").checked
    with closing(open_database(f"sqlite:///{path}")) as database:
        with database.write() as connection:
            for name, more in (("api", {"concurrency": 3}), ("once", {"delivery": "at_most_once"})):
                written = {"name": name, "base_url": "http://127.0.0.1:9", "retry": RETRY, **more}
                endpoint = Endpoint.model_validate(written)
                endpoints.save(connection, endpoint, now=1, actor="test")
            version = publish(connection, "j", source, checked.endpoints, now=1, actor="test")
            run = runs.Run(5, "j", version, "users", runs.OPEN, 0, USERS, 0, {})
            runs.open_run(connection, run, now=1)
        with database.untouched() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def _users(lots: random.Random) -> list[UserRow]:
    return [
        UserRow(
            n + 2,
            f"u{n}",
            None,
            {"sleepy": lots.random() < 0.3, "twice": lots.random() < 0.3},
            {},
        )
        for n in range(USERS)
    ]


def _expected(user: UserRow) -> list[tuple[str, int, Status | None]]:
    """The steps a user takes: (step, visit, status); None where a crash may decide."""
    taken: list[tuple[str, int, Status | None]] = [("count", 1, "succeeded")]
    for visit in (1, 2) if user.attributes["twice"] else (1,):
        asked: Status = "failed" if _fails(f"/ask/{user.id}") else "succeeded"
        once: Status | None = "failed" if _fails(f"/once/{user.id}") else None
        rested: Status = "succeeded" if user.attributes["sleepy"] else "skipped"
        taken += [("ask", visit, asked), ("rest", visit, rested), ("once", visit, once)]
        taken.append(("back", visit, "succeeded"))
    bye: Status = "failed" if _fails(f"/bye/{user.id}") else "succeeded"
    return [*taken, ("bye", 1, bye)]


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_is_lost_and_nobody_served_twice(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    lots = random.Random(seed)
    monkeypatch.setattr(supply, "ARRIVALS_PER_TURN", lots.choice([1, 3, 100]))
    monkeypatch.setattr(supply, "LIGHT_ARRIVALS_PER_TURN", lots.choice([1, 3, 100]))
    monkeypatch.setattr(worker, "ANSWERS_PER_TURN", lots.choice([1, 4, 100]))
    monkeypatch.setattr(worker, "SLEEPERS_PER_TURN", lots.choice([1, 2, 100]))
    path = tmp_path / "engine.db"
    shutil.copy(template, path)
    users = _users(lots)
    life = Life(seed, path, users, _answer)
    with restless():
        life.live()
    with closing(sqlite3.connect(path)) as connection:
        _check(connection, life, users)


def _check(connection: sqlite3.Connection, life: Life, users: list[UserRow]) -> None:
    query = connection.execute
    passages = query("SELECT user_id, id, state, outcome FROM enrollments").fetchall()
    assert sorted(passage[0] for passage in passages) == sorted(user.id for user in users)
    assert {passage[2:] for passage in passages} == {(2, "completed")}
    by_user = {passage[0]: passage[1] for passage in passages}
    for user in users:
        rows = query(
            "SELECT step, visit, status, started_at, ended_at, failure FROM executions"
            " WHERE enrollment = ?",
            (by_user[user.id],),
        ).fetchall()
        found = {
            (STEPS[step], visit): (status, failure) for step, visit, status, _, _, failure in rows
        }
        expected = _expected(user)
        assert found.keys() == {(step, visit) for step, visit, _ in expected}
        for step, visit, status in expected:
            known, failure = found[step, visit]
            if status is not None and step != "once":
                assert known == STATUS[status], (user.id, step)
            elif known == STATUS["failed"]:
                assert failure in ("call.unknown", "call.client_error")
        for step, _, status, started, ended, _ in rows:
            if STEPS[step] == "rest" and status == STATUS["succeeded"]:
                assert ended - started >= DAY, "nobody is woken early"
        (text,) = query("SELECT attributes FROM users WHERE id = ?", (user.id,)).fetchone()
        assert json.loads(text)["n"] == 1, "what he writes is written once"
    _check_calls(connection, life, users)
    _check_counts(connection)


def _check_calls(connection: sqlite3.Connection, life: Life, users: list[UserRow]) -> None:
    bodies: dict[str, set[tuple[str, bytes]]] = {}
    for key, target, body in life.wire.log:
        bodies.setdefault(key, set()).add((target, body))
    assert all(len(same) == 1 for same in bodies.values()), "a repeat is the first request again"
    needed = 0
    for user in users:
        for step, _, _ in _expected(user):
            target = f"/{step}/{user.id}"
            if step in ("ask", "bye"):
                needed += 1 if _fails(target) else 1 + _refusals(target)
    many = [n for key, n in life.wire.sent.items() if "/once/" in next(iter(bodies[key]))[0]]
    assert set(many) <= {1}, "at most once"
    others = len(life.wire.log) - len(many)
    assert others >= sum(1 for user in users for s, _, _ in _expected(user) if s in ("ask", "bye"))
    assert others <= needed + life.may_repeat
    kept = connection.execute("SELECT count(*) FROM calls WHERE next_try_at IS NOT NULL")
    assert kept.fetchone() == (0,)


def _check_counts(connection: sqlite3.Connection) -> None:
    """What was counted is what happened."""
    query = connection.execute
    counted: Counter[tuple[int, int]] = Counter()
    for step, kind, n in query("SELECT step, kind, n FROM step_counts"):
        counted[step, kind] += n
    rows = query("SELECT step, status, count(*) FROM executions GROUP BY 1, 2")
    executed = {(step, status): n for step, status, n in rows}
    for (step, status), n in executed.items():
        assert counted[step, status] == n
    assert counted[-1, 7] == counted[-1, 5] == USERS
    for step in range(len(STEPS)):
        entered = sum(n for (s, _), n in executed.items() if s == step)
        assert counted[step, 0] == entered
