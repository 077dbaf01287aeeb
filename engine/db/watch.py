"""Noticing that another process may have written, as cheaply as the database allows."""

from __future__ import annotations

import math
import sqlite3
from typing import TYPE_CHECKING, Protocol

from engine.clock import stopwatch

if TYPE_CHECKING:
    from engine.db.connect import Database

LOOK_EACH_S = 0.01
"""How often to look at a file: 4 µs of CPU each."""
ASK_EACH_S = 0.2
"""How often to ask a server, which costs it and us a query."""


class Watch(Protocol):
    """Looks at one database, from one thread. ``each_s`` is how often to look while idle."""

    each_s: float

    def changed(self) -> bool:
        """Whether anything may have been committed since the last look; True on the first."""
        ...

    def close(self) -> None:
        """Look no more."""
        ...


def watch(database: Database) -> Watch:
    """What looks at this database."""
    return _FileWatch(database) if database.is_file else _ServerWatch()


class _FileWatch:
    """Reads no table: SQLite counts the commits of other connections."""

    def __init__(self, database: Database) -> None:
        self.each_s = LOOK_EACH_S
        self._connection = sqlite3.connect(database.path, check_same_thread=False)
        self._connection.isolation_level = None
        self._version = 0

    def changed(self) -> bool:
        """Whether any other connection has committed. A database that can't be read counts as
        changed: whoever reads it then meets the reason.
        """
        try:
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return True
        changed = bool(version != self._version)
        self._version = version
        return changed

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class _ServerWatch:
    """Knows nothing, so it has the caller look now and then."""

    def __init__(self) -> None:
        self.each_s = ASK_EACH_S
        self._last = -math.inf

    def changed(self) -> bool:
        """Whether it is time to look again."""
        now = stopwatch()
        if now - self._last < self.each_s:
            return False
        self._last = now
        return True

    def close(self) -> None:
        """Nothing is open."""
