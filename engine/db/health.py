"""Whether a database is sound: for ``journey doctor``."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.db.connect import Database

OLDEST_SQLITE = (3, 40, 0)
MOST_DAMAGES = 3


def sqlite_version() -> tuple[int, int, int]:
    """The version of the SQLite library this Python has."""
    major, minor, patch = sqlite3.sqlite_version_info
    return major, minor, patch


def damages(database: Database) -> tuple[str, ...]:
    """What SQLite finds wrong with the file, the first few; () for a sound one. Reads all of it.
    A PostgreSQL server looks after its files itself.
    """
    if not database.is_file:
        return ()
    with database.read() as connection:
        rows = connection.exec_driver_sql(f"PRAGMA quick_check({MOST_DAMAGES})").scalars().all()
    return () if rows == ["ok"] else tuple(str(row) for row in rows)


def lacking(database: Database) -> tuple[str, ...]:
    """The tables of this version that the database lacks, and TABLE.COLUMN of columns."""
    # As in schema.py: a fifth of a second, and 13 MB, that no process needs to go on.
    from sqlalchemy import inspect  # noqa: PLC0415

    from engine.db.tables import metadata  # noqa: PLC0415

    with database.read() as connection:
        columns = inspect(connection).get_multi_columns()
    there = {table: {column["name"] for column in found} for (_, table), found in columns.items()}
    return tuple(
        name
        for table in metadata.sorted_tables
        for name in (
            [f"{table.name}.{c.name}" for c in table.columns if c.name not in there[table.name]]
            if table.name in there
            else [table.name]
        )
    )


def require_writable(database: Database) -> None:
    """Take the write lock and give it back. Raises DatabaseUnavailable where that can't be done."""
    with database.write():
        pass
