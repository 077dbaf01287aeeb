"""Who owns the users: which buckets a worker may work, and what keeps everybody else from them.

A worker owns buckets of users (the last byte of a hash of the user's id). Whatever it commits for
them passes its fence; whatever it puts on the wire, it puts there while :attr:`Owned.mine`.

SQLite: one worker, all buckets, by a lock on a file beside the database, which goes with the
process that holds it, so a killed worker's buckets are free at once. PostgreSQL: leases
(:mod:`engine.enrollments.leases`).
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from engine.db.sqlite import WORKER_LOCK
from engine.enrollments.leases import AnotherWorker, BucketsLost, Leased, require_nobody
from engine.enrollments.store.workers import BUCKETS
from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from engine.db.connect import Connection, Database

__all__ = [
    "BUCKETS",
    "HEARTBEAT_S",
    "AnotherWorker",
    "BucketsLost",
    "Owned",
    "acquire",
    "nobody_working",
]

HEARTBEAT_S = 10.0
"""How often :meth:`Owned.heartbeat` is to be called: three times a lease."""


class Owned(Protocol):
    """Buckets that this process owns. Every method may be called by any thread."""

    @property
    def buckets(self) -> tuple[int, ...]:
        """Which, in order. More may come with a heartbeat; none goes but by :meth:`give`, or all
        at once where the lease was lost.
        """
        ...

    @property
    def mine(self) -> bool:
        """Whether they are ours beyond doubt: nothing is put on the wire when they aren't."""
        ...

    def heartbeat(self) -> frozenset[int]:
        """Renew the lease, take over from the dead, take a fair share of what is free; the buckets
        that came. Raises BucketsLost where another process took ours, DatabaseUnavailable.
        """
        ...

    def surplus(self) -> frozenset[int]:
        """Buckets beyond a fair share, as of the last heartbeat: load nothing more from them, and
        :meth:`give` each once none of its calls is in flight.
        """
        ...

    def give(self, buckets: Collection[int]) -> None:
        """Let go of buckets that nothing is held of in memory. Raises DatabaseUnavailable."""
        ...

    def fence(self, connection: Connection) -> int:
        """The last statement of a transaction that writes what belongs to users: it is committed
        only if they are ours. Returns its receipt, for :meth:`made`. Raises BucketsLost.
        """
        ...

    def made(self, receipt: int) -> bool:
        """Whether the transaction of this receipt, the last one that passed the fence, was
        committed: to be asked where the connection was lost meanwhile. Raises BucketsLost,
        DatabaseUnavailable.
        """
        ...

    def release(self) -> None:
        """Give everything up. Never raises: a lease that can't be given back runs out."""
        ...


def acquire(database: Database, *, shared: bool = False) -> Owned:
    """Own buckets of the database: all of them or, with ``shared``, a fair share beside other
    workers (SQLite: all). ``shared`` may begin with none, and gets them by heartbeats.

    Raises :class:`AnotherWorker` naming who has them, :class:`DatabaseUnavailable`.
    """
    if database.is_file:
        return _locked(database.path)
    return Leased(database, alone=not shared)


@contextmanager
def nobody_working(database: Database) -> Iterator[None]:
    """No worker works on the database as long as this is open; for PostgreSQL, none does when it is
    opened. For a database of whatever version. Raises :class:`AnotherWorker`.
    """
    if not database.is_file:
        require_nobody(database)
        yield
        return
    owned = _locked(database.path)
    try:
        yield
    finally:
        owned.release()


class WholeFile:
    """All buckets of a SQLite database, as long as this is open."""

    __slots__ = ("_file",)

    buckets = tuple(range(BUCKETS))

    def __init__(self, file: int) -> None:
        self._file = file

    @property
    def mine(self) -> bool:
        """The lock lasts as long as its file is open."""
        return self._file >= 0

    def heartbeat(self) -> frozenset[int]:
        """Nothing comes: they are all here."""
        return frozenset()

    def surplus(self) -> frozenset[int]:
        """Nobody else may have any."""
        return frozenset()

    def give(self, buckets: Collection[int]) -> None:
        """Nobody takes them."""

    def fence(self, connection: Connection) -> int:
        """No other worker can have come: the lock is held."""
        return 0

    def made(self, receipt: int) -> bool:
        """A commit that failed wasn't made: the database is in this process."""
        return False

    def release(self) -> None:
        """Let go of the lock."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _locked(database: Path) -> WholeFile:
    path = database.with_name(f"{database.name}{WORKER_LOCK}")
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseUnavailable(
            f"{path} can't be written: {error.strerror}; make its folder writable"
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(file, 20).decode(errors="replace").strip() or "unknown"
        os.close(file)
        raise AnotherWorker(
            f"process {holder} works on {database}; wait until it is done, or end it"
        ) from None
    os.ftruncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return WholeFile(file)
