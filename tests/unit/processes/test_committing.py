"""Turns are committed, or it is said why they can't be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.db.connect import Connection, Database, IntegrityError
from engine.db.schema import open_database
from engine.enrollments.buckets import BucketsLost, WholeFile
from engine.enrollments.ledger import Ledger
from engine.enrollments.store import Changes
from engine.processes.committing import Committing
from tests.databases import database_url

pytestmark = pytest.mark.usefixtures("either_database")
NOW = 1_800_000_000_000_000
FACT = (7, "ada", 1, 0, "hello", NOW, 0, "m1", "{}")


class Nobody:
    """Listens to nothing."""

    def turned(self, ledger: Ledger) -> None: ...

    def paused(self, reason: str) -> None: ...

    def resumed(self) -> None: ...


class Mine(WholeFile):
    """Buckets that another worker may take."""

    taken = False

    def __init__(self) -> None:
        super().__init__(0)

    def fence(self, connection: Connection) -> int:
        if self.taken:
            raise BucketsLost("another one took its users over")
        return 1

    def made(self, receipt: int) -> bool:
        return False


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(database_url(tmp_path))
    yield database
    database.close()


def decided(_connection: Connection) -> Ledger:
    return Ledger(Changes(None, facts=[FACT]), NOW, "here")


@pytest.mark.parametrize("apart", [False, True])
def test_what_another_worker_wrote_meanwhile_means_that_the_users_are_lost(
    database: Database, apart: bool
) -> None:
    mine = Mine()
    committing = Committing(database, mine, Nobody(), lasts=False)
    committing.commit(decided, apart=apart)
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM facts").scalar_one() == 1
    with pytest.raises(IntegrityError):
        committing.commit(decided, apart=apart)
    mine.taken = True
    with pytest.raises(BucketsLost, match="took its users over"):
        committing.commit(decided, apart=apart)


def test_a_turn_that_was_begun_is_written_by_the_time_it_is_finished(database: Database) -> None:
    mine = Mine()
    committing = Committing(database, mine, Nobody(), lasts=False)
    assert committing.finish() is None
    ledger = Ledger(Changes(None, facts=[FACT]), NOW, "here")
    before = sys.getswitchinterval()
    committing.begin(ledger)
    assert sys.getswitchinterval() < before
    assert committing.finish() is ledger
    assert sys.getswitchinterval() == before
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM facts").scalar_one() == 1
    mine.taken = True
    committing.begin(ledger)
    with pytest.raises(BucketsLost, match="took its users over"):
        committing.finish()
    assert committing.finish() is None
    committing.close()
