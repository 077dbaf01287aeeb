"""The small read that makes rotation live."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, cast

from engine.credentials.live_versions import LiveEndpoint
from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from engine.db.connect import Database

_ENDPOINT = (
    "SELECT e.id, e.version, e.profile_id, coalesce(p.version, 0), e.auth_lost FROM endpoints e"
    " LEFT JOIN auth_profiles p ON p.id = e.profile_id WHERE e.name = ?"
)


class SQLiteVersions:
    """Reads on a connection of its own, on the thread that asks.

    In WAL mode a reader never waits for a writer. ``PRAGMA data_version`` changes with every commit
    of any other connection, in this process or another one; as long as it stands still, what was
    read before is what stands now.
    """

    def __init__(self, database: Database) -> None:
        pooled = database.engine.raw_connection()
        pooled.detach()
        self._connection = cast("sqlite3.Connection", pooled.dbapi_connection)
        self._seen = -1
        self._known: dict[str, LiveEndpoint | None] = {}

    def read(self, names: set[str]) -> dict[str, LiveEndpoint]:
        """The endpoints of these names that exist, as committed when the call began.

        Raises :class:`DatabaseUnavailable`.
        """
        try:
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if version != self._seen:
                self._known.clear()
                self._seen = version
            for name in names.difference(self._known):
                row = self._connection.execute(_ENDPOINT, (name,)).fetchone()
                self._known[name] = None if row is None else LiveEndpoint(*row)
        except sqlite3.Error as error:
            self._seen = -1
            raise DatabaseUnavailable(
                f"the endpoints' versions can't be read: {error.sqlite_errorname}"
            ) from None
        return {name: found for name in names if (found := self._known[name]) is not None}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
