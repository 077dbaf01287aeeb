"""What came to hooks is written behind their answers, and of nobody who was erased meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from engine.api.delivery_log import DeliveryLog
from engine.audit.store import latest_id
from engine.clock import wall
from engine.core.expressions.assignment import bucket_of
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.hooks import store
from engine.hooks.deliveries import Delivery, add, shut_out_others
from engine.operations.erase import carry_out
from engine.users.incoming import IncomingEvent
from tests.databases import database_url

NOW = 1_790_000_000_000_000
pytestmark = pytest.mark.usefixtures("either_database")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(database_url(tmp_path))
    with database.write() as connection:
        store.add(connection, "shop", "shopify", "{}", NOW)
    yield database
    database.close()


def _users(database: Database) -> list[str]:
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT user_id FROM hook_deliveries ORDER BY id")
        return [row[0] for row in rows]


def _newest_change(database: Database) -> int:
    with database.read() as connection:
        return latest_id(connection)


def _tell(log: DeliveryLog, database: Database, user: str, change: int) -> None:
    with database.read() as connection:
        (hook,) = connection.exec_driver_sql("SELECT id FROM hooks").one()
    log.taken(hook, wall(), 9, IncomingEvent(user, "ordered", {}), 1, change)


def test_a_delivery_of_a_user_who_was_erased_meanwhile_is_never_written(database: Database) -> None:
    async def main() -> None:
        log = DeliveryLog(database)
        before = _newest_change(database)
        for user in ("ada", "bob"):
            _tell(log, database, user, before)
        with database.write() as connection:
            carry_out(connection, "ada", "{}", now=wall())
        _tell(log, database, "cyd", before)
        await log.close()
        log = DeliveryLog(database)
        _tell(log, database, "ada", _newest_change(database))  # he is back
        await log.close()

    asyncio.run(main())
    assert _users(database) == ["bob", "cyd", "ada"]


def test_nor_is_one_of_an_anonymous_user_who_turned_out_to_be_him(database: Database) -> None:
    async def main() -> None:
        log = DeliveryLog(database)
        _tell(log, database, "anon:a", _newest_change(database))
        with database.write() as connection:
            place = (bucket_of("anon:a"), "anon:a", "ada", NOW)
            connection.exec_driver_sql("INSERT INTO links VALUES (?, ?, ?, ?)", place)
            carry_out(connection, "ada", "{}", now=wall())
        await log.close()

    asyncio.run(main())
    assert _users(database) == []


def test_an_erasure_that_is_just_being_committed_is_waited_for(database: Database) -> None:
    async def main() -> None:
        log = DeliveryLog(database)
        _tell(log, database, "ada", _newest_change(database))
        with database.write(alone=False) as connection:  # as workers do
            carry_out(connection, "ada", "{}", now=wall())
            written = asyncio.create_task(log.close())
            await asyncio.wait({written}, timeout=0.1)
        await written

    asyncio.run(main())
    assert _users(database) == []


def test_an_erasure_takes_along_what_is_just_being_written(database: Database) -> None:
    def erase() -> None:
        with database.write(alone=False) as connection:
            carry_out(connection, "ada", "{}", now=wall())

    eraser = Thread(target=erase)
    with database.write() as connection:
        shut_out_others(connection)
        (hook,) = connection.exec_driver_sql("SELECT id FROM hooks").one()
        add(connection, [Delivery(hook, False, 1, NOW, 9, "", "", "ordered", "m", "ada", 1)])
        eraser.start()
        eraser.join(0.1)
    eraser.join()
    assert _users(database) == []
