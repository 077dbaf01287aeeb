"""How each hot statement finds its rows, on both databases: by a key, never by reading a table that
grows from end to end, or a bucket of it, and without sorting what has no bound. What does otherwise
is named, with the reason.

On PostgreSQL each table says of itself that it has ten million rows, so the planner thinks as it
will then; SQLite's knows nothing of the rows, as in an installation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

import engine.db
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.db.statements import statement
from tests.databases import database_url

pytestmark = pytest.mark.usefixtures("either_database")

_INDEXES = (
    "SELECT c.relname, array_agg(a.attname::text ORDER BY k.place) FROM pg_index AS i"
    " JOIN pg_class AS c ON c.oid = i.indexrelid"
    " CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)"
    " JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number GROUP BY 1"
)

GROWING = {
    *("users", "enrollments", "executions", "calls", "facts", "inbox", "refusals", "date_fires"),
    *("step_counts", "runs"),
}
"""What gets longer with users and with time."""

BUCKETS = "[1, 2]"
USERS = '[[1, "a"], [2, "b"]]'
NAMED = '[[1, "a", "came"]]'

SEARCHES: dict[str, tuple[object, ...]] = {
    "delete_call": (1, 2, 0, 1, 0),
    "delete_inbox": (1, 2),
    "due_calls": (BUCKETS, "api", "j", 5, None, 64),
    "due_passages": (BUCKETS, -1, 5, None, 64),
    "due_redriven": ("api", "j", 5, 64),
    "earlier_passages": ("j", USERS),
    "everybody_ended": (1,),
    "extend_token_lease": (5, False, 1, 1),
    "failure_example": (1, 2, "call.timed_out", 4),
    "failure_example_of_version": (2, "call.timed_out", 4),
    "inbox_rows": (BUCKETS, 64),
    "keep_failed_call": (1, 2, 0, 1, 0, 1, 1, 5, "call.timed_out", 5),
    "known_messages": ('[[1, "a", "m"]]',),
    "last_seqs": (USERS,),
    "load_links": (USERS,),
    "load_users": (USERS,),
    "move_run": (5, 1),
    "newest_run": ("j", "s"),
    "next_call": (BUCKETS, "api", "j", 5, None),
    "next_wake": (BUCKETS, 5, None),
    "next_wake_of_run": (1,),
    "passage": (1, 2),
    "passages_of_users": (USERS, 5),
    "past_events": (NAMED, 10),
    "retry_call": (1, 2, 0, 1, 0, 1, 1, 5, 5, None),
    "run_counts": (1,),
    "runs_of_journey": ("j", None),
    "sealed_by_key": (),
    "start_call": (1, 2, 0, 1, 0, "w"),
    "stuck_passages": (1,),
    "take_token_lease": ("w", 1, 5, 1, 1, 1),
    "token_row": (1,),
    "unfinished_attempts": (1,),
    "unfinished_runs": ("j", "s", "open"),
    "update_enrollment": (1, 2, 0, 0, 0, 0, 0, 5, None, None, "{}", None),
    "waiting_calls": (None,),
}
"""Each statement that looks for something, with values."""

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
"""They look for nothing but their own key."""

_ASKED_FOR = "a person asks for a report, or a command ends: nothing waits for it"
_FOLLOWED = "a command that follows a run asks now and then, never a worker"

READ_WHOLE: dict[str, tuple[set[str], str]] = {
    "everybody_ended": ({"step_counts"}, "counts have a row per step, not per user; at the end"),
    "failure_example": ({"executions"}, _ASKED_FOR),
    "failure_example_of_version": ({"executions"}, _ASKED_FOR),
    "inbox_rows": ({"inbox"}, "all of it is to be received, from its head; the set has a limit"),
    "next_wake_of_run": ({"enrollments"}, _FOLLOWED),
    "run_counts": ({"step_counts"}, "counts have a row per step, not per user"),
    "stuck_passages": ({"enrollments"}, _ASKED_FOR),
    "unfinished_attempts": ({"calls"}, _ASKED_FOR),
    "waiting_calls": ({"calls"}, "when a worker begins or takes buckets over: calls not answered"),
}
"""Statement → the tables that it reads whole, and why it may."""

_OF_A_SET = "the passages or events of a set of users"
_RUNS = "the runs of one journey"

SORTED: dict[str, str] = {
    "earlier_passages": _OF_A_SET,
    "newest_run": _RUNS,
    "passages_of_users": _OF_A_SET,
    "past_events": _OF_A_SET,
    "run_counts": "counts, which are few",
    "runs_of_journey": _RUNS,
    "sealed_by_key": "secrets, which are few",
    "unfinished_attempts": "one row for each endpoint",
    "unfinished_runs": _RUNS,
    "waiting_calls": "one row for each endpoint and journey",
}
"""Statement → why what it sorts has a bound."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a statement does: the tables it ``reads_whole``, whether it ``sorts``; ``text`` is the
    database's own.
    """

    reads_whole: set[str]
    sorts: bool
    text: str


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(database_url(tmp_path))
    if not database.is_file:
        with database.write() as connection:
            _pretend_to_be_large(connection)
    yield database
    database.close()


def _pretend_to_be_large(connection: Connection) -> None:
    """One page each, and on it ten million rows: what the planner multiplies by the true pages."""
    connection.exec_driver_sql("SET LOCAL session_replication_role = replica")  # no foreign keys
    for table in sorted(GROWING):
        columns = connection.exec_driver_sql(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = ? AND is_nullable = 'NO'",
            (table,),
        ).fetchall()
        values = [
            {"text": "''", "character varying": "''", "bytea": "''"}.get(c[1], "0") for c in columns
        ]
        names = ", ".join(column[0] for column in columns)
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({', '.join(values)})")
    connection.exec_driver_sql(
        "UPDATE pg_class SET relpages = 1, reltuples = 10000000"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')"
    )


def plan_of(database: Database, name: str) -> Plan:
    """How the database goes about a statement."""
    with database.read() as connection:
        if database.is_file:
            return _sqlite_plan(connection, name)
        return _postgresql_plan(connection, name)


def _sqlite_plan(connection: Connection, name: str) -> Plan:
    text = "EXPLAIN QUERY PLAN " + statement(name)
    lines = [row[3] for row in connection.exec_driver_sql(text, SEARCHES[name])]
    tables = _aliases(statement(name))
    # A search without a key begins at one end of an index and may go to the other.
    whole_read = re.compile(r"(?:SCAN|SEARCH(?! \w+ .*\((?!bucket=\?\)))) (\w+)")
    scanned = {match[1] for line in lines if (match := whole_read.match(line))}
    whole = {tables.get(each, each) for each in scanned} & GROWING
    return Plan(whole, any("TEMP B-TREE" in line for line in lines), "\n".join(lines))


def _aliases(text: str) -> dict[str, str]:
    """Alias → table."""
    found = re.findall(r"(?:FROM|JOIN) (\w+) AS (\w+)", text)
    return {alias: table for table, alias in found}


def _postgresql_plan(connection: Connection, name: str) -> Plan:
    values = SEARCHES[name]
    if "jsonb_array_elements(?::jsonb)" in statement(name, "postgresql") and values:
        rows = values[0] if len(values) == 1 else json.dumps([values])
        values = (rows,)
    text = "EXPLAIN (FORMAT JSON) " + statement(name, "postgresql")
    explained = connection.exec_driver_sql(text, values).scalar_one()
    root = (json.loads(explained) if isinstance(explained, str) else explained)[0]["Plan"]
    nodes = list(_nodes(root))
    indexes = {row[0]: row[1] for row in connection.exec_driver_sql(_INDEXES)}
    whole = {
        node["Relation Name"]
        for node in nodes
        if node.get("Relation Name") in GROWING and not _is_searched(node, indexes)
    }
    kinds = {node["Node Type"] for node in nodes}
    return Plan(whole, bool(kinds & {"Sort", "Incremental Sort"}), json.dumps(root, indent=1))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _is_searched(node: dict[str, Any], indexes: Mapping[str, list[str]]) -> bool:
    """Whether a node that reads a table begins and ends at a key of one of its ``indexes``, whose
    columns are these: the first one is said, and if that is the bucket, the next one, too.
    """
    if node["Node Type"] == "ModifyTable":
        return True
    readers = [each for each in _nodes(node) if "Index Name" in each]
    if node["Node Type"] != "Bitmap Heap Scan":
        readers = readers[:1] if readers and readers[0] is node else []
    return bool(readers) and all(
        re.search(rf"\b{column}\b", each.get("Index Cond", ""))
        for each in readers
        for column in _key(indexes[each["Index Name"]])
    )


def _key(columns: list[str]) -> list[str]:
    return columns[:2] if columns[0] == "bucket" else columns[:1]


def test_every_statement_is_here() -> None:
    folders = (Path(engine.db.__file__).parent / "sql").iterdir()
    for folder in folders:
        assert {path.stem for path in folder.glob("*.sql")} == SEARCHES.keys() | INSERTS


def wrong(database: Database, name: str) -> list[str]:
    """What a statement does that it may not."""
    plan = plan_of(database, name)
    may, _ = READ_WHOLE.get(name, (set(), ""))
    found = [f"{name} reads {table} whole" for table in sorted(plan.reads_whole - may)]
    if plan.sorts and name not in SORTED:
        found.append(f"{name} sorts what has no bound")
    return [f"{each}:\n{plan.text}" for each in found]


def test_hot_statements_search_what_grows_by_a_key_and_sort_nothing_without_bound(
    database: Database,
) -> None:
    found = [each for name in sorted(SEARCHES) for each in wrong(database, name)]
    assert not found, "\n".join(found)


def test_what_may_read_a_table_whole_still_does(database: Database) -> None:
    """An exception that isn't needed any more is taken off the list. PostgreSQL needs fewer."""
    plans = {name: plan_of(database, name) for name in READ_WHOLE | SORTED}
    for name, (tables, _) in READ_WHOLE.items():
        assert plans[name].reads_whole <= tables, name
        assert plans[name].reads_whole == tables or not database.is_file, name
    assert all(plans[name].sorts for name in SORTED) or not database.is_file


@pytest.mark.parametrize(
    ("index", "name"),
    [
        ("enrollments_due", "due_passages"),
        ("enrollments_due", "next_wake"),
        ("enrollments_passage", "passages_of_users"),
        ("enrollments_passage", "earlier_passages"),
        ("calls_due", "due_calls"),
        ("calls_due", "next_call"),
        ("calls_redriven", "due_redriven"),
    ],
)
def test_without_its_index_a_statement_is_found_out(
    database: Database, index: str, name: str
) -> None:
    assert not wrong(database, name)
    with database.write() as connection:
        connection.exec_driver_sql(f"DROP INDEX {index}")
    database.engine.dispose()  # a plan that was made before is kept
    try:
        found = "\n".join(wrong(database, name))
    except SQLAlchemyError as error:  # SQLite's text may name the index
        found = str(error)
    assert f"{name} reads" in found or f"no such index: {index}" in found
