"""A run's users on their way to the worker: in sets, by the inbox.

The run's position moves in the transaction that appends a set, so a kill loses nobody and hands
nobody over twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.clock import wall
from engine.db.ids import IdMaker, entropy
from engine.enrollments import buckets
from engine.enrollments.arriving import in_order
from engine.enrollments.receive import said_of
from engine.enrollments.store import facts, runs
from engine.processes.supply import Source
from engine.users.store import append

if TYPE_CHECKING:
    from engine.db.connect import Database
    from engine.enrollments.arriving import Comer
    from engine.enrollments.store.runs import Run
    from engine.processes.model import Users
    from engine.users.incoming import InboxRow

SET = 256
"""Users who are appended in one transaction."""
MOST_WAITING = 512
"""So many of them wait in the inbox at once: what others tell of waits behind them, for a tenth of
a second."""
MOST_WAITING_ON_A_SERVER = 2048
"""The same where nobody tells a worker that something came, and it looks five times a second."""


class HandingOver:
    """Appends a run's users to the inbox: beside a worker that works everything, and to no other.

    A run's own process takes its users in by itself. It reads how far they are when it owns the
    users; by then what was appended here is committed, or it isn't any more.
    """

    def __init__(self, database: Database, run: Run, users: Users) -> None:
        self._database = database
        self._run = run
        self._users = users
        self._most = MOST_WAITING if database.is_file else MOST_WAITING_ON_A_SERVER
        self._new_id = IdMaker(entropy)
        self._begin(run.position)

    def _begin(self, position: int) -> None:
        self._position = position
        self._source = Source(in_order(self._users.rows, position, self._run.order), position)
        self._set: list[Comer] = []

    def append(self) -> bool:
        """Append the next set; False: there is none, or those before have to be taken in first."""
        if self._position >= self._run.total:
            return False
        with self._database.read() as connection:
            if facts.entries_waiting(connection, self._run.id) > self._most - SET:
                return False
        self._set = self._set or self._source.take(SET)  # the file is read before the lock is held
        rows = [self._row(comer) for comer in self._set]
        with self._database.write() as connection:
            if buckets.works_alone(self._database, connection):
                return False
            stands = runs.stands(connection, self._run).position
            if stands == self._position:
                append(connection, rows)
                runs.move(connection, self._run.id, stands + len(rows))
        if stands != self._position:  # another process hands over the same users
            self._begin(stands)
        else:
            self._position, self._set = self._source.position, []
        return True

    def _row(self, comer: Comer) -> InboxRow:
        (bucket, row), now, run = comer, wall(), self._run
        data = facts.entry_of_run(run.id, run.version_id, row.inputs, said_of(row))
        place = (bucket, self._new_id(now), row.id)
        return (*place, facts.ENTRY, run.journey, now, None, data)
