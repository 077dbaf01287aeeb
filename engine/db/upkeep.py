"""What a SQLite file needs now and then: pages given back, its log cut, a copy made.

PostgreSQL does the first two by itself and has its own tools for the third.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.db.health import MOST_DAMAGES
from engine.db.schema import APPLICATION_ID
from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from engine.db.connect import Database

_INCREMENTAL = 2
_CHECKPOINT_WAITS_MS = 100
"""A checkpoint that cuts the log keeps writers out while it waits for readers."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a file. ``free`` are empty; ``shrinks`` says that they can be given back."""

    total: int
    free: int
    size: int
    shrinks: bool


def pages(database: Database) -> Pages:
    """How many pages the file has, and how many of them are empty."""
    with database.read() as connection:
        total, free, size, mode = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_count", "freelist_count", "page_size", "auto_vacuum")
        )
    return Pages(total, free, size, mode == _INCREMENTAL)


def give_back(database: Database, most: int, within_s: float | None = None) -> None:
    """Take up to ``most`` empty pages off the file, in one short transaction. Whoever writes is
    waited for ``within_s`` (None: as any write waits).
    """
    with database.write(within_s=within_s) as connection:
        for _ in range(most):  # asked for many, it frees one at each step of the statement
            connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")


def log_size(database: Database) -> int:
    """The bytes of the write-ahead log."""
    try:
        return database.path.with_name(f"{database.path.name}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def cut_log(database: Database) -> bool:
    """Write the log into the file and cut it to nothing; False where somebody reads from it still.

    Writers are kept waiting for a tenth of a second more than the writing takes.
    """
    with database.untouched() as connection:
        connection.execute(f"PRAGMA busy_timeout={_CHECKPOINT_WAITS_MS}")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()  # without keeping anybody
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def copy_to(database: Database, path: Path) -> None:
    """Copy the database as it stands at one moment to the new file ``path`` (mode 0600), durably.

    Others read and write meanwhile. Raises DatabaseUnavailable where either can't be read or
    written.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise DatabaseUnavailable(f"{path} can't be written: {error.strerror}") from None
    with database.untouched() as source:
        try:
            with closing(sqlite3.connect(path)) as target:
                source.backup(target)
        except sqlite3.Error as error:
            # Said here: the database's own errors are told with its own name.
            raise DatabaseUnavailable(f"the copy {path} can't be made: {error}") from None
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def problem_of_copy(path: Path) -> str | None:
    """Why a copy can't take the database's place; None where it can. Reads all and changes nothing.

    What it doesn't see is a flipped bit inside of a value: that takes a checksum.
    """
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            (found,) = connection.execute("PRAGMA application_id").fetchone()
            rows = connection.execute(f"PRAGMA quick_check({MOST_DAMAGES})").fetchall()
    except sqlite3.Error as error:
        return str(error)
    if found != APPLICATION_ID:
        return "it is a database of another program"
    return None if rows == [("ok",)] else "; ".join(str(row[0]) for row in rows)
