"""The one door to the database: opening it, reading, writing, and what its errors mean.

SQLite: WAL, ``synchronous=FULL``, ``BEGIN IMMEDIATE`` for every write (a transaction that reads and
then writes under plain ``BEGIN`` fails as soon as another process writes in between), one writer at
a time per process.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlmodel import Session

from engine.errors import DatabaseUnavailable, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Engine

__all__ = ["Connection", "Database", "Session"]

BUSY_TIMEOUT_MS = 30_000
WORKER_LOCK = ".worker"
"""What follows a database's name in that of the file its worker locks."""
_PRAGMAS = (
    # Heard while the file is empty only: pages that are given up can then be taken off its end.
    "PRAGMA auto_vacuum=INCREMENTAL",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
    # A page that many commits change is copied back once: a checkpoint each 32 MB, not each 4.
    "PRAGMA wal_autocheckpoint=8000",
)


class Database:
    """An open database. ``path`` is the SQLite file.

    Raises :class:`SettingsError` for a URL it can't use and :class:`DatabaseUnavailable` where the
    database can't be reached or written.
    """

    def __init__(self, url: str) -> None:
        self.path = _sqlite_path(url)
        self.engine = _open(self.path)
        self._writing = threading.RLock()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection inside one read transaction: everything it sees is of one moment."""
        with _translated(self.path), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, waits: int = 2) -> Iterator[Connection]:
        """A connection inside one write transaction: committed at the end, rolled back on error.

        Another process's lock is waited for ``waits`` times half a minute.
        """
        with (
            _translated(self.path),
            self._writing,
            self.engine.connect().execution_options(waits=waits) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session over one read transaction."""
        with self.read() as connection, Session(bind=connection) as session:
            yield session

    @contextmanager
    def write_session(self) -> Iterator[Session]:
        """A session over one write transaction; flushed and committed at the end."""
        with (
            self.write() as connection,
            Session(bind=connection, expire_on_commit=False) as session,
        ):
            yield session
            session.flush()

    @contextmanager
    def untouched(self) -> Iterator[sqlite3.Connection]:
        """The driver's own connection to a file that may be another program's: opening it changes
        nothing, while every other one here turns the file to WAL.
        """
        with _translated(self.path), closing(sqlite3.connect(self.path)) as connection:
            connection.isolation_level = None
            connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _sqlite_path(url: str) -> Path:
    if url.startswith(("postgresql", "postgres")):
        raise SettingsError(
            "PostgreSQL isn't supported by this version yet; use a SQLite file:"
            " --database sqlite:///path/engine.db",
            code="settings.database",
        )
    try:
        parsed = make_url(url) if "://" in url else make_url(f"sqlite:///{url}")
    except ArgumentError:
        raise SettingsError(
            "the database URL can't be read; write sqlite:///path/engine.db",
            code="settings.database",
        ) from None
    if parsed.get_backend_name() == "sqlite":
        return _file_of(parsed)
    raise SettingsError(
        f"databases of kind {parsed.get_backend_name()!r} aren't supported;"
        " use sqlite:///path/engine.db",
        code="settings.database",
    )


def _file_of(url: URL) -> Path:
    name = url.database or ""
    if not name or name == ":memory:" or "\0" in name:
        raise SettingsError(
            "the database URL names no file; write sqlite:///path/engine.db",
            code="settings.database",
        )
    if url.host or url.query or name.startswith("file:"):
        raise SettingsError(
            "the database URL takes a path and nothing else; write sqlite:///path/engine.db"
            " (four slashes for a path from the root)",
            code="settings.database",
        )
    return Path(name)


def _open(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        waits = connection.get_execution_options().get("waits", 0)
        if not waits:
            connection.exec_driver_sql("BEGIN")
        for left in range(waits - 1, -1, -1):
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                break
            except DBAPIError as error:
                if left == 0 or _code(error) != sqlite3.SQLITE_BUSY:
                    raise

    return engine


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        raise _meaning(path, error) from None


_PRIMARY = 0xFF
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: "is locked by another process; end it or wait",
    sqlite3.SQLITE_LOCKED: "is locked; wait and try again",
    sqlite3.SQLITE_READONLY: "can't be written; make file and folder writable",
    sqlite3.SQLITE_FULL: "can't grow, the disk is full; free some space",
    sqlite3.SQLITE_IOERR: "can't be read or written, the disk reports an error",
    sqlite3.SQLITE_CANTOPEN: "can't be opened; check that folder and file exist and may be written",
    sqlite3.SQLITE_PERM: "may not be opened; check its permissions",
    sqlite3.SQLITE_AUTH: "may not be opened; check its permissions",
}


def _code(error: Exception) -> int:
    original = error.orig if isinstance(error, DBAPIError) else error
    code: int = getattr(original, "sqlite_errorcode", 0)
    return code & _PRIMARY


def _meaning(path: Path, error: Exception) -> Exception:
    code = _code(error)
    if code in _BROKEN:
        return SettingsError(
            f"{path} is damaged or not a database; restore it from a backup,"
            " or name another file with --database",
            code="settings.database",
        )
    if code in _UNAVAILABLE:
        return DatabaseUnavailable(f"the database {path} {_UNAVAILABLE[code]}")
    return error
