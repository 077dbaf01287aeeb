"""Facts of many requests in one commit: durable before they are answered, and each for itself."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from engine.api import gathering
from engine.api.gathering import Gathering
from engine.api.metrics import Metrics
from engine.api.problems import Refused
from engine.clock import wall
from engine.db.connect import Connection, Database
from engine.db.schema import open_database
from engine.errors import DatabaseUnavailable
from engine.users.incoming import InboxRow, IncomingEvent


class Counted:
    """A database that counts its commits, and fails as it is told to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.path = database.path
        self.tries = self.commits = 0
        self.tried = Event()
        self.fails: Callable[[], None] = lambda: None

    @contextmanager
    def write(self, within_s: float) -> Iterator[Connection]:
        """As the database's."""
        self.tries += 1
        self.tried.set()
        with self._database.write(within_s=within_s) as connection:
            yield connection
            self.fails()
        self.commits += 1

    def count(self) -> int:
        """How many facts are durable."""
        with self._database.read() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM inbox").scalar_one())


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Counted]:
    opened = open_database(f"sqlite:///{tmp_path / 'engine.db'}")
    yield Counted(opened)
    opened.close()


def _run(database: Counted, work: Callable[[Gathering], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        gathered = Gathering(database, Metrics(), wall)  # type: ignore[arg-type]
        try:
            await work(gathered)
        finally:
            await gathered.close()

    asyncio.run(main())


def _rows(gathered: Gathering, user: str, count: int = 1) -> list[InboxRow]:
    return [gathered.row(IncomingEvent(user, "hello", {})) for _ in range(count)]


def test_requests_that_wait_for_a_commit_share_the_next_one(database: Counted) -> None:
    async def work(gathered: Gathering) -> None:
        await asyncio.gather(*(gathered.append(_rows(gathered, f"u{n}")) for n in range(100)))
        assert database.count() == 100
        assert database.commits < 10

    _run(database, work)


def test_one_commit_takes_no_more_than_is_good_for_others(
    database: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MOST_AT_ONCE", 10)

    async def work(gathered: Gathering) -> None:
        await asyncio.gather(*(gathered.append(_rows(gathered, f"u{n}", 4)) for n in range(10)))
        assert database.commits >= 5
        await gathered.append(_rows(gathered, "large", 30))
        assert database.count() == 70

    _run(database, work)


def test_what_a_database_cannot_take_is_nobodys_and_the_next_goes_on(database: Counted) -> None:
    def locked() -> None:
        raise DatabaseUnavailable("it is locked")

    async def work(gathered: Gathering) -> None:
        database.fails = locked
        with pytest.raises(DatabaseUnavailable):
            await gathered.append(_rows(gathered, "ada"))
        assert gathered.findings()[0].state == "odd"
        database.fails = lambda: None
        await gathered.append(_rows(gathered, "ada"))
        assert (database.count(), gathered.findings()[0].state) == (1, "ok")

    _run(database, work)


def test_whoever_waits_for_a_locked_database_is_told_once_its_patience_is_over(
    database: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "PATIENCE_S", 0.2)

    async def work(gathered: Gathering) -> None:
        with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            first = asyncio.create_task(gathered.append(_rows(gathered, "ada")))
            await asyncio.to_thread(database.tried.wait)
            second = gathered.append(_rows(gathered, "bob"))
            found = await asyncio.gather(first, second, return_exceptions=True)
            assert [type(each) for each in found] == [DatabaseUnavailable] * 2
            assert database.tries == 1
        await gathered.append(_rows(gathered, "ada"))
        assert database.count() == 1

    _run(database, work)


def test_a_bug_that_one_request_meets_fails_no_other(database: Counted) -> None:
    async def work(gathered: Gathering) -> None:
        bad: Any = [(0, 1, None, 0, "x", 0, None, "{}")]  # no user: the database says no
        asked = [gathered.append(_rows(gathered, f"u{n}")) for n in range(5)]
        found = await asyncio.gather(*asked, gathered.append(bad), return_exceptions=True)
        assert [isinstance(each, Exception) for each in found] == [False] * 5 + [True]
        assert database.count() == 5

    _run(database, work)


def test_too_many_that_wait_are_told_to_come_again(
    database: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MOST_WAITING", 5)

    async def work(gathered: Gathering) -> None:
        with pytest.raises(Refused) as refused:
            await gathered.append(_rows(gathered, "ada", 6))
        assert (refused.value.status, dict(refused.value.headers)["retry-after"]) == (503, "1")

    _run(database, work)
