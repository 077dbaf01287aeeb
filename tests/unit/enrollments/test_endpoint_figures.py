from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.db.connect import Connection, Database
from engine.db.schema import open_database
from engine.enrollments import store
from engine.enrollments.endpoint_figures import (
    EndpointFigures,
    FailedCalls,
    endpoint_figures,
    failed_calls,
)
from engine.versions.store import Versions
from tests.databases import database_url

pytestmark = pytest.mark.usefixtures("either_database")

SOURCE = """\
dsl: 1
journey: j
steps:
  - {id: ask, type: call_api, endpoint: crm}
  - {id: rest, type: wait, for: P1D}
"""
NOW, MS = 1_790_000_000_000_000, 1_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = open_database(database_url(tmp_path))
    with made.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO versions (id, journey, number, hash, source, triggers_on, published_at,"
            " published_by) VALUES (5, 'j', 1, 'h', ?, FALSE, 1, 'ann')",
            (SOURCE,),
        )
    yield made
    made.close()


def counted(connection: Connection, bucket: int, step: int, kind: int, name: str, n: int) -> None:
    connection.exec_driver_sql(
        "INSERT INTO step_counts (bucket, run_id, version_id, step, kind, name, n, attempts)"
        " VALUES (?, 0, 5, ?, ?, ?, ?, ?)",
        (bucket, step, kind, name, n, n if step == 0 else 0),
    )


def taken(connection: Connection, id_: int, step: int, length: int, ended: int = NOW) -> None:
    bucket = id_ % 256
    connection.exec_driver_sql(
        "INSERT INTO enrollments (bucket, id, user_id, journey, key, slot, version_id, run_id,"
        " state, reason, position, started, entered_at, ended_at, outcome, data)"
        " VALUES (?, ?, ?, 'j', '', ?, 5, 0, 2, 0, 0, 0, 1, 2, 'completed', '{}')",
        (bucket, id_, f"u{id_}", id_),
    )
    connection.exec_driver_sql(
        "INSERT INTO executions (bucket, enrollment, step, visit, redrive, status, attempts,"
        " started_at, ended_at) VALUES (?, ?, ?, 0, 0, 1, ?, ?, ?)",
        (bucket, id_, step, 1 if step == 0 else 0, ended - length, ended),
    )


def test_calls_and_failures_are_those_that_were_counted_of_all_buckets(database: Database) -> None:
    with database.write() as connection:
        counted(connection, 1, 0, store.SUCCEEDED, "", 7)
        counted(connection, 2, 0, store.SUCCEEDED, "", 3)
        counted(connection, 2, 0, store.FAILED, "call.timed_out", 2)
        counted(connection, 2, 0, store.FAILED, "journey.step_limit", 1)
        counted(connection, 2, 1, store.SUCCEEDED, "", 9)
        found = endpoint_figures(connection, Versions(), since=0)
    assert found == {"crm": EndpointFigures(calls=12, failed=2, attempts=13)}


def test_half_and_ninety_nine_of_a_hundred_took_no_longer(database: Database) -> None:
    with database.write() as connection:
        for n in range(1, 101):
            taken(connection, n, 0, n * MS)
        taken(connection, 101, 1, 5_000 * MS)
        taken(connection, 102, 0, 9_000 * MS, ended=NOW - 10)
        found = endpoint_figures(connection, Versions(), since=NOW)["crm"]
    assert (found.sampled, found.p50, found.p99) == (100, 50 * MS, 99 * MS)


def test_failed_calls_are_told_by_endpoint_and_failure_the_most_first(database: Database) -> None:
    with database.write() as connection:
        for n, failure in enumerate(("call.timed_out", "http.500", "http.500")):
            connection.exec_driver_sql(
                "INSERT INTO calls (bucket, enrollment, step, visit, redrive, run_id, endpoint,"
                " method, target, headers, body, key, attempts, tries, failure, finished_at)"
                " VALUES (1, ?, 0, 0, 0, 0, 'crm', 'GET', '/', '[]', ?, 'k', 1, 1, ?, ?)",
                (n, b"", failure, NOW + n),
            )
        found = failed_calls(connection)
    assert found == [
        FailedCalls("crm", "http.500", 2, NOW + 2),
        FailedCalls("crm", "call.timed_out", 1, NOW),
    ]
