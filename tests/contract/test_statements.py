"""The hot statements find their rows by a key, whole; what the tables hold, they check."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import engine.db
from engine.db.connect import Database
from engine.db.schema import alembic_config, open_database
from engine.db.statements import statement, write_rows
from tests.databases import by_hand

BUCKETS = json.dumps(list(range(256)))
USERS = json.dumps([[1, "a"], [2, "b"]])

SEARCHES: dict[str, dict[str, str]] = {
    "due_passages": {
        "e": "enrollments_due (bucket=? AND wake_at>? AND wake_at<?)",
        "u": "PRIMARY KEY (bucket=? AND id=?)",
    },
    "due_calls": {
        "c": "calls_due (bucket=? AND endpoint=? AND journey=? AND next_try_at<?)",
        "e": "PRIMARY KEY (bucket=? AND id=?)",
        "u": "PRIMARY KEY (bucket=? AND id=?)",
    },
    "earlier_passages": {"e": "enrollments_passage (bucket=? AND user_id=? AND journey=?)"},
    "passages_of_users": {
        "e": "enrollments_passage (bucket=? AND user_id=?)",
        "u": "PRIMARY KEY (bucket=? AND id=?)",
        "c": "PRIMARY KEY (bucket=? AND enrollment=?)",
    },
    "inbox_rows": {"i": "PRIMARY KEY (bucket=?)"},
    "delete_inbox": {"inbox": "PRIMARY KEY (bucket=? AND id=?)"},
    "last_seqs": {"f": "PRIMARY KEY (bucket=? AND user_id=?)"},
    "known_messages": {"f": "facts_message (bucket=? AND user_id=? AND message_id=?)"},
    "past_events": {
        "f": "facts_named (bucket=? AND user_id=? AND name=?",
        "n": "facts_named (bucket=? AND user_id=? AND name=?)",
    },
    "load_users": {"u": "PRIMARY KEY (bucket=? AND id=?)"},
    "load_links": {"l": "PRIMARY KEY (bucket=? AND id=?)"},
    "passage": {
        "e": "PRIMARY KEY (bucket=? AND id=?)",
        "u": "PRIMARY KEY (bucket=? AND id=?)",
        "c": "PRIMARY KEY (bucket=? AND enrollment=?)",
    },
    "next_wake": {"e": "enrollments_due (bucket=? AND wake_at>?)"},
    "next_call": {"c": "calls_due (bucket=? AND endpoint=? AND journey=? AND next_try_at>?)"},
    "update_enrollment": {"enrollments": "PRIMARY KEY (bucket=? AND id=?)"},
    "delete_call": {
        "calls": "PRIMARY KEY (bucket=? AND enrollment=? AND step=? AND visit=? AND redrive=?)"
    },
    "keep_failed_call": {
        "calls": "PRIMARY KEY (bucket=? AND enrollment=? AND step=? AND visit=? AND redrive=?)"
    },
    "retry_call": {
        "calls": "PRIMARY KEY (bucket=? AND enrollment=? AND step=? AND visit=? AND redrive=?)"
    },
    "start_call": {
        "calls": "PRIMARY KEY (bucket=? AND enrollment=? AND step=? AND visit=? AND redrive=?)"
    },
    "move_run": {"runs": "(id=?)"},
    "newest_run": {"runs": "runs_journey (journey=? AND source=?)"},
}
"""What each hot statement must find each of its tables by."""

INSERTS = {
    "add_count",
    "insert_call",
    "insert_enrollment",
    "insert_execution",
    "insert_fact",
    "insert_inbox",
    "insert_refusal",
    "open_run",
    "upsert_date_fire",
    "upsert_schedule_fire",
    "upsert_user",
}
"""They look for nothing: SQLite plans no search for a plain row."""


def _plan(database: Database, name: str) -> list[str]:
    """The lines of a statement's query plan."""
    text = statement(name)
    numbered = re.findall(r"\?(\d+)", text)
    count = max(map(int, numbered)) if numbered else re.sub("--.*", "", text).count("?")
    with database.read() as connection:
        rows = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + text, (None,) * count)
        return [row[3] for row in rows]


@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_a_hot_statement_finds_its_rows_by_its_whole_key(database: Database, name: str) -> None:
    plan = _plan(database, name)
    for table, by in SEARCHES[name].items():
        found = [line for line in plan if line.startswith(f"SEARCH {table} ")]
        assert len(found) == 1, plan
        assert by in found[0], plan
    scanned = [line for line in plan if line.startswith("SCAN") and "VIRTUAL TABLE" not in line]
    given = {"SCAN CONSTANT ROW", "SCAN new"}  # the rows of a set
    assert set(scanned) <= given, plan
    assert not any("AUTOMATIC" in line for line in plan), plan


@pytest.mark.parametrize("name", sorted(INSERTS))
def test_an_insert_searches_nothing(database: Database, name: str) -> None:
    assert _plan(database, name) == []


def test_due_rows_come_in_order_without_sorting(database: Database) -> None:
    for name in ("due_passages", "due_calls"):
        assert not any("TEMP B-TREE" in line for line in _plan(database, name))


def test_every_statement_can_be_prepared(database: Database) -> None:
    folder = Path(engine.db.__file__).parent / "sql" / "sqlite"
    names = {path.stem for path in folder.glob("*.sql")}
    assert SEARCHES.keys() | INSERTS <= names
    for name in names:
        _plan(database, name)


