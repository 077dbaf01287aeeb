"""What deleted rows leave behind in the files, and how they are rid of it.

SQLite overwrites what is deleted (``secure_delete``). A copy may still stand in the write-ahead
log until that is emptied, and in pages whose rows were moved around until they are written anew:
https://www.sqlite.org/pragma.html#pragma_secure_delete
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.clock import stopwatch
from engine.db.upkeep import cut_log, give_back, pages
from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from engine.db.connect import Database

_AT_ONCE = 250
"""So many pages are given back in one transaction: some milliseconds, in which nobody writes."""


def wipe(database: Database, *, anew: bool) -> bool:
    """Rid the files of what was deleted: of empty pages and the log, and with ``anew`` of all else
    by writing the file anew. False where somebody who reads keeps the log from being emptied.

    PostgreSQL's files are its own to vacuum.
    """
    if not database.is_file:
        return True
    if anew:
        rewrite(database)
    else:
        drop_empty_pages(database)
    return empty_log(database)


def wipe_beside_others(database: Database, within_s: float) -> None:
    """The same as far as it takes ``within_s`` and nobody is kept waiting: what a server can do
    behind a deletion. What can't be written now is left to :func:`wipe` and to later vacuums.
    """
    if database.is_file:
        with suppress(DatabaseUnavailable):
            drop_empty_pages(database, within_s)
            cut_log(database)


def drop_empty_pages(database: Database, within_s: float | None = None) -> None:
    """Take the pages off the file that are empty now: SQLite doesn't overwrite a page that is given
    up whole. A file that can't shrink keeps them. After ``within_s`` the rest are left.
    """
    found, until = pages(database), stopwatch() + (within_s or math.inf)
    for left in range(found.free if found.shrinks else 0, 0, -_AT_ONCE):
        if stopwatch() >= until:
            break
        give_back(database, min(left, _AT_ONCE), within_s)


def empty_log(database: Database) -> bool:
    """Write the write-ahead log into the database and empty it; False where somebody who reads
    stands in the way.
    """
    with database.untouched() as connection:
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    return not busy


def rewrite(database: Database) -> None:
    """Write the whole file anew, row by row: nothing that was deleted is left in it. Nobody else
    can write meanwhile, and as much free space is needed as the database is large.
    """
    with database.untouched() as connection:
        connection.execute("VACUUM")
