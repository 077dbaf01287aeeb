"""The rows of the declared catalogue. Each change leaves an audit row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.audit.store import record
from engine.core.dsl.catalogue import Catalogue
from engine.errors import NotFound, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.db.connect import Connection


@dataclass(slots=True, frozen=True)
class Declared:
    """What became of an attribute or event: ``kind`` and name, the names of the fields that
    changed (of an event its properties), and whether it is new.
    """

    kind: str
    name: str
    fields: tuple[str, ...]
    created: bool


def load_catalogue(connection: Connection) -> Catalogue:
    """Everything that is declared. Raises SettingsError for rows that can't be read."""
    attributes = connection.exec_driver_sql("SELECT name, type FROM attributes ORDER BY name")
    events = connection.exec_driver_sql("SELECT name, properties FROM event_types ORDER BY name")
    try:
        return Catalogue.model_validate(
            {
                "attributes": {row[0]: row[1] for row in attributes},
                "events": {row[0]: json.loads(row[1]) for row in events},
            }
        )
    except ValueError as error:
        raise SettingsError(
            "the stored catalogue can't be read; apply its file again", code="settings.catalogue"
        ) from error


def save_catalogue(
    connection: Connection, catalogue: Catalogue, *, now: int, actor: str
) -> Iterator[Declared]:
    """Declare what ``catalogue`` names, in its order; what it doesn't name stays as it is."""
    before = load_catalogue(connection)
    for name, type_ in catalogue.attributes.items():
        old = before.attributes.get(name)
        if old != type_:
            connection.exec_driver_sql(
                "INSERT INTO attributes (name, type, changed_at) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET type = excluded.type,"
                " changed_at = excluded.changed_at",
                (name, type_, now),
            )
        fields = () if old == type_ else ("type",)
        yield _declared(connection, "attribute", name, fields, old is None, now, actor)
    for name, properties in catalogue.events.items():
        known = before.events.get(name)
        if known != properties:
            connection.exec_driver_sql(
                "INSERT INTO event_types (name, properties, changed_at) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET properties = excluded.properties,"
                " changed_at = excluded.changed_at",
                (name, json.dumps(properties), now),
            )
        either = {**(known or {}), **properties}
        changed = tuple(key for key in either if (known or {}).get(key) != properties.get(key))
        yield _declared(connection, "event", name, changed, known is None, now, actor)


def remove_attribute(connection: Connection, name: str, *, now: int, actor: str) -> None:
    """Declare an attribute no more; what users have of it stays. Raises NotFound."""
    done = connection.exec_driver_sql("DELETE FROM attributes WHERE name = ?", (name,))
    if not done.rowcount:
        raise NotFound(f"no attribute {name[:60]!r} is declared")
    record(connection, now, actor, "delete", "attribute", name)


def remove_event(connection: Connection, name: str, *, now: int, actor: str) -> None:
    """Declare an event no more; it is taken all the same. Raises NotFound."""
    done = connection.exec_driver_sql("DELETE FROM event_types WHERE name = ?", (name,))
    if not done.rowcount:
        raise NotFound(f"no event {name[:60]!r} is declared")
    record(connection, now, actor, "delete", "event", name)


def _declared(
    connection: Connection,
    kind: str,
    name: str,
    fields: tuple[str, ...],
    created: bool,
    now: int,
    actor: str,
) -> Declared:
    if created or fields:
        record(connection, now, actor, "create" if created else "update", kind, name, fields)
    return Declared(kind, name, fields, created)
