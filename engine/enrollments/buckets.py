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

from engine.core.expressions.assignment import BUCKETS
from engine.db.sqlite import WORKER_LOCK
from engine.endpoints.limits import Rank
from engine.enrollments.leases import (
    LEASE_US,
    AnotherWorker,
    BucketsLost,
    Leased,
    require_nobody,
)
from engine.enrollments.store import workers
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
    "is_worked",
    "nobody_working",
    "works_alone",
]

HEARTBEAT_S = 10.0
"""How often the heartbeat of a lock is to be called, which does nothing."""


class Owned(Protocol):
    """Buckets that this process owns. Every method may be called by any thread.

    ``heartbeat_s`` is how often :meth:`heartbeat` is to be called; ``rank`` says which of how many
    workers this one is, as of the last; ``lost`` that another process took the buckets: they don't
    come back, :func:`acquire` others.
    """

    heartbeat_s: float
    rank: Rank
    lost: bool

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

    def require(self) -> None:
        """Raise BucketsLost where another process took them."""
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


def acquire(database: Database, *, shared: bool = False, lease_s: int | None = None) -> Owned:
    """Own buckets of the database: all of them or, with ``shared``, a fair share beside other
    workers (SQLite: all). ``shared`` may begin with none, and gets them by heartbeats. ``lease_s``
    is how long they are kept for a process that stands still (None: 30 s; SQLite: for ever).

    Raises :class:`AnotherWorker` naming who has them, :class:`DatabaseUnavailable`.
    """
    if database.is_file:
        return _locked(database.path, alone=not shared)
    if not shared:
        require_nobody(database)  # a look, before it takes its turn among those who come and go
    lease_us = LEASE_US if lease_s is None else lease_s * 1_000_000
    return Leased(database, alone=not shared, lease_us=lease_us)


def works_alone(database: Database, connection: Connection) -> bool:
    """Whether the users are with a process that works a task of its own and nothing else, as a run.

    Inside a transaction that writes alone, False means more: who comes after that and is such a
    process finds, once it begins to read, what this transaction has written.
    """
    if not database.is_file:
        return any(worker.alone for worker in workers.live(connection))
    try:
        said = _lock_of(database.path).read_text(errors="replace")
    except OSError:
        return False
    return said.split()[1:] == [_ALONE]


def is_worked(database: Database) -> bool:
    """Whether somebody seems to work on the database. Looking is in nobody's way: a worker that
    begins at this moment isn't refused for it. On SQLite, whoever works where this process can't
    see his isn't seen (in another container): :func:`acquire` knows.
    """
    if not database.is_file:
        with database.read() as connection:
            return bool(workers.live(connection))
    try:
        os.kill(int(_lock_of(database.path).read_text().split()[0]), 0)
    except PermissionError:  # it lives, as somebody else's
        return True
    except (OSError, ValueError, IndexError):
        return False
    return True


@contextmanager
def nobody_working(database: Database) -> Iterator[None]:
    """No worker works on the database as long as this is open; for PostgreSQL, none does when it is
    opened. For a database of whatever version. Raises :class:`AnotherWorker`.
    """
    if not database.is_file:
        require_nobody(database)
        yield
        return
    owned = _locked(database.path, alone=True)
    try:
        yield
    finally:
        owned.release()


class WholeFile:
    """All buckets of a SQLite database, as long as this is open."""

    __slots__ = ("_file", "heartbeat_s", "lost", "rank")

    buckets = tuple(range(BUCKETS))

    def __init__(self, file: int) -> None:
        self._file = file
        self.heartbeat_s = HEARTBEAT_S
        self.rank = Rank()
        self.lost = False

    @property
    def mine(self) -> bool:
        """The lock lasts as long as its file is open."""
        return self._file >= 0

    def require(self) -> None:
        """Nobody takes them."""

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


_ALONE = "alone"


def _lock_of(database: Path) -> Path:
    """The file that its worker locks: it says which process that is."""
    return database.with_name(f"{database.name}{WORKER_LOCK}")


def _locked(database: Path, *, alone: bool) -> WholeFile:
    path = _lock_of(database)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseUnavailable(
            f"{path} can't be written: {error.strerror}; make its folder writable"
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        said = os.read(file, 20).decode(errors="replace").split()
        os.close(file)
        holder = f"process {said[0] if said else 'unknown'}"
        message = f"{holder} works on {database}; wait until it is done, or end it"
        raise AnotherWorker(message, holder) from None
    os.ftruncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n{_ALONE if alone else ''}\n".encode(), 0)
    return WholeFile(file)
