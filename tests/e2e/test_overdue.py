"""Nobody worked for two days: who is overdue goes on in order, and within all limits."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.durations import DAY, SECOND
from engine.db.schema import open_database
from engine.users.incoming import IncomingEvent
from tests.e2e.sharing import Fleet, fleet, until
from tests.partners import Answers, running
from tests.postgresql import Server

CONCURRENCY = 4
JOURNEY = """\
dsl: 1
journey: {name}
entry: {{triggers: [{{event: hello, where: "event.to == '{name}'"}}]}}
steps:
  - {{id: sleep, type: wait, for: 1d}}
  - {{id: call, type: call_api, endpoint: {name}, path: "/{{{{ user.id }}}}", body: {{n: 1}}}}
  - {{id: done, type: exit, outcome: served}}
"""
ENDPOINTS = """\
endpoints:
  limited:
    base_url: '{limited}'
    concurrency: {concurrency}
    rate_limit: {{count: {rate}, per: 1s}}
  broken:
    base_url: '{broken}'
    circuit_breaker: {{failures: 5, open_for: 2s}}
    on_auth_failure: hold
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Server | None:
    if request.param == "sqlite":
        return None
    found: Server = request.getfixturevalue("postgresql")
    return found


def oversleep(here: Fleet, order: list[str], now: int) -> None:
    """Let everybody's time have come, in this order, in the two days before ``now``."""
    rows = []
    for place, user in enumerate(order):
        due = now - 2 * DAY + place * 2 * DAY // len(order)
        rows.append((due, due - DAY, due - DAY, bucket_of(user), user))
    database = open_database(here.url)
    with database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE enrollments SET wake_at = ?, started = ?, entered_at = ?"
            " WHERE bucket = ? AND user_id = ?",
            rows,
        )
    database.close()


def sent(log: Answers) -> dict[str, list[tuple[int, int]]]:
    """For each user, when he was called and what was answered."""
    found: dict[str, list[tuple[int, int]]] = {}
    for request in log.log:
        found.setdefault(request.path[1:], []).append((request.at, request.status))
    return found


@pytest.mark.parametrize(
    ("users", "rate"),
    [
        pytest.param(400, 100, id="ci"),
        pytest.param(10_000, 1_000, id="full", marks=pytest.mark.soak),
    ],
)
def test_two_days_off_cost_nobody_his_place_his_call_or_his_limit(
    tmp_path: Path, server: Server | None, users: int, rate: int
) -> None:
    names = {name: [f"{name}-{n}" for n in range(users // 2)] for name in ("limited", "broken")}
    with (
        running(Answers()) as limited,
        running(Answers()) as broken,
        fleet(tmp_path, server) as here,
    ):
        urls = {"limited": limited.url, "broken": broken.url}
        here.write("e.yaml", ENDPOINTS.format(**urls, rate=rate, concurrency=CONCURRENCY))
        assert here.call("journey", "apply", "e.yaml").code == 0
        for name, those in names.items():
            here.write(f"{name}.yaml", JOURNEY.format(name=name))
            assert here.call("journey", "publish", f"{name}.yaml").code == 0
            here.send([IncomingEvent(user, "hello", {"to": name}) for user in those])
        (worker,) = here.begin()
        until(lambda: here.query("SELECT count(*) FROM enrollments") == [(users,)], worker)
        assert worker.ends(signal.SIGTERM) == 143

        order = [*names["limited"], *names["broken"]]
        random.Random(1).shuffle(order)
        oversleep(here, order, time.time_ns() // 1000)
        broken.change(status=503)
        began = time.monotonic()
        (worker,) = here.begin()
        until(lambda: len(broken.log) >= 5, worker)
        broken.change(status=None)
        until(lambda: here.served() == users, worker)
        took = time.monotonic() - began

        assert here.query("SELECT status, count(*) FROM executions GROUP BY 1") == [(1, 3 * users)]
        asked = sent(limited)
        assert {user: len(each) for user, each in asked.items()} == dict.fromkeys(
            names["limited"], 1
        )
        at = sorted(each[0][0] for each in asked.values())
        assert all(later - at[n] >= SECOND for n, later in enumerate(at[rate:]))
        place = {request.path[1:]: n for n, request in enumerate(limited.log)}
        last: dict[int, str] = {}
        for user in order:
            if user in place:
                before = last.get(bucket_of(user))
                assert before is None or place[before] < place[user] + CONCURRENCY, user
                last[bucket_of(user)] = user
        told = Counter(status for each in sent(broken).values() for _, status in each)
        assert told[200] == users // 2
        assert all(each[-1][1] == 200 for each in sent(broken).values())
        print(f"{users} users in {took:.1f} s; {told[503]} calls met the server that was broken")
