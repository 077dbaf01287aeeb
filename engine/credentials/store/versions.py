"""The small read that makes rotation live."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, cast

from engine.credentials.live_versions import LiveEndpoint, SharedVersions
from engine.db.commits import commits
from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from engine.credentials.live_versions import LiveVersions
    from engine.db.connect import Connection, Database

_ENDPOINT = (
    "SELECT e.id, e.version, e.profile_id, coalesce(p.version, 0), e.auth_lost FROM endpoints e"
    " LEFT JOIN auth_profiles p ON p.id = e.profile_id WHERE e.name = ?"
)
_ENDPOINTS = (
    "SELECT e.name, e.id, e.version, e.profile_id, coalesce(p.version, 0), e.auth_lost"
    " FROM endpoints e LEFT JOIN auth_profiles p ON p.id = e.profile_id"
    " WHERE e.name IN (SELECT jsonb_array_elements_text(?::jsonb))"
)


def live_versions(database: Database) -> LiveVersions:
    """What tells the present versions of this database's endpoints."""
    if database.is_file:
        return SQLiteVersions(database)
    return SharedVersions(PostgreSQLVersions(database))


def profile_ids(connection: Connection) -> set[int]:
    """The ids of all profiles."""
    return {row[0] for row in connection.exec_driver_sql("SELECT id FROM auth_profiles")}


class SQLiteVersions:
    """Reads on a connection of its own, on the event loop's thread: in WAL mode a reader never
    waits for a writer.

    As long as nobody commits, what was read before is what stands now.
    """

    def __init__(self, database: Database) -> None:
        pooled = database.engine.raw_connection()
        pooled.detach()
        self._connection = cast("sqlite3.Connection", pooled.dbapi_connection)
        self._commits = commits(database.path, self._connection)
        self._mark: object = None
        self._known: dict[str, LiveEndpoint | None] = {}

    async def current(self, endpoint: str) -> LiveEndpoint | None:
        """How the endpoint stands now; None if there is none. It never waits.

        Raises :class:`DatabaseUnavailable`.
        """
        try:
            mark = self._commits.mark()
            if mark != self._mark:
                # What is read from here on is as new as the mark, or newer.
                self._known.clear()
                self._mark = mark
            if endpoint not in self._known:
                row = self._connection.execute(_ENDPOINT, (endpoint,)).fetchone()
                self._known[endpoint] = None if row is None else LiveEndpoint(*row)
        except sqlite3.Error as error:
            raise DatabaseUnavailable(
                f"the endpoints' versions can't be read: {error.sqlite_errorname}"
            ) from None
        return self._known[endpoint]

    def close(self) -> None:
        """Close the connection."""
        self._commits.close()
        self._connection.close()


class PostgreSQLVersions:
    """Reads on a connection of its own, one statement a read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def read(self, names: set[str]) -> dict[str, LiveEndpoint]:
        """The endpoints of these names that exist, as committed when the call began.

        Raises :class:`DatabaseUnavailable`; a connection that was lost is opened once more.
        """
        try:
            return self._read(names)
        except DatabaseUnavailable:
            self.close()
            return self._read(names)

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _read(self, names: set[str]) -> dict[str, LiveEndpoint]:
        with self._database.translated():
            if self._connection is None:
                self._connection = self._database.engine.connect().execution_options(
                    isolation_level="AUTOCOMMIT"
                )
            rows = self._connection.exec_driver_sql(_ENDPOINTS, (json.dumps(sorted(names)),))
            return {name: LiveEndpoint(*rest) for name, *rest in rows}
