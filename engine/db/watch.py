"""Noticing that another process has written, without reading any table."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.db.connect import Database

LOOK_EACH_S = 0.02
"""How often to look: 4 µs of CPU each."""


class Watch:
    """Looks at one database, from one thread."""

    def __init__(self, database: Database) -> None:
        self.each_s = LOOK_EACH_S
        self._connection = sqlite3.connect(database.path, check_same_thread=False)
        self._connection.isolation_level = None
        self._version = 0

    def changed(self) -> bool:
        """Whether any other connection has committed since the last look; True on the first. A
        database that can't be read counts as changed: whoever reads it then meets the reason.
        """
        try:
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return True
        changed = bool(version != self._version)
        self._version = version
        return changed

    def close(self) -> None:
        """Look no more."""
        self._connection.close()
