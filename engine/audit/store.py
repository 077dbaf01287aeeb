"""The audit log's rows: who changed what, when, and which fields, by name and never by value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.db.connect import Connection


def record(
    connection: Connection,
    now: int,
    actor: str,
    verb: str,
    kind: str,
    name: str,
    fields: Iterable[str] = (),
) -> None:
    """Add one change in the transaction that makes it. ``now`` is wall time in microseconds UTC."""
    connection.exec_driver_sql(
        "INSERT INTO audit (at, actor, verb, kind, name, fields) VALUES (?, ?, ?, ?, ?, ?)",
        (now, actor, verb, kind, name, ", ".join(fields)),
    )


def recorded_since(connection: Connection, since: int, verb: str, kind: str, name: str) -> bool:
    """Whether such a change stands in the log, made at ``since`` or later."""
    found = connection.exec_driver_sql(
        "SELECT 1 FROM audit WHERE at >= ? AND verb = ? AND kind = ? AND name = ? LIMIT 1",
        (since, verb, kind, name),
    )
    return found.one_or_none() is not None
