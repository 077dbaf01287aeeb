"""Who owns the users. On SQLite: one worker, all buckets, by a lock on a file beside the database.

The lock goes with the process that holds it, so a killed worker's buckets are free at once.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from engine.db.sqlite import WORKER_LOCK
from engine.errors import DatabaseUnavailable, OperatorError

if TYPE_CHECKING:
    from pathlib import Path


class AnotherWorker(OperatorError):
    """Another process works on this database. Exit code 2."""

    code = "worker.another"


class Buckets:
    """All buckets of a SQLite database, as long as this is open."""

    __slots__ = ("_file",)

    def __init__(self, file: int) -> None:
        self._file = file

    @property
    def mine(self) -> bool:
        """Still ours: the lock lasts as long as it is open."""
        return self._file >= 0

    def release(self) -> None:
        """Give them up."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def acquire(database: Path) -> Buckets:
    """Take all buckets of the database, or raise :class:`AnotherWorker` naming who has them."""
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
    return Buckets(file)
