"""Crowds: more sleepers in memory whose time has come than a turn takes in, and nothing else to do.

Each turn of a crowd is decided while the one before is written. Nobody of it is in that one, and
whatever is decided is read of one user alone; so it is decided as if that were written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import DatabaseUnavailable, DecidedByHalf

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.db.connect import Connection, Database
    from engine.enrollments.backlog import Backlog
    from engine.enrollments.decide import Decider
    from engine.enrollments.ledger import Ledger
    from engine.enrollments.turn import Turn
    from engine.processes.sharing import Share
    from engine.processes.supply import Loading


class Crowds:
    """Sees whether there is a crowd, and has a turn of it decided beside what is written."""

    def __init__(
        self, database: Database, decider: Decider, backlog: Backlog, share: Share
    ) -> None:
        self._database = database
        self._decider = decider
        self._backlog = backlog
        self._share = share

    def is_one(self, turn: Turn, loading: Loading, some: int) -> bool:
        """Whether all there is to take in are sleepers in memory, more than the ``some`` of a turn.
        A server has several workers beside it, and is no file.
        """
        if not (turn.empty and loading.only_sleepers and self._database.is_file):
            return False
        if self._share.is_another or self._decider.holding.outstanding:
            return False
        return self._backlog.is_crowd(loading.at, some)

    def decided(self, decide: Callable[[Connection], Ledger]) -> Ledger | None:
        """What ``decide`` gives; None where the database can't be read, or journeys have changed:
        then calls of the turn that is being written couldn't be called back. Raises DecidedByHalf.
        """
        ledger: Ledger | None = None
        try:
            with self._database.read() as connection:
                if not self._decider.journeys.stale(connection):
                    ledger = decide(connection)
        except DecidedByHalf:
            raise
        except DatabaseUnavailable:  # where it fails behind the decision, that is whole
            pass
        return ledger
