"""Committing what a turn decides: others write meanwhile, for as long as that is right."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from engine.clock import rest, stopwatch
from engine.db.connect import IntegrityError
from engine.enrollments import store
from engine.errors import DatabaseUnavailable, DecidedByHalf
from engine.processes.event_loop import switch_threads_soon

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from engine.db.connect import Connection, Database
    from engine.enrollments.buckets import Owned
    from engine.enrollments.ledger import Ledger
    from engine.processes.supply import Observer

PATIENCE_S = 60.0
"""How long a database that can't be used is waited for."""


class Committing:
    """Writes turns, one after another. ``lasts`` waits for the database without end, until
    ``stopping`` is set; what was decided is kept meanwhile, and written as it is.

    A turn may be written by a thread of its own (:meth:`begin`), so that its owner decides the next
    meanwhile: most of the time that it takes is the database's, which doesn't need Python.
    """

    def __init__(
        self, database: Database, owned: Owned, observer: Observer, *, lasts: bool
    ) -> None:
        self._database = database
        self._owned = owned
        self._observer = observer
        self._lasts = lasts
        self.stopping = False
        self.held_s = 0.0
        """For how long the last turn that was decided apart kept others from writing, until its
        commit began."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._writing: Future[Ledger] | None = None
        self._switched_s = 0.0

    def commit(self, decide: Callable[[Connection], Ledger], *, apart: bool) -> Ledger:
        """What ``decide`` gives, once it is committed. It only reads, of one moment, and so it may
        be done ``apart``, before the transaction that writes: deciding takes most of a turn, and a
        file lets nobody else write while somebody does.

        Raises DatabaseUnavailable when patience is over, DecidedByHalf, BucketsLost.
        """
        return self._commit(decide, apart=apart)

    def begin(self, ledger: Ledger) -> None:
        """Have a turn written that was decided apart; :meth:`finish` it before the next."""
        self._switched_s = switch_threads_soon()
        self._writing = self._thread.submit(self._commit, lambda _: ledger, apart=True, of=ledger)

    @property
    def is_writing(self) -> bool:
        """Whether what was begun isn't written yet."""
        return self._writing is not None and not self._writing.done()

    def finish(self) -> Ledger | None:
        """Wait for the turn that is being written: that, or None. Raises as :meth:`commit`."""
        writing, self._writing = self._writing, None
        if writing is None:
            return None
        try:
            return writing.result()
        finally:
            sys.setswitchinterval(self._switched_s)

    def close(self) -> None:
        """Write what was begun, whatever becomes of it, and no more."""
        self._thread.shutdown()

    def _commit(
        self, decide: Callable[[Connection], Ledger], *, apart: bool, of: Ledger | None = None
    ) -> Ledger:
        since, waited, ledger = stopwatch(), False, of
        receipt: int | None = None
        while True:
            try:
                if apart and ledger is None:
                    with self._database.read() as connection:
                        ledger = decide(connection)
                if ledger is None or receipt is None or not self._owned.made(receipt):
                    with self._database.write(waits=1, alone=False) as connection:
                        begun = stopwatch()
                        ledger = decide(connection) if ledger is None else ledger
                        store.write(connection, ledger.changes)
                        receipt = self._owned.fence(connection)
                        self.held_s = stopwatch() - begun if apart else 0.0
            except DecidedByHalf:
                raise
            except IntegrityError:
                self._require_ours()
                raise
            except DatabaseUnavailable as error:
                self._hold_out(error, since)
                waited = True
            else:
                if waited:
                    self._observer.resumed()
                return ledger

    def _require_ours(self) -> None:
        """Raise BucketsLost where another worker has the users by now: then what it has written
        stands in the way of what was decided here.
        """
        with self._database.write(waits=1, alone=False) as connection:
            self._owned.fence(connection)

    def _hold_out(self, error: DatabaseUnavailable, since: float) -> None:
        """Wait a moment for a database that can't be used; raise when patience is over."""
        if self.stopping or (not self._lasts and stopwatch() - since > PATIENCE_S):
            raise error
        self._observer.paused(error.message)
        rest(0.5)
