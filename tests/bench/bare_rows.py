"""The bare limit of what is written down: the same rows by the SQLite driver's ``executemany``.

Into a new database with the same tables and indexes, as durable, in transactions of as many users.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import cast

from engine.db.schema import open_database

PASSAGES = ("users", "enrollments", "executions")
"""The tables that hold what became of users."""


def bare_seconds(written: Path, tables: tuple[str, ...], sets: int) -> float:
    """How long it takes to write all rows of ``tables`` of the database ``written``.

    They go in ``sets`` transactions, each with its share of every table, passages in the order in
    which they were entered and steps beside their passage.
    """
    with closing(sqlite3.connect(written)) as source:
        rows = {table: source.execute(_select(table)).fetchall() for table in tables}
    fresh = written.with_name("bare.db")
    with closing(open_database(f"sqlite:///{fresh}")) as database:
        pooled = database.engine.raw_connection()
        target = cast("sqlite3.Connection", pooled.dbapi_connection)
        inserts = {table: _insert(table, every) for table, every in rows.items()}
        since = time.perf_counter()
        for turn in range(sets):
            target.execute("BEGIN IMMEDIATE")
            for table, every in rows.items():
                start, end = (len(every) * n // sets for n in (turn, turn + 1))
                target.executemany(inserts[table], every[start:end])
            target.execute("COMMIT")
        took = time.perf_counter() - since
        pooled.close()
    fresh.unlink()
    return took


def _select(table: str) -> str:
    if table == "users":
        return (
            "SELECT u.* FROM users AS u LEFT JOIN enrollments AS e"
            " ON e.bucket = u.bucket AND e.user_id = u.id ORDER BY e.id"
        )
    order = {"enrollments": "id", "executions": "enrollment", "inbox": "id"}[table]
    return f"SELECT * FROM {table} ORDER BY {order}"


def _insert(table: str, rows: list[tuple[object, ...]]) -> str:
    marks = ", ".join("?" * len(rows[0])) if rows else "NULL"
    return f"INSERT INTO {table} VALUES ({marks})"
