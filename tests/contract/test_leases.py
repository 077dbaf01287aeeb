"""Workers on one PostgreSQL share buckets: evenly, each bucket with one of them, none twice."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.db.connect import Database
from engine.db.schema import open_database
from engine.enrollments import leases
from engine.enrollments.buckets import (
    BUCKETS,
    AnotherWorker,
    BucketsLost,
    acquire,
    nobody_working,
)
from engine.enrollments.leases import Leased
from engine.errors import DatabaseUnavailable
from tests.databases import database_url, databases_on
from tests.forked import Popen
from tests.postgresql import Server

ROOT = Path(__file__).parents[2]


@pytest.fixture
def database(tmp_path: Path, postgresql: Server) -> Iterator[Database]:
    with databases_on(postgresql):
        database = open_database(database_url(tmp_path))
        yield database
        database.close()


def ended(database: Database, worker: Leased) -> None:
    """Let the lease of a worker be over, whenever it would have been."""
    with database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE workers SET lease_until = 0 WHERE id = ?", (worker._worker,)
        )


def _is_mine(owned: Leased) -> bool:
    return owned.mine


def worker(database: Database) -> Leased:
    return Leased(database, alone=False)


def owners(database: Database) -> dict[str | None, int]:
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT owner, count(*) FROM buckets GROUP BY owner")
        return {row[0]: row[1] for row in rows}


def commit(database: Database, owned: Leased, user: str) -> int:
    """A write that passes the fence."""
    with database.write(alone=False) as connection:
        connection.exec_driver_sql(
            "INSERT INTO users (bucket, id, attributes) VALUES (1, ?, '{}')", (user,)
        )
        return owned.fence(connection)


def users(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.exec_driver_sql("SELECT id FROM users").scalars())


def test_a_first_worker_gets_everything_and_gives_the_others_their_share(
    database: Database,
) -> None:
    first = worker(database)
    assert first.buckets == tuple(range(BUCKETS))
    assert not first.surplus()
    second = worker(database)
    assert second.buckets == ()
    assert first.heartbeat() == frozenset()
    assert len(first.surplus()) == 128
    first.give(first.surplus())
    assert (len(first.buckets), first.surplus()) == (128, frozenset())
    assert len(second.heartbeat()) == len(second.buckets) == 128
    assert not set(first.buckets) & set(second.buckets)


@pytest.mark.parametrize("count", [3, 4, 7, 30])
def test_any_number_of_workers_comes_to_even_shares(database: Database, count: int) -> None:
    workers = [worker(database) for _ in range(count)]
    for _ in range(2):
        for each in workers:
            each.heartbeat()
            each.give(each.surplus())
    sizes = sorted(len(each.buckets) for each in workers)
    assert sum(sizes) == BUCKETS
    assert sizes[-1] == -(-BUCKETS // count)
    assert sizes[0] == BUCKETS // count
    taken = [bucket for each in workers for bucket in each.buckets]
    assert sorted(taken) == list(range(BUCKETS))


def test_who_waits_for_buckets_looks_for_them_sooner(database: Database) -> None:
    first = worker(database)
    second = worker(database)
    assert (first.heartbeat_s, second.heartbeat_s) == (10.0, 1.0)
    first.heartbeat()
    first.give(first.surplus())
    second.heartbeat()
    assert second.heartbeat_s == 10.0


def test_a_surplus_bucket_goes_only_when_its_owner_lets_go_of_it(database: Database) -> None:
    first, second = worker(database), worker(database)
    first.heartbeat()
    assert second.heartbeat() == frozenset()
    busy = max(first.surplus())
    first.give(first.surplus() - {busy})
    assert len(second.heartbeat()) == 127
    assert busy in first.buckets
    assert first.surplus() == {busy}
    commit(database, first, "in flight")
    first.give({busy})
    assert second.heartbeat() == {busy}


def test_what_a_worker_gives_back_at_its_end_is_taken_up(database: Database) -> None:
    first, second = worker(database), worker(database)
    first.release()
    assert first.buckets == ()
    assert not first.mine
    assert len(second.heartbeat()) == BUCKETS
    with pytest.raises(BucketsLost):
        first.heartbeat()


def test_a_dead_workers_buckets_are_taken_over_and_its_late_commit_is_refused(
    database: Database,
) -> None:
    stopped, other = worker(database), worker(database)
    commit(database, stopped, "in time")
    assert other.heartbeat() == frozenset()
    ended(database, stopped)
    assert len(other.heartbeat()) == BUCKETS
    with pytest.raises(BucketsLost, match="took its users over"):
        commit(database, stopped, "late")
    assert users(database) == {"in time"}
    assert not stopped.mine
    assert stopped.buckets == ()
    with pytest.raises(BucketsLost):
        stopped.heartbeat()
    commit(database, other, "theirs")
    assert users(database) == {"in time", "theirs"}


def test_a_worker_late_with_its_heartbeat_keeps_what_nobody_took(database: Database) -> None:
    late = worker(database)
    ended(database, late)
    assert late.heartbeat() == frozenset()
    commit(database, late, "still mine")
    other = worker(database)
    assert other.buckets == ()


def test_a_worker_in_the_middle_of_a_commit_is_not_taken_over(database: Database) -> None:
    slow, other = worker(database), worker(database)
    ended(database, slow)
    with database.write(alone=False) as connection:
        slow.fence(connection)
        assert other.heartbeat() == frozenset()
    assert len(other.heartbeat()) == BUCKETS


def test_nothing_is_put_on_the_wire_when_a_lease_is_over(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 100.0
    monkeypatch.setattr(leases, "stopwatch", lambda: seconds)
    mine = worker(database)
    seconds = 128.9
    assert _is_mine(mine)
    seconds = 129.1  # a second before its end
    assert not _is_mine(mine)
    mine.heartbeat()
    assert _is_mine(mine)


def test_a_receipt_tells_whether_its_commit_was_made(database: Database) -> None:
    mine = worker(database)
    assert mine.made(commit(database, mine, "a"))
    with pytest.raises(ZeroDivisionError), database.write(alone=False) as connection:  # noqa: PT012
        receipt = mine.fence(connection)
        raise ZeroDivisionError
    assert not mine.made(receipt)
    assert mine.made(commit(database, mine, "b"))


def test_a_run_takes_everything_or_is_refused_in_one_line(database: Database) -> None:
    alone = acquire(database, lease_s=200)
    assert alone.buckets == tuple(range(BUCKETS))
    with pytest.raises(AnotherWorker, match=r"process \d+ works on postgresql://") as caught:
        acquire(database)
    assert "\n" not in caught.value.message
    assert re.search(r"counts for (200|19\d) s more", caught.value.message)
    with pytest.raises(AnotherWorker), nobody_working(database):
        pass
    joined = acquire(database, shared=True)
    assert joined.buckets == ()
    alone.heartbeat()
    assert alone.surplus() == frozenset()
    alone.release()
    assert len(joined.heartbeat()) == BUCKETS
    joined.release()
    with nobody_working(database):
        pass


def test_of_runs_that_start_together_one_works(database: Database) -> None:
    found: list[str] = []
    barrier = threading.Barrier(4)

    def start() -> None:
        barrier.wait()
        try:
            acquire(database)
            found.append("works")
        except AnotherWorker:
            found.append("refused")

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["refused"] * 3 + ["works"]


HOLDING = """
import sys
from engine.db.schema import open_database
from engine.enrollments.leases import Leased
database = open_database(sys.argv[1])
owned = Leased(database, alone=False)
with database.write(alone=False) as connection:
    owned.fence(connection)
    print("holding", flush=True)
    sys.stdin.readline()
"""


def test_who_is_killed_in_the_middle_of_a_commit_holds_nobody_up(
    database: Database, tmp_path: Path
) -> None:
    other = worker(database)
    other.release()
    process = Popen(
        [sys.executable, "-c", HOLDING, database_url(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "holding\n"
    process.kill()
    process.communicate()
    other = worker(database)
    with database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE workers SET lease_until = 0 WHERE id <> ?", (other._worker,)
        )
    assert len(other.heartbeat()) == BUCKETS


def test_a_heartbeat_that_finds_no_database_says_so(tmp_path: Path, postgresql: Server) -> None:
    with databases_on(postgresql):
        database = open_database(database_url(tmp_path))
        mine = worker(database)
        with postgresql.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'journey'"
            )
        assert mine.heartbeat() == frozenset(), "the pool finds dead connections"
        mine._database = Database("postgresql://postgres@127.0.0.1:1/none")
        with pytest.raises(DatabaseUnavailable):
            mine.heartbeat()
        assert _is_mine(mine), "until the lease is over"
        mine.release()
        assert not _is_mine(mine)
        database.close()
