"""Noticing that another process may have written, as cheaply as the database allows."""

from __future__ import annotations

import math
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from engine.clock import stopwatch
from engine.db.file_events import FileEvents

if TYPE_CHECKING:
    from engine.db.connect import Database

LOOK_EACH_S = 0.02
"""How often to look at a file where the system doesn't tell: 4 µs of CPU each."""
LOOK_ANYWAY_S = 5.0
"""How often to look where it does."""
SOON_S, LONGEST_S = 0.001, 0.128
"""The system tells when a commit begins to be written, and it counts when that has reached the
disk: so long it is looked for, less and less often."""
ASK_EACH_S = 0.2
"""How often to ask a server, which costs it and us a query."""


class Watch(Protocol):
    """Looks at one database, from one thread. ``each_s`` is how often to look while idle."""

    each_s: float

    @property
    def file(self) -> int | None:
        """What can be read once there may be something to see; None: nobody tells."""
        ...

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
        self._connection = sqlite3.connect(database.path, check_same_thread=False)
        self._connection.isolation_level = None
        self._version = 0
        with suppress(sqlite3.Error):  # whoever reads makes the log
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        self._events = FileEvents(database.path.with_name(f"{database.path.name}-wal"))
        self._rarest = LOOK_EACH_S if self._events.fd is None else LOOK_ANYWAY_S
        self.each_s = self._rarest

    @property
    def file(self) -> int | None:
        """The system's word about the log."""
        return self._events.fd

    def changed(self) -> bool:
        """Whether any other connection has committed. A database that can't be read counts as
        changed: whoever reads it then meets the reason.
        """
        if self._events.clear():
            self.each_s = SOON_S
        elif self.each_s < self._rarest:
            self.each_s = 1.5 * self.each_s if self.each_s < LONGEST_S else self._rarest
        try:
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return True
        changed = bool(version != self._version)
        self._version = version
        return changed

    def close(self) -> None:
        """Close the connection."""
        self._events.close()
        self._connection.close()


class _ServerWatch:
    """Knows nothing, so it has the caller look now and then."""

    def __init__(self) -> None:
        self.each_s = ASK_EACH_S
        self._last = -math.inf

    @property
    def file(self) -> None:
        """Nobody tells."""
        return

    def changed(self) -> bool:
        """Whether it is time to look again."""
        now = stopwatch()
        if now - self._last < self.each_s:
            return False
        self._last = now
        return True

    def close(self) -> None:
        """Nothing is open."""
