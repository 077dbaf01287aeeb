"""Which journeys users enter now: kept by a process, read again where a journey has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.versions import store

if TYPE_CHECKING:
    from engine.db.connect import Connection
    from engine.versions.store import Published, Versions


class LiveJourneys:
    """The journeys as they stood at the last :meth:`refresh`."""

    __slots__ = ("_mark", "_versions", "triggered")

    triggered: tuple[Published, ...]
    """The newest version with its triggers on, of each journey that has any."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._mark: tuple[int, int] | None = None
        self.triggered = ()

    def refresh(self, connection: Connection) -> bool:
        """Read anew what was published since; whether anything was."""
        row = connection.exec_driver_sql("SELECT count(*), sum(change) FROM journeys").one()
        mark = (row[0], row[1] or 0)
        if mark == self._mark:
            return False
        self._mark = mark
        rows = connection.exec_driver_sql(
            "SELECT max(id) FROM versions WHERE triggers_on GROUP BY journey"
        )
        found = [self._versions.get(connection, row[0]) for row in rows.fetchall()]
        self.triggered = tuple(one for one in found if one.program.journey.entry.triggers)
        return True

    def published(self, connection: Connection, journey: str) -> Published | None:
        """A journey's newest version, which commands and steps enter; None if there is none."""
        newest = store.newest(connection, journey)
        return None if newest is None else self._versions.get(connection, newest.id)
