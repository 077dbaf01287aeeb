"""A worker's share of the users, as other workers come and go."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from engine.db.connect import Database
    from engine.enrollments.backlog import Backlog
    from engine.enrollments.buckets import Owned
    from engine.enrollments.pausing import Holding
    from engine.enrollments.send import Outbox


class Share:
    """The buckets a worker loads from: those it owns but for what it is to give up, which it lets
    go once none of their calls is in memory, so that nobody makes one twice.
    """

    def __init__(self, database: Database, owned: Owned, outbox: Outbox, backlog: Backlog) -> None:
        self._database = database
        self._owned = owned
        self._outbox = outbox
        self._backlog = backlog
        self.buckets: tuple[int, ...] = ()

    @property
    def is_another(self) -> bool:
        """Whether buckets came, went, or are to go."""
        return bool(self._owned.surplus()) or self._mine() != self.buckets

    def settle(self) -> bool:
        """Give up what is to go and can, and look into what came; whether anything came."""
        surplus = self._owned.surplus()
        if surplus:
            for held in self._outbox.every_call():
                if held.passage.user.bucket in surplus:
                    self._outbox.withdraw(held)
            busy = {held.passage.user.bucket for held in self._outbox.every_call()}
            with suppress(DatabaseUnavailable):
                self._owned.give(surplus - busy)
        mine = self._mine()
        came = not set(mine) <= set(self.buckets)
        self.buckets = self._backlog.buckets = mine
        if came:
            try:
                self._look_anew()
            except DatabaseUnavailable:
                self.buckets = ()  # it is tried again with the next turn
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
        with self._database.read() as connection:
            self._backlog.open(connection)

    def _mine(self) -> tuple[int, ...]:
        surplus = self._owned.surplus()
        owned = self._owned.buckets
        return tuple(one for one in owned if one not in surplus) if surplus else owned
