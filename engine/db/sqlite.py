"""A SQLite file: how it is named, how it is opened, and what its errors mean.

WAL, ``synchronous=FULL``, ``BEGIN IMMEDIATE`` for every write: a transaction that reads and then
writes under plain ``BEGIN`` fails as soon as another process writes in between.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.exc import DBAPIError

from engine.clock import rest, stopwatch
from engine.errors import DatabaseUnavailable, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL, Connection, Engine

BUSY_TIMEOUT_MS = 30_000
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.0005, 0.004
"""Between two tries to begin a transaction that writes."""
# The driver asks whatever isn't a number or a text how it is to be stored. For what has no adapter
# it looks for methods that nobody has: 0.7 us for each NULL, of which a user's rows have forty.
_NULL: dict[None, None] = {}
sqlite3.register_adapter(type(None), _NULL.get)  # a function in C that gives None for None
sqlite3.register_adapter(bytes, bytes)
WORKER_LOCK = ".worker"
"""What follows a database's name in that of the file its worker locks."""
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys=ON",
    # 32 MiB: what is in none of these pages the system has, and that costs a user nothing more.
    "PRAGMA cache_size=-32768",
    "PRAGMA temp_store=MEMORY",
    # A page that many commits change is copied back once: a checkpoint each 32 MB, not each 4.
    "PRAGMA wal_autocheckpoint=8000",
    # What is deleted is overwritten, where that writes no page more: who was erased isn't found in
    # the unused parts of others.
    "PRAGMA secure_delete=FAST",
)


def path_of(url: URL) -> Path:
    """The file that a URL names. Raises :class:`SettingsError`."""
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


def open_engine(path: Path) -> Engine:
    """The engine of a file. Nothing is opened yet."""
    engine = create_engine(
        f"sqlite:///{path}",
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        if not pages:  # else it would write to the file, and wait for whoever does
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        patience_s: float | None = connection.get_execution_options().get("patience_s")
        driver: Any = connection.connection.driver_connection
        if patience_s is not None:
            _take_the_lock(driver, patience_s)
        else:
            driver.execute("BEGIN")

    return engine


def _take_the_lock(connection: sqlite3.Connection, patience_s: float) -> None:
    """Begin a transaction that writes. SQLite's own waiting is for locks that are held long: its
    pauses grow to a tenth of a second, and whoever comes meanwhile is served before.
    """
    until, pause = stopwatch() + patience_s, _SHORTEST_PAUSE_S
    connection.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if _code(error) != sqlite3.SQLITE_BUSY or stopwatch() >= until:
                    raise
            else:
                return
            rest(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
    finally:
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


@contextmanager
def untouched(path: Path) -> Iterator[sqlite3.Connection]:
    """The driver's own connection to a file, without the pragmas that change it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        yield connection


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


def locked(name: str) -> DatabaseUnavailable:
    """What is said of a file that somebody else writes to for too long."""
    return DatabaseUnavailable(f"the database {name} {_UNAVAILABLE[sqlite3.SQLITE_BUSY]}")


def _code(error: Exception) -> int:
    original = error.orig if isinstance(error, DBAPIError) else error
    code: int = getattr(original, "sqlite_errorcode", 0)
    return code & _PRIMARY


def meaning(name: str, error: Exception) -> Exception:
    """What an error of the driver says to an operator; the error itself where it is a bug's."""
    code = _code(error)
    if code in _BROKEN:
        return SettingsError(
            f"{name} is damaged or not a database; restore it from a backup,"
            " or name another file with --database",
            code="settings.database",
        )
    if code in _UNAVAILABLE:
        return DatabaseUnavailable(f"the database {name} {_UNAVAILABLE[code]}")
    return error
