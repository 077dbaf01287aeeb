from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.db.connect import Connection, Database
from engine.db.schema import open_database
from engine.enrollments import reports, store
from engine.enrollments.store import runs
from engine.enrollments.summary import Summary
from engine.errors import NotFound
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
RUN, NOW = 77, 1_790_000_000_000_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = open_database(database_url(tmp_path))
    with made.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO versions (id, journey, number, hash, source, triggers_on, published_at,"
            " published_by) VALUES (5, 'j', 3, 'h', ?, FALSE, 1, 'ann')",
            (SOURCE,),
        )
        runs.open_run(connection, _run(RUN, {"crm-oauth": 4}), now=NOW)
    yield made
    made.close()


def _run(run_id: int, tokens: dict[str, int]) -> runs.Run:
    return runs.Run(
        id=run_id,
        journey="j",
        version_id=5,
        source="s",
        state=runs.OPEN,
        position=3,
        total=3,
        skipped=0,
        token_base=tokens,
    )


def count(connection: Connection, bucket: int, step: int, kind: int, name: str, n: int) -> None:
    attempts = 2 * n if kind in (store.SUCCEEDED, store.FAILED) and step == 0 else 0
    connection.exec_driver_sql(
        "INSERT INTO step_counts (bucket, run_id, version_id, step, kind, name, n, attempts)"
        " VALUES (?, ?, 5, ?, ?, ?, ?, ?)",
        (bucket, RUN, step, kind, name, n, attempts),
    )


def passage(connection: Connection, id_: int, *, state: int, wake_at: int | None) -> None:
    outcome = "completed" if state == 2 else None
    connection.exec_driver_sql(
        "INSERT INTO enrollments (bucket, id, user_id, journey, key, slot, version_id, run_id,"
        " state, reason, position, started, wake_at, entered_at, ended_at, outcome, data)"
        " VALUES (1, ?, ?, 'j', '', ?, 5, ?, ?, 1, 1, 1, ?, 1, ?, ?, '{}')",
        (id_, f"u{id_}", id_ if outcome else 0, RUN, state, wake_at, outcome and 2, outcome),
    )


def summary(database: Database) -> Summary:
    with database.read() as connection:
        return reports.summary(connection, reports.find_run(connection, "j", RUN), Versions())


def test_counts_of_all_buckets_add_up(database: Database) -> None:
    with database.write() as connection:
        for bucket in (1, 200):
            count(connection, bucket, -1, store.ADMITTED, "", 10)
            count(connection, bucket, -1, store.REFUSED, "once", 2)
            count(connection, bucket, -1, store.OUTCOME, "completed", 6)
            count(connection, bucket, -1, store.OUTCOME, "held_out", 1)
            count(connection, bucket, 0, store.ENTERED, "", 9)
            count(connection, bucket, 0, store.SUCCEEDED, "", 5)
            count(connection, bucket, 0, store.FAILED, "call.client_error", 3)
            count(connection, bucket, 1, store.ENTERED, "", 8)
            count(connection, bucket, 1, store.SUCCEEDED, "", 6)
    found = summary(database)
    assert (found.journey, found.version) == ("j", 3)
    assert (found.entered, found.finished, found.waiting, found.refused) == (20, 14, 6, 4)
    assert found.outcomes == {"completed": 12, "held_out": 2}
    ask, rest = found.steps["ask"], found.steps["rest"]
    assert (ask.entered, ask.succeeded, ask.failed, ask.waiting) == (18, 10, 6, 2)
    assert (rest.entered, rest.succeeded, rest.waiting) == (16, 12, 4)
    assert (found.calls.succeeded, found.calls.failed, found.calls.attempts) == (10, 6, 32)


def test_requests_of_calls_that_will_be_tried_again_count_as_attempts(database: Database) -> None:
    with database.write() as connection:
        for step, next_try_at in ((0, 5), (1, None)):
            connection.exec_driver_sql(
                "INSERT INTO calls (bucket, enrollment, step, visit, redrive, run_id, endpoint,"
                " method, target, headers, body, key, attempts, tries, next_try_at)"
                " VALUES (1, 1, ?, 1, 0, ?, 'crm', 'POST', '/', '[]', '', 'k', 2, 2, ?)",
                (step, RUN, next_try_at),
            )
    assert summary(database).calls.attempts == 2


