"""What deleted rows leave behind in the files, and how they are rid of it.

SQLite overwrites what is deleted (``secure_delete``). A copy may still stand in the write-ahead
log until that is emptied, and in pages whose rows were moved around until they are written anew:
https://www.sqlite.org/pragma.html#pragma_secure_delete
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.db.connect import Database


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
