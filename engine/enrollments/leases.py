"""Buckets on PostgreSQL: each worker has a lease and a fence, each bucket names its owner.

A worker whose lease is over is dead to the others: one of them raises its epoch, which is its
fence, and only then frees its buckets. A worker with more than its share gives buckets up itself,
when none of their calls is in flight, so that scaling out or in repeats no call.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.clock import stopwatch
from engine.core.expressions.assignment import BUCKETS
from engine.endpoints.limits import Rank
from engine.enrollments.store import workers
from engine.errors import DatabaseUnavailable, OperatorError

if TYPE_CHECKING:
    from collections.abc import Collection

    from engine.db.connect import Connection, Database

LEASE_US = 30_000_000
HEARTBEATS = 3
"""How often a lease is renewed while it lasts."""
SOON_S = 1.0
"""The next heartbeat of a worker that waits for buckets others are to give up."""
MARGIN_S = 1.0
"""What begins this long before the end of a lease has begun before it."""


class AnotherWorker(OperatorError):
    """Another process, the ``holder``, works on this database. Exit code 2."""

    code = "worker.another"

    def __init__(self, message: str, holder: str) -> None:
        super().__init__(message)
        self.holder = holder


class BucketsLost(OperatorError):
    """The lease ran out and another process took the buckets: what is in memory is void."""

    code = "worker.lost"


class Leased:
    """Buckets of one worker, under one lease. ``alone`` takes all of them and shares none.

    Raises :class:`AnotherWorker` where it is to be alone and isn't.
    """

    def __init__(self, database: Database, *, alone: bool, lease_us: int = LEASE_US) -> None:
        self._database = database
        self._alone = alone
        self._lease_us = lease_us
        self._worker = secrets.token_hex(8)
        self._epoch = 1
        self._lock = threading.Lock()
        self._buckets: tuple[int, ...] = ()
        self._surplus: frozenset[int] = frozenset()
        self._until = 0.0
        self.rank = Rank()
        self.lost = False
        self._renewing_s = self.heartbeat_s = lease_us / HEARTBEATS / 1_000_000
        self._join(f"{socket.gethostname()} process {os.getpid()}")

    @property
    def buckets(self) -> tuple[int, ...]:
        """Which are ours, in order."""
        return self._buckets

    @property
    def mine(self) -> bool:
        """Whether the lease lasts, by this process's stopwatch."""
        return stopwatch() < self._until

    def require(self) -> None:
        """Raise :class:`BucketsLost` where they were."""
        if self.lost:
            raise self._lost()

    def surplus(self) -> frozenset[int]:
        """Those beyond a fair share, as of the last heartbeat."""
        return self._surplus

    def heartbeat(self) -> frozenset[int]:
        """Renew the lease, then look who else is there; the buckets that came."""
        with self._lock:
            began = stopwatch()
            with self._database.write(alone=False) as connection:
                renewed = workers.renew(connection, self._worker, self._epoch, self._lease_us)
            if not renewed:
                raise self._lost()
            self._lasts_from(began)
            before = frozenset(self._buckets)
            with self._database.write(alone=False) as connection:
                workers.one_at_a_time(connection, self._lease_us)
                share = self._settle(connection)
                mine = workers.owned(connection, self._worker)
            self._keep(mine, share)
            return frozenset(mine) - before

    def give(self, buckets: Collection[int]) -> None:
        """Let go of buckets that nothing is held of in memory."""
        with self._lock:
            left = tuple(bucket for bucket in self._buckets if bucket not in buckets)
            gone = [bucket for bucket in self._buckets if bucket in buckets]
            self._buckets, self._surplus = left, self._surplus.difference(gone)
            if not gone:
                return
            with self._database.write(alone=False) as connection:
                workers.one_at_a_time(connection, self._lease_us)
                workers.give(connection, self._worker, gone)

    def fence(self, connection: Connection) -> int:
        """Let the transaction be committed only if the epoch is still ours; its receipt."""
        receipt = workers.fence(connection, self._worker, self._epoch, self._lease_us)
        if receipt is None:
            raise self._lost()
        return receipt

    def made(self, receipt: int) -> bool:
        """Whether the transaction of this receipt was committed."""
        with self._database.read() as connection:
            found = workers.commits(connection, self._worker, self._epoch)
        if found is None:
            raise self._lost()
        return found >= receipt

    def release(self) -> None:
        """Give everything up; what can't be given back runs out."""
        with self._lock:
            self._until, self._buckets, self._surplus = 0.0, (), frozenset()
            with suppress(DatabaseUnavailable), self._database.write(alone=False) as connection:
                workers.one_at_a_time(connection, self._lease_us)
                workers.leave(connection, self._worker, self._epoch)

    def _join(self, name: str) -> None:
        began = stopwatch()
        with self._database.write(alone=False) as connection:
            workers.one_at_a_time(connection, self._lease_us)
            workers.bury(connection)
            if self._alone:
                _require_nobody(connection, self._database)
            workers.join(connection, self._worker, name, self._lease_us, alone=self._alone)
            share = self._settle(connection)
            mine = workers.owned(connection, self._worker)
        self._lasts_from(began)
        self._keep(mine, share)

    def _settle(self, connection: Connection) -> int:
        """Free what the dead had and take what is missing to a fair share; how much that is."""
        workers.bury(connection)
        share = BUCKETS if self._alone else self._share(connection)
        missing = share - len(workers.owned(connection, self._worker))
        if missing > 0:
            workers.claim(connection, self._worker, missing)
        return share

    def _share(self, connection: Connection) -> int:
        """As many as everybody else, or one more for the oldest ones: together all of them."""
        live = [one.id for one in workers.live(connection)]
        if self._worker not in live:  # this has taken longer than the lease
            live.append(self._worker)
        self.rank = Rank(live.index(self._worker), len(live))
        each, over = divmod(BUCKETS, self.rank.workers)
        return each + (self.rank.number < over)

    def _keep(self, mine: list[int], share: int) -> None:
        waits = len(mine) < share
        self.heartbeat_s = min(SOON_S, self._renewing_s) if waits else self._renewing_s
        self._buckets, self._surplus = tuple(mine), frozenset(mine[share:])

    def _lasts_from(self, began: float) -> None:
        # The database counts from a later moment: our end of the lease is never behind its end.
        self._until = began + self._lease_us / 1_000_000 - MARGIN_S

    def _lost(self) -> BucketsLost:
        self._until, self._buckets, self._surplus = 0.0, (), frozenset()
        self.lost = True
        return BucketsLost(
            "the lease of this process ran out and another one took its users over; whatever was"
            " not committed is done there"
        )


def require_nobody(database: Database) -> None:
    """Raise :class:`AnotherWorker` where a worker's lease lasts. For any version's database."""
    with database.read() as connection:
        if workers.are_known(connection):
            _require_nobody(connection, database)


def _require_nobody(connection: Connection, database: Database) -> None:
    live = workers.live(connection)
    if live:
        raise AnotherWorker(
            f"{live[0].name} works on {database.name}; wait until it is done, or end it (a killed"
            f" one counts for {live[0].left_s} s more)",
            live[0].name,
        )
