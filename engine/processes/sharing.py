"""A worker's share of the users, as other workers come and go."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.enrollments.buckets import BUCKETS
from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.db.connect import Connection, Database
    from engine.enrollments.backlog import Backlog
    from engine.enrollments.buckets import Owned
    from engine.enrollments.pausing import Holding
    from engine.enrollments.send import Outbox

_log = logging.getLogger(__name__)


class Share:
    """The buckets a worker loads from: those it owns but for what it is to give up, which it lets
    go once none of their calls is in memory, so that nobody makes one twice. ``giving`` are those
    that it is to let go: nothing of theirs is begun any more. ``look`` reads what there is to do
    for those who came: when they are due, and what they listen to.
    """

    def __init__(
        self,
        database: Database,
        owned: Owned,
        outbox: Outbox,
        backlog: Backlog,
        look: Callable[[Connection], None],
    ) -> None:
        self._look = look
        self._database = database
        self._owned = owned
        self._outbox = outbox
        self._backlog = backlog
        self.giving: frozenset[int] = frozenset()
        backlog.own((), ())

    @property
    def is_another(self) -> bool:
        """Whether buckets came, went, or are to go."""
        owned = self._owned
        return owned.lost or bool(owned.surplus()) or owned.buckets != self._backlog.buckets

    def settle(self) -> bool:
        """Give up what is to go and can, and look into what came; whether anything came.

        Raises BucketsLost where all was lost.
        """
        self._owned.require()
        before = self._backlog.owned
        surplus = self._owned.surplus()
        for held in self._outbox.calls_in(surplus):
            self._outbox.withdraw(held)
        busy = {held.passage.user.bucket for held in self._outbox.calls_in(surplus)}
        with suppress(DatabaseUnavailable):
            self._owned.give(surplus - busy)
        owned, kept = self._owned.buckets, self._owned.surplus()
        mine = tuple(bucket for bucket in owned if bucket not in kept)
        self.giving = kept
        came = self._backlog.own(owned, mine)
        if came:
            self._look_anew()
        if owned != before:
            _log.info("%d of %d buckets are this worker's", len(owned), BUCKETS)
        return came

    def obey(self, holding: Holding) -> None:
        """Carry out a portion of what is ordered of users whose journey was resumed or archived;
        what can't be written now is tried again with the next turn.
        """
        with suppress(DatabaseUnavailable):
            with self._database.write(waits=1, alone=False) as connection:
                done = holding.carry_out(connection)
                self._owned.fence(connection)
            holding.committed(done)
            self._look_anew()

    def _look_anew(self) -> None:
        """Forget what was loaded ahead and read what is due; if that fails, it is tried again with
        the next turn, and nothing is loaded before.
        """
        try:
            with self._database.read() as connection:
                self._look(connection)
        except DatabaseUnavailable:
            self._backlog.own(self._backlog.owned, ())
