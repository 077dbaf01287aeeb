"""Thousands who wake in one moment, and a worker that is killed among them."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.durations import HOUR, SECOND
from engine.db.schema import open_database
from engine.users.incoming import IncomingEvent
from tests.e2e.sharing import Fleet, fleet, lots, until
from tests.partners import Answers, running

AHEAD_US = 3 * SECOND
WAKE_US = 150
"""About what one takes."""
MOMENT_US = SECOND // 10
JOURNEY = """\
dsl: 1
journey: greet
entry: {triggers: [{event: hello}], reentry: after_exit}
steps:
  - {id: sleep, type: wait, for: 1h}
  - {id: woken, type: set, values: {user.woken: "{{ user.woken | default(0) + 1 }}"}}
  - {id: call, type: call_api, endpoint: api, path: "/{{ user.id }}", when: user.called}
  - {id: done, type: exit, outcome: served}
"""
SIZES = [
    pytest.param(1_500, 1, id="ci"),
    pytest.param(10_000, 12, id="full", marks=pytest.mark.soak),
]


def let_all_wake(here: Fleet, users: int, begins: int) -> None:
    """Everybody's hour is over in the moment that begins then."""
    rows = []
    for number in range(users):
        due = begins + number * MOMENT_US // users
        rows.append((due, due - HOUR, due - HOUR, bucket_of(f"u{number}"), f"u{number}"))
    database = open_database(here.url)
    with database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE enrollments SET wake_at = ?, started = ?, entered_at = ?"
            " WHERE bucket = ? AND user_id = ? AND state = 0",
            rows,
        )
    database.close()


@pytest.mark.parametrize(("users", "rounds"), SIZES)
def test_a_crowd_whose_worker_is_killed_wakes_once(tmp_path: Path, users: int, rounds: int) -> None:
    by_lot = lots(users)
    with running(Answers()) as api, fleet(tmp_path, None) as here:
        here.publish(api, journey=JOURNEY)
        for number in range(1, rounds + 1):
            (worker,) = here.begin()
            here.send([IncomingEvent(f"u{n}", "hello", {}) for n in range(users)])
            there = f"SELECT count(*) FROM enrollments WHERE state = 0 HAVING count(*) = {users}"
            until(lambda: bool(here.query(there)), worker)  # noqa: B023
            worker.gone()
            here.workers.clear()
            begins = time.time_ns() // 1000 + AHEAD_US
            let_all_wake(here, users, begins)
            (worker,) = here.begin()
            killed = begins + by_lot.randrange(users * WAKE_US)
            while time.time_ns() // 1000 < killed:
                time.sleep(0.001)
            worker.gone()
            here.workers.clear()
            (worker,) = here.begin()
            asleep = "SELECT 1 FROM enrollments WHERE state <> 2 LIMIT 1"
            until(lambda: not here.query(asleep), worker)  # noqa: B023
            worker.gone()
            here.workers.clear()
            taken = here.query("SELECT step, count(*) FROM executions GROUP BY 1 ORDER BY 1")
            assert taken == [(step, number * users) for step in range(4)]
            woken = Counter(here.query("SELECT attributes FROM users"))
            assert woken == {(f'{{"woken":{number}}}',): users}
