"""The small read that makes rotation live."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, cast

from engine.credentials.live_versions import LiveEndpoint
from engine.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from engine.credentials.live_versions import VersionsReader
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


def versions_reader(database: Database) -> VersionsReader:
    """What reads the endpoints' versions of this database."""
    return SQLiteVersions(database) if database.is_file else PostgreSQLVersions(database)


class SQLiteVersions:
    """Reads on a connection of its own, on the thread that asks.

    In WAL mode a reader never waits for a writer. ``PRAGMA data_version`` changes with every commit
    of any other connection, in this process or another one; as long as it stands still, what was
    read before is what stands now.
    """

    waits = False

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


class PostgreSQLVersions:
    """Reads on a connection of its own, one statement a read."""

    waits = True

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
