"""Passages as a list: the newest first, page by page, and what a page costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.core.expressions.assignment import bucket_of
from engine.db.connect import Connection, Database
from engine.db.schema import open_database
from engine.enrollments.listing import Wanted, passages
from engine.operations.publish import publish, read_text
from engine.versions.store import Versions
from tests.databases import database_url

pytestmark = pytest.mark.usefixtures("either_database")

PASSAGES = 3_000
DAY_OF_IDS = 86_400_000 << 22
GAPS = (7, DAY_OF_IDS // 24, 3 * DAY_OF_IDS)
"""How far the ids of passages that follow one another are apart: entered together, within a day, or
after a silence."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Has passages of twenty journeys."""
    database = open_database(database_url(tmp_path))
    steps = [{"id": "rest", "type": "wait", "for": "P1D"}]
    texts = [json.dumps({"dsl": 1, "journey": f"j{n}", "steps": steps}).encode() for n in range(20)]
    with database.write() as connection:
        publish(connection, [read_text("j.yaml", t) for t in texts], now=1, actor="test")
        ids = connection.exec_driver_sql("SELECT journey, id FROM versions").fetchall()
        versions = {str(journey): int(id_) for journey, id_ in ids}
        named = [(f"u{n}", id_, journey_of(n)) for n, id_ in enumerate(all_ids())]
        connection.exec_driver_sql(
            "INSERT INTO enrollments (bucket, id, user_id, journey, key, slot, version_id,"
            " run_id, state, reason, position, started, entered_at, ended_at, outcome, data)"
            " VALUES (?, ?, ?, ?, '', ?, ?, 0, 2, 0, 0, 0, 1, 2, 'completed', '{}')",
            [(bucket_of(u), id_, u, j, id_, versions[j]) for u, id_, j in named],
        )
    yield database
    database.close()


def all_ids() -> list[int]:
    ids, id_ = list[int](), 0
    for number in range(PASSAGES):
        id_ += GAPS[2] if number % 500 == 0 else GAPS[number % 2]
        ids.append(id_)
    return ids


def journey_of(number: int) -> str:
    return "j0" if number < 3 else f"j{1 + number % 19}"


def of(journey: str | None) -> list[int]:
    """The ids of a journey's passages, the newest first."""
    ids = enumerate(all_ids())
    return [id_ for number, id_ in ids if journey in (None, journey_of(number))][::-1]


@pytest.mark.parametrize("journey", [None, "j7", "j0"])
def test_pages_follow_one_another_from_the_newest_to_the_oldest(
    database: Database, journey: str | None
) -> None:
    listed = list[int]()
    with database.read() as connection:
        while found := passages(
            connection, Wanted(journey, most=70, before=min(listed, default=None)), Versions()
        ):
            listed += [one.id for one in found]
    assert listed == of(journey)


def test_no_page_is_looked_for_where_nobody_entered(tmp_path: Path) -> None:
    empty = open_database(database_url(tmp_path))
    with empty.read() as connection:
        assert passages(connection, Wanted(), Versions()) == []
    empty.close()


def test_the_first_page_costs_the_same_however_many_there_are(database: Database) -> None:
    if not database.is_file:
        pytest.skip("only SQLite counts its steps")
    many = _steps_of_a_page(database)
    with database.write() as connection:
        middle = all_ids()[PASSAGES // 2]
        connection.exec_driver_sql("DELETE FROM enrollments WHERE id < ?", (middle,))
    assert many == pytest.approx(_steps_of_a_page(database), rel=0.05)


def _steps_of_a_page(database: Database) -> int:
    with database.read() as connection:
        return _steps(connection, lambda: passages(connection, Wanted("j7", most=10), Versions()))


def _steps(connection: Connection, work: Callable[[], object]) -> int:
    """How many steps SQLite takes for some work, in hundreds."""
    counted = 0

    def count() -> None:
        nonlocal counted
        counted += 1

    driver = connection.connection.driver_connection
    assert driver is not None
    work()
    driver.set_progress_handler(count, 100)
    work()
    driver.set_progress_handler(None, 100)
    return counted
