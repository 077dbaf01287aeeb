"""Each hot statement is there for both databases, and PostgreSQL searches an index for it, too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import engine.db
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.db.statements import execute, statement, write_rows
from tests.postgresql import Server

SQL = Path(engine.db.__file__).parent / "sql"
NAMES = sorted(path.stem for path in (SQL / "postgresql").glob("*.sql"))

MAY_READ_ALL = {
    "everybody_ended",
    "failure_example",
    "failure_example_of_version",
    "next_wake_of_run",
    "run_counts",
    "sealed_by_key",
    "stuck_passages",
    "unfinished_attempts",
    "unfinished_runs",
    "waiting_calls",
    "runs_of_journey",
}
"""Statements of a start and of a report, over everything of a run; the others are run all day."""

FILLED = """
INSERT INTO users (bucket, id, attributes) SELECT n % 256, 'u' || n, '{}' FROM numbers;
INSERT INTO links (bucket, id, user_id, at) SELECT n % 256, 'a' || n, 'u' || n, 1 FROM numbers;
INSERT INTO enrollments (
    bucket, id, user_id, journey, key, slot, version_id, run_id, state, reason, position, started,
    wake_at, entered_at, data
) SELECT n % 256, n, 'u' || n, 'j', '', 0, 1, 1, 0, 1, 0, 0, n, 1, '{}' FROM numbers;
INSERT INTO calls (
    bucket, enrollment, step, visit, redrive, run_id, endpoint, method, target, headers, body, key,
    attempts, tries, next_try_at, journey
) SELECT n % 256, n, 0, 1, 0, 1, 'api', 'GET', '/', '[]', '', 'k', 0, 0, n, 'j' FROM numbers;
INSERT INTO executions (
    bucket, enrollment, step, visit, redrive, status, attempts, started_at, ended_at
) SELECT n % 256, n, 0, 1, 0, 1, 1, 1, 1 FROM numbers;
INSERT INTO facts (bucket, user_id, seq, kind, name, at, depth, message_id, data)
SELECT n % 256, 'u' || n, 1, 0, 'seen', n, 0, 'm' || n, '{}' FROM numbers;
INSERT INTO inbox (bucket, id, user_id, kind, name, at, data)
SELECT n % 256, n, 'u' || n, 0, 'seen', n, '{}' FROM numbers;
INSERT INTO versions (id, journey, number, hash, source, triggers_on, published_at, published_by)
VALUES (1, 'j', 1, 'h', 's', FALSE, 1, '');
INSERT INTO runs (
    id, journey, version_id, source, state, position, total, skipped, token_base, opened_at
) SELECT n, 'j' || n, 1, 's', 'open', 0, 0, 0, '{}', 1 FROM numbers WHERE n < 5000;
"""


@pytest.fixture(scope="module")
def database(postgresql: Server) -> Iterator[Database]:
    url = postgresql.create()
    with closing(postgresql.connect(url.rpartition("/")[2])) as connection:
        connection.execute("CREATE TABLE numbers AS SELECT generate_series(1, 50000) AS n")
        for text in FILLED.split(";\n"):
            connection.execute(text.encode())
        connection.execute("DROP TABLE numbers")
        connection.execute("ANALYZE")
    with closing(open_database(url)) as database:
        yield database
    postgresql.drop(url)


def _plan(database: Database, name: str) -> str:
    """The plan that is made once for whatever values come."""
    text = statement(name, "postgresql")
    if "?1" in text:
        text = re.sub(r"\?(\d+)", r"$\1", text)
    else:
        marks = iter(range(1, 100))
        text = re.sub(r"\?", lambda _: f"${next(marks)}", re.sub(r"--.*", "", text))
    with database.engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        rows = driver.execute(f"EXPLAIN (GENERIC_PLAN) {text}").fetchall()
        driver.rollback()
    return "\n".join(row[0] for row in rows)


def test_both_databases_have_the_same_statements() -> None:
    assert sorted(path.stem for path in (SQL / "sqlite").glob("*.sql")) == NAMES
    assert set(NAMES) >= MAY_READ_ALL


@pytest.mark.parametrize("name", NAMES)
def test_postgresql_searches_an_index(database: Database, name: str) -> None:
    plan = _plan(database, name)
    if name not in MAY_READ_ALL:
        scanned = re.findall(r"Seq Scan on (\w+)", plan)
        assert set(scanned) <= {"token_states"}, plan  # a row per profile: a few
        assert "Bitmap" not in plan, plan
    if name in ("due_passages", "due_calls", "inbox_rows"):
        assert "Sort" not in plan, plan


def test_due_rows_come_from_each_bucket_in_due_order(database: Database) -> None:
    with database.read() as connection:
        place = (json.dumps([7, 3]), -1, 10_000, None, 60)
        rows = execute(connection, "due_passages", place).all()
        assert [row[0] for row in rows] == [7] * 40 + [3] * 20
        wakes = [row[10] for row in rows]
        assert wakes[:40] == sorted(wakes[:40])
        calls = (json.dumps([5]), "api", "j", 10_000, 1, 10)
        rows = execute(connection, "due_calls", calls).all()
        assert [row[1] for row in rows] == [5 + 256 * n for n in range(10)]
        assert execute(connection, "next_wake", (json.dumps([0, 9]), 300, None)).scalar() == 512
        assert rows[0].body == b""


def test_bytes_texts_and_nothing_are_written_as_they_are(database: Database) -> None:
    odd = 'it\'s "odd" \\ { } ; ü 😀 \n'
    body = bytes(range(256))
    row = (9, 10**17, 1, 2, 7, "api", "POST", odd, "[]", None, body, "k", 10**15, "j")
    with database.write(alone=False) as connection:
        write_rows(connection, "insert_call", [row])
        found = connection.exec_driver_sql(
            "SELECT target, content_type, body, next_try_at FROM calls WHERE enrollment = ?",
            (10**17,),
        ).one()
        assert tuple(found) == (odd, None, body, 10**15)
        write_rows(connection, "delete_call", [(9, 10**17, 1, 2, 0)])
        left = connection.exec_driver_sql(
            "SELECT count(*) FROM calls WHERE enrollment = ?", (10**17,)
        )
        assert left.scalar_one() == 0


def test_counts_add_up_and_a_second_refusal_stands(database: Database) -> None:
    with database.write(alone=False) as connection:
        for _ in range(2):
            write_rows(connection, "add_count", [(255, 5, 1, 0, 1, "", 3, 4)])
        counted = connection.exec_driver_sql("SELECT n, attempts FROM step_counts").all()
        assert [tuple(row) for row in counted] == [(6, 8)]
        refused = (1, "u1", 0, 5, 1, -1)
        rows = [(*refused, reason, 9, None) for reason in ("once", "cooldown")]
        write_rows(connection, "insert_refusal", rows)
        assert connection.exec_driver_sql("SELECT reason FROM refusals").scalars().all() == [
            "cooldown"
        ]
