"""Lists that nobody counts go on from page to page, and a page costs what it shows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from engine.audit.store import changes, look_back
from engine.console.pages import audit
from engine.core.expressions.assignment import bucket_of
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.enrollments.calls import CallFilter, Rank, listed, look_ahead
from engine.operations import list_calls, search_users
from engine.users.store import every_user
from engine.versions.store import Versions
from tests.contract.people import NOW
from tests.databases import on_postgresql
from tests.integration.furnished import Browser, Furnished, furnished

HELD = 230
FOUND = ("/users?having=cold%3D1", "/calls?code=call.unknown", "/audit?actor=cold")
COLD = {"v_0007", "v_0150", "v_0229"}
pytestmark = pytest.mark.usefixtures("either_database")


def _fill(database: Database) -> None:
    """So many users, failed calls and changes; every third call failed at the same instant."""
    numbers = range(HELD)
    names = [f"v_{number:04}" for number in numbers]
    with database.write() as connection:
        run = connection.exec_driver_sql
        (version,) = run("SELECT id FROM versions").one()
        run(
            "INSERT INTO users (bucket, id, attributes) VALUES (?, ?, ?)",
            [(bucket_of(one), one, f'{{"cold": {int(one in COLD)}}}') for one in names],
        )
        run(
            "INSERT INTO enrollments (bucket, id, user_id, journey, key, slot, version_id, run_id,"
            " state, reason, position, started, entered_at, ended_at, outcome, data) VALUES"
            " (?, ?, ?, 'greet', '', ?, ?, 0, 2, 0, -1, 0, ?, ?, 'completed', '{}')",
            [(bucket_of(one), n, one, n, version, NOW, NOW) for n, one in enumerate(names)],
        )
        run(
            "INSERT INTO calls (bucket, enrollment, step, visit, redrive, run_id, endpoint,"
            " journey, method, target, headers, body, key, attempts, tries, failure, finished_at)"
            " VALUES (?, ?, 0, 1, 0, 0, 'crm', 'greet', 'POST', '/', '[]', '', 'k', 1, 1, ?, ?)",
            [
                (bucket_of(one), n, "call.unknown" if one in COLD else "call.refused", NOW + n // 3)
                for n, one in enumerate(names)
            ],
        )
        run(
            "INSERT INTO audit (at, actor, verb, kind, name, fields)"
            " VALUES (?, ?, 'filled', 'thing', ?, '')",
            [(NOW + n // 3, "cold" if one in COLD else "ada", one) for n, one in enumerate(names)],
        )


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Furnished]:
    with furnished(tmp_path) as here:
        _fill(here.served.database)
        yield here


def _walk(ada: Browser, path: str) -> list[list[str]]:
    """What stands on each page from the first to the last, in their order."""
    pages: list[list[str]] = []
    while path:
        answer = ada.get(path)
        assert answer.status_code == 200, path
        pages.append(re.findall(r"v_[0-9]{4}(?=</a></th>|</b>)", answer.text))
        following = re.findall(r'rel="next" href="([^"]*)"', answer.text)
        assert ("First page" in answer.text) == (len(pages) > 1)
        path = unescape(following[0]) if following else ""
    return pages


def test_every_list_goes_on_to_its_end(console: Furnished) -> None:
    ada = console.browser("ada")
    for path, last_first in (
        ("/users?x=1", False),
        ("/calls?show=", False),
        ("/audit?", True),
        ("/journeys/greet/passages?outcome=completed", False),
    ):
        pages = _walk(ada, path)
        rows = csv.DictReader(io.StringIO(ada.get(f"{path}&format=csv").text))
        whole = [row.get("user") or row.get("name") or "" for row in rows]
        filled = [name for name in whole if name.startswith("v_")]
        assert [name for page in pages for name in page] == filled[:: -1 if last_first else 1]
        assert len(filled) == HELD
        assert {len(page) for page in pages[1:-1]} == {100}
    assert [len(page) for page in _walk(ada, "/calls?show=all")] == [100, 100, 30]
    assert ada.get("/audit?after=nonsense").status_code == 400


def test_who_fits_is_found_among_so_many_at_a_time(
    console: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (search_users, list_calls, audit):
        monkeypatch.setattr(place, "LOOKED_THROUGH", 60)
    ada = console.browser("ada")
    for path in FOUND:
        pages = _walk(ada, path)
        assert {name for page in pages for name in page} == COLD
        assert len(pages) >= 4


def test_a_page_reads_no_more_than_it_looks_at(console: Furnished) -> None:
    if on_postgresql():
        pytest.skip("its planner goes by how many rows there are")
    # One of its own: nobody else asks it anything meanwhile.
    with closing(open_database(f"sqlite:///{console.served.database.path}")) as database:
        after = Rank(0, NOW + 20, "crm", "greet", 1, 60, 0, 1, 0)
        made = Rank(1, NOW + 20, "crm", "greet", 1, 60, 0, 1, 0)
        wanted = CallFilter(failed=True, journey="greet", endpoint="crm", code="call.unknown")
        with _asked(database) as statements, database.read() as connection:
            last = look_ahead(connection, after, 50, failed=True)
            list(listed(connection, wanted, Versions(), after, last))
            look_ahead(connection, made, 50, failed=False)
            list(listed(connection, CallFilter(), Versions(), made))
            oldest = look_back(connection, 150, 50)
            list(changes(connection, actor="cold", newest=101, after=150, upto=oldest))
            list(every_user(connection, "v_0100"))
        own = [one for one in statements if re.search("FROM (calls|audit|users) ", one[0])]
        assert len(own) == 7
        with database.read() as connection:
            for statement, values in own:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                assert all(row[-1].startswith("SEARCH") for row in plan), (statement, plan)


def test_calls_that_failed_come_before_those_that_are_to_be_made(console: Furnished) -> None:
    with console.served.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE calls SET finished_at = NULL, next_try_at = ? - enrollment"
            " WHERE enrollment >= 20",
            (NOW,),
        )
    ada = console.browser("ada")
    pages = _walk(ada, "/calls?show=all")
    assert [len(page) for page in pages] == [100, 100, 30]
    failed = {f"v_{number:04}" for number in range(20)}
    assert set(pages[0][:20]) == failed
    assert pages[2] == sorted(pages[2], reverse=True)
    assert len({name for page in pages for name in page}) == HELD
    rows = list(csv.DictReader(io.StringIO(ada.get("/calls?show=all&format=csv").text)))
    assert {row["user"] for row in rows[:20]} == failed
    assert len({row["user"] for row in rows if row["user"].startswith("v_")}) == HELD
    found = {name for page in _walk(ada, "/calls?show=all&code=call.unknown") for name in page}
    assert found == COLD


@contextmanager
def _asked(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are run inside, with their values."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        statements.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