def test_the_step_limit_is_a_failed_step_and_no_failed_call(database: Database) -> None:
    with database.write() as connection:
        count(connection, 1, 0, store.FAILED, "journey.step_limit", 1)
    found = summary(database)
    assert (found.failed, found.calls.failed) == (1, 0)


def test_whom_nothing_will_move_is_stuck(database: Database) -> None:
    with database.write() as connection:
        count(connection, 1, -1, store.ADMITTED, "", 3)
        passage(connection, 1, state=0, wake_at=99)
        passage(connection, 2, state=0, wake_at=None)
        passage(connection, 3, state=1, wake_at=None)
        connection.exec_driver_sql(
            "INSERT INTO calls (bucket, enrollment, step, visit, redrive, run_id, endpoint, method,"
            " target, headers, body, key, attempts, tries, next_try_at)"
            " VALUES (1, 3, 0, 1, 0, ?, 'crm', 'POST', '/', '[]', '', 'k', 0, 0, 5)",
            (RUN,),
        )
        run = reports.find_run(connection, "j")
        assert reports.next_wake(connection, run) == 99
    found = summary(database)
    assert (found.waiting, found.stuck) == (3, 1)


def test_the_most_frequent_failures_have_a_user_as_example(database: Database) -> None:
    codes = {"call.client_error": 3, "call.timed_out": 9, "call.blocked": 1, "call.unknown": 2}
    with database.write() as connection:
        passage(connection, 1, state=2, wake_at=None)
        for code, n in codes.items():
            count(connection, 1, 0, store.FAILED, code, n)
        connection.exec_driver_sql(
            "INSERT INTO executions (bucket, enrollment, step, visit, redrive, status, failure,"
            " text, attempts, started_at, ended_at)"
            " VALUES (1, 1, 0, 1, 0, 2, 'call.timed_out', 'no answer', 3, 1, 2)"
        )
    found = summary(database).failures
    assert [(one.code, one.times) for one in found] == [
        ("call.timed_out", 9),
        ("call.client_error", 3),
        ("call.unknown", 2),
    ]
    assert (found[0].step, found[0].user, found[0].text) == ("ask", "u1", "no answer")


def test_token_requests_are_those_of_the_run_and_end_with_it(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO auth_profiles (id, name, title, kind, settings, origins, version, inline,"
            " changed_at) VALUES (1, 'crm-oauth', '', 'oauth2', '{}', '[]', 1, FALSE, 1)"
        )
        connection.exec_driver_sql(
            "INSERT INTO token_states (profile_id, profile_version, fence, lease_until,"
            " sealed_fence, soft_expiry, hard_expiry, failures, next_try_at, forced_count,"
            " next_forced_at, requests) VALUES (1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6)"
        )
    assert summary(database).tokens == {"crm-oauth": 2}
    with database.write() as connection:
        runs.finish_run(connection, RUN, now=NOW)
        connection.exec_driver_sql("UPDATE token_states SET requests = 60")
    assert summary(database).tokens == {"crm-oauth": 2}
    with database.read() as connection:
        assert reports.find_run(connection, "j").finished


def test_the_newest_run_is_found_and_others_by_id(database: Database) -> None:
    with database.write() as connection:
        runs.open_run(connection, _run(RUN + 1, {}), now=NOW)
        assert reports.find_run(connection, "j").id == RUN + 1
        assert reports.find_run(connection, "j", RUN).id == RUN
        with pytest.raises(NotFound, match="its newest is 78"):
            reports.find_run(connection, "j", 1)
        with pytest.raises(NotFound, match="journeys with runs: j"):
            reports.find_run(connection, "k")


def test_a_second_launch_of_what_is_finished_enters_nobody() -> None:
    first = Summary("j", 1, entered=5, finished=5, refusals={"once": 2}, outcomes={"completed": 5})
    again = first.run_before()
    assert (again.entered, again.refusals, again.finished) == (0, {"already_ran": 7}, 5)
    assert json.dumps(again.outcomes) == '{"completed": 5}'
