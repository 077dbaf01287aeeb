"""``journey export``: a journey's text as it was published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import NotFound
from engine.versions import states, store

if TYPE_CHECKING:
    from engine.db.connect import Connection


def export(connection: Connection, journey: str, number: int | None = None) -> str:
    """The text of version ``number``, the newest unless said, byte for byte. Raises NotFound."""
    states.load(connection, journey)
    listed = store.versions_of(connection, journey)
    found = next((one for one in listed if number in (None, one.number)), None)
    if found is None:
        raise NotFound(f"{journey} has no version {number}; its newest is {listed[0].number}")
    return store.source_of(connection, found.id)
