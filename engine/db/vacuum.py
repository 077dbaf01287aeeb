"""What deleted rows leave behind in the files, and how they are rid of it.

SQLite overwrites what is deleted (``secure_delete``). A copy may still stand in the write-ahead
log until that is emptied, and in pages whose rows were moved around until they are written anew:
https://www.sqlite.org/pragma.html#pragma_secure_delete
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from engine.clock import stopwatch
from engine.db.upkeep import give_back, pages

if TYPE_CHECKING:
    from engine.db.connect import Database

_READERS_S = 1.0
_AT_ONCE = 250
"""So many pages are given back in one transaction: some milliseconds, in which nobody writes."""


def wipe(database: Database, *, anew: bool = False, within_s: float = math.inf) -> bool:
    """Rid the files of what was deleted: of empty pages and the log, and with ``anew`` of all else
    by writing the file anew. False where somebody who reads keeps the log from being emptied. With
    ``within_s`` no more empty pages are begun with after that, and nobody who reads is waited for
    longer than a second, in which nobody could write.

    PostgreSQL's files are its own to vacuum.
    """
    if not database.is_file:
        return True
    if anew:
        rewrite(database)
    else:
        drop_empty_pages(database, within_s)
    return empty_log(database, None if within_s == math.inf else _READERS_S)


def drop_empty_pages(database: Database, within_s: float = math.inf) -> None:
    """Take the pages off the file that are empty now: SQLite doesn't overwrite a page that is given
    up whole. A file that can't shrink keeps them.
    """
    found, until = pages(database), stopwatch() + within_s
    for left in range(found.free if found.shrinks else 0, 0, -_AT_ONCE):
        if stopwatch() < until:
            give_back(database, min(left, _AT_ONCE))


def empty_log(database: Database, patience_s: float | None = None) -> bool:
    """Write the write-ahead log into the database and empty it; False where somebody who reads
    stands in the way for longer than ``patience_s`` (None: as any write is waited for).
    """
    with database.untouched() as connection:
        if patience_s is not None:
            connection.execute(f"PRAGMA busy_timeout={int(patience_s * 1000)}")
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    return not busy


def rewrite(database: Database) -> None:
    """Write the whole file anew, row by row: nothing that was deleted is left in it. Nobody else
    can write meanwhile, and as much free space is needed as the database is large.
    """
    with database.untouched() as connection:
        connection.execute("VACUUM")