def test_earlier_passages_are_searched_with_statistics_too(database: Database) -> None:
    """A planner that knows the tables must not think better of it."""
    with database.write() as connection:
        row = "({b}, {i}, 'u{i}', 'j', '', {i}, 1, 1, 2, 0, -1, 0, NULL, 1, 1, 'x', '{{}}', NULL)"
        rows = ", ".join(row.format(b=i % 4, i=i) for i in range(1, 2000))
        connection.exec_driver_sql(f"INSERT INTO enrollments VALUES {rows}")
        connection.exec_driver_sql("ANALYZE")
    database.engine.dispose()
    for name, tables in SEARCHES.items():
        plan = _plan(database, name)
        if "e" in tables:
            assert any(tables["e"] in line for line in plan if line.startswith("SEARCH e ")), plan


# --- the schema ------------------------------------------------------------------------------


def _texts(path: Path) -> dict[tuple[str, str], str]:
    with by_hand(path) as connection:
        rows = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    return {(kind, name): " ".join((sql or "").split()) for kind, name, sql in rows}


def test_a_made_and_a_migrated_database_are_the_same(tmp_path: Path) -> None:
    from alembic import command

    made, migrated = tmp_path / "made.db", tmp_path / "migrated.db"
    open_database(f"sqlite:///{made}").close()
    command.upgrade(alembic_config(migrated), "head")
    assert _texts(made) == _texts(migrated)


ENROLLMENT = {
    "bucket": 1,
    "id": 10,
    "user_id": "u1",
    "journey": "j",
    "key": "",
    "slot": 0,
    "version_id": 1,
    "run_id": 1,
    "state": 0,
    "reason": 0,
    "position": 0,
    "started": 0,
    "wake_at": 5,
    "entered_at": 1,
    "ended_at": None,
    "outcome": None,
    "data": "{}",
}


def _insert(database: Database, **changed: object) -> None:
    row = ENROLLMENT | changed
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    with database.write() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO enrollments ({names}) VALUES ({marks})", tuple(row.values())
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": 2, "ended_at": 5, "wake_at": None},
        {"state": 2, "outcome": "x", "slot": 10, "wake_at": None},
        {"state": 0, "ended_at": 5},
        {"state": 1, "wake_at": 5},
        {"state": 2, "ended_at": 5, "outcome": "x", "slot": 10, "wake_at": 5},
        {"outcome": "x", "slot": 0},
        {"slot": 10},
        {"state": 3},
        {"state": -1},
        {"state": 2, "ended_at": 5, "outcome": "x", "slot": 11, "wake_at": None},
    ],
)
def test_a_state_that_cannot_be_is_refused(database: Database, wrong: dict[str, object]) -> None:
    with pytest.raises(Exception, match="CHECK constraint failed: state_fits"):
        _insert(database, **wrong)


@pytest.mark.parametrize(
    "right",
    [
        {},
        {"wake_at": None},
        {"state": 1, "wake_at": None},
        {"state": 1, "wake_at": None, "outcome": "x", "slot": 10},
        {"state": 2, "wake_at": None, "ended_at": 5, "outcome": "x", "slot": 10},
    ],
)
def test_a_state_that_can_be_is_taken(database: Database, right: dict[str, object]) -> None:
    _insert(database, **right)


def test_a_user_has_one_live_passage_for_each_journey_and_key(database: Database) -> None:
    _insert(database)
    _insert(database, id=11, key="other")
    _insert(database, id=12, journey="other")
    _insert(database, id=13, state=2, ended_at=5, outcome="x", slot=13, wake_at=None)
    _insert(database, id=14, state=2, ended_at=5, outcome="x", slot=14, wake_at=None)
    with pytest.raises(Exception, match="UNIQUE constraint failed"):
        _insert(database, id=15)


@pytest.mark.parametrize("rows", [0, 1, 4, 5, 16, 63, 64, 65, 256, 300])
def test_a_set_of_any_size_is_written_whole(database: Database, rows: int) -> None:
    some = [(n % 256, f"u{n}", None, "{}", "[1]") for n in range(rows)]
    with database.write() as connection:
        write_rows(connection, "upsert_user", some)
        written = connection.exec_driver_sql(
            "SELECT bucket, id, timezone, attributes, contacts FROM users"
        )
        assert sorted(tuple(row) for row in written) == sorted(some)


@pytest.mark.parametrize("alike", [0, 1, 99])
def test_what_rows_have_alike_is_written_in_each_of_them(database: Database, alike: int) -> None:
    """Up to the row ``alike`` all are the same but for their keys, from then on none is."""

    def of(n: int) -> tuple[object, ...]:
        same = n < alike
        body = b"{}" if same else b"%d" % n
        last = ("k", 5, "j") if same else (f"k{n}", None if n % 2 else n, f"j{n}")
        return (n % 256, n, 1, 1, 7, "api", "POST", f"/{n}", "[]", None, body, *last)

    rows = [of(n) for n in range(99)]
    with database.write() as connection:
        write_rows(connection, "insert_call", rows)
        retried = [(n % 256, n, 1, 1, 0, 1, 2, None, n % 2, "call.timeout") for n in range(99)]
        write_rows(connection, "retry_call", retried)
        written = connection.exec_driver_sql(
            "SELECT bucket, enrollment, step, visit, run_id, endpoint, method, target, headers,"
            " content_type, body, key, redrive, attempts, tries, first_at, next_try_at, failure,"
            " journey FROM calls ORDER BY enrollment"
        )
        tried = [(0, 1, 2, None, n % 2, "call.timeout") for n in range(99)]
        found = [(*row[:10], bytes(row[10]), *row[11:]) for row in written]
        assert found == [(*row[:12], *said, row[13]) for row, said in zip(rows, tried, strict=True)]
        gone = [(n % 256, n, 1, 1, 0) for n in range(1, 99)]
        write_rows(connection, "delete_call", gone)
        left = connection.exec_driver_sql("SELECT enrollment FROM calls").all()
        assert [tuple(row) for row in left] == [(0,)]
