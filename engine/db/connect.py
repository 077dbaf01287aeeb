"""The one door to the database: opening it, reading, writing, and what its errors mean.

SQLite and PostgreSQL behave alike through it. One write at a time, unless the writer says that it
settles with others row by row: then what was read stands until the end of the transaction.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoneLeft

from engine.clock import stopwatch
from engine.db import postgresql, sqlite
from engine.errors import DatabaseUnavailable, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import Engine

__all__ = ["Connection", "Database", "IntegrityError"]

_SNAPSHOT = "REPEATABLE READ"


class Database:
    """An open database. ``name`` is how messages call it: the file, or the URL without a password.

    Raises :class:`SettingsError` for a URL it can't use and :class:`DatabaseUnavailable` where the
    database can't be reached or written.
    """

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self._path: Path | None = None
        self.engine: Engine
        if parsed.get_backend_name() == "sqlite":
            self._path = sqlite.path_of(parsed)
            self.name = str(self._path)
            self.engine = sqlite.open_engine(self._path)
        else:
            self.name = postgresql.name_of(parsed)
            self.engine = postgresql.open_engine(parsed)
        self._writing = threading.RLock()

    @property
    def is_file(self) -> bool:
        """Whether it is a file of ours (SQLite), and no server's."""
        return self._path is not None

    @property
    def path(self) -> Path:
        """The file, of a database that :attr:`is_file`."""
        if self._path is None:
            raise ValueError(f"{self.name} is no file")
        return self._path

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection inside one read transaction: everything it sees is of one moment."""
        with self.translated(), self.engine.connect() as connection:
            if not self.is_file:
                connection.execution_options(isolation_level=_SNAPSHOT)
            with connection.begin():
                yield connection

    @contextmanager
    def write(
        self, *, waits: int = 2, alone: bool = True, within_s: float | None = None
    ) -> Iterator[Connection]:
        """A connection inside one write transaction: committed at the end, rolled back on error.

        Another process's lock is waited for ``waits`` times half a minute; ``within_s``: for so
        many seconds, with whoever else waits for it in this process. Between the first
        statement and the end nobody else writes; without ``alone`` PostgreSQL lets others write
        meanwhile who do likewise: for what decides over single rows by its own statements.
        """
        with self.translated():
            if self.is_file:
                with (
                    self._turn(waits * sqlite.BUSY_TIMEOUT_MS / 1000, within_s) as patience_s,
                    self.engine.connect().execution_options(patience_s=patience_s) as connection,
                    connection.begin(),
                ):
                    yield connection
            else:
                with self.engine.connect() as connection, connection.begin():
                    if within_s is not None:
                        postgresql.wait_for_locks(connection, within_s)
                    if alone:
                        connection.exec_driver_sql("SELECT 1 FROM installation FOR UPDATE")
                    yield connection

    @contextmanager
    def _turn(self, patience_s: float, within_s: float | None) -> Iterator[float]:
        """This process's turn to write to the file; for how long others are waited for then."""
        since = stopwatch()
        if not self._writing.acquire(timeout=-1 if within_s is None else within_s):
            raise sqlite.locked(self.name)
        try:
            yield patience_s if within_s is None else max(0.0, within_s - (stopwatch() - since))
        finally:
            self._writing.release()

    @contextmanager
    def untouched(self) -> Iterator[sqlite3.Connection]:
        """The driver's own connection to a file that may be another program's: opening it changes
        nothing, while every other one here turns the file to WAL.
        """
        with self.translated(), sqlite.untouched(self.path) as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """What the driver raises inside is raised as what it says to an operator."""
        meaning = sqlite.meaning if self.is_file else postgresql.meaning
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise meaning(self.name, error) from None
        except NoneLeft:
            raise DatabaseUnavailable(
                f"every connection that this process may have to the database {self.name} is in"
                " use: look who holds its locks, and try again"
            ) from None


def _parsed(url: str) -> URL:
    """The URL of a database of a kind we have; what has no ``://`` is a file's path."""
    try:
        parsed = make_url(url) if "://" in url else make_url(f"sqlite:///{url}")
    except ArgumentError:
        raise SettingsError(
            "the database URL can't be read; write sqlite:///path/engine.db"
            " or postgresql://user@host/database",
            code="settings.database",
        ) from None
    if parsed.drivername == "postgres":
        parsed = parsed.set(drivername="postgresql")
    if parsed.drivername in ("sqlite", "sqlite+pysqlite", "postgresql", postgresql.DRIVER):
        return parsed
    raise SettingsError(
        f"databases of kind {parsed.drivername!r} aren't supported;"
        " use sqlite:///path/engine.db or postgresql://user@host/database",
        code="settings.database",
    )
