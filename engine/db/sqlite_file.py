"""The file of a SQLite database: whether it is there, whether it is ours, making it, a copy."""

from __future__ import annotations

import os
import sqlite3
from errno import EACCES
from typing import TYPE_CHECKING

from engine.db.sqlite import WORKER_LOCK
from engine.errors import DatabaseUnavailable, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from engine.db.connect import Database

APPLICATION_ID = 0x4A524E59  # 'JRNY', in the header of every SQLite file we make


def is_there(path: Path) -> bool:
    """Whether there is a file with something in it.

    Raises DatabaseUnavailable for what can't be read, SettingsError for a database that is empty
    now.
    """
    try:
        if not path.exists():
            return False
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "no regular file"
            raise DatabaseUnavailable(f"the database {path} can't be read: it is {kind}")
        if path.stat().st_size > 0:
            return True
        used = path.with_name(f"{path.name}{WORKER_LOCK}").exists()
    except OSError as error:
        raise _unreadable(path, error) from None
    if used:
        raise SettingsError(
            f"{path} was a database and is empty now; restore it from a backup,"
            " or delete it to begin anew",
            code="settings.database",
        )
    return False


def make_file(path: Path) -> None:
    """An empty file that only its owner reads: what SQLite puts beside it is made like it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError as error:
        raise DatabaseUnavailable(
            f"the database {path} can't be made: {error.strerror}; name another with --database"
        ) from None


def require_ours(database: Database) -> bool:
    """Whether the file has its tables: one without any is left by a process that was ended while it
    made the database.

    Raises SettingsError for a file of another program, DatabaseUnavailable for one that can't be
    read or written.

    SQLite itself reads the file: whoever else opens and closes it ends the locks of every other
    connection that this process has to it (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    path = database.path
    if not os.access(path, os.R_OK):
        raise _unreadable(path, PermissionError(EACCES, os.strerror(EACCES)))
    if not os.access(path, os.W_OK):
        # SQLite would make what it puts beside the file as unwritable, and leave it there.
        raise DatabaseUnavailable(
            f"the database {path} can't be written; make file and folder writable"
        )
    with database.untouched() as connection:
        found = _application_id(connection, path)
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables and found in (0, APPLICATION_ID):
        return False
    if found != APPLICATION_ID:
        raise SettingsError(
            f"{path} is a database of another program; name another file with --database",
            code="settings.database",
        )
    return True


def _application_id(connection: sqlite3.Connection, path: Path) -> int:
    try:
        (found,) = connection.execute("PRAGMA application_id").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        raise SettingsError(
            f"{path} is not a database; name another file with --database",
            code="settings.database",
        ) from None
    return int(found)


def copy(database: Database, target: Path) -> None:
    """A copy of the database as it stands, in a file that only its owner reads."""
    with database.untouched() as source:
        target.touch(mode=0o600)
        copied = sqlite3.connect(target)
        try:
            source.backup(copied)
        finally:
            copied.close()


def _unreadable(path: Path, error: OSError) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"the database {path} can't be read: {error.strerror}")
