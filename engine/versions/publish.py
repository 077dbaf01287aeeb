"""Publishing: a journey's text becomes an unchangeable, numbered version."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from engine.audit import store as audit
from engine.errors import OperatorError
from engine.versions import store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.db.connect import Connection


class UnknownEndpoints(OperatorError):
    """A journey names endpoints that don't exist here. Exit code 4."""

    code = "journey.unknown_endpoint"


def require_endpoints(
    connection: Connection, journey: str, endpoints: Mapping[str, tuple[str, ...]]
) -> None:
    """Raise :class:`UnknownEndpoints` if a journey names endpoints that don't exist here."""
    missing = store.missing_endpoints(connection, endpoints)
    if missing:
        named = "; ".join(f"{name} (step {', '.join(endpoints[name])})" for name in missing)
        raise UnknownEndpoints(
            f"{journey} names endpoints that don't exist here: {named};"
            " add them with `journey apply FILE` or `journey endpoints set NAME --url URL`"
        )


def publish(
    connection: Connection,
    journey: str,
    source: bytes,
    endpoints: Mapping[str, tuple[str, ...]],
    *,
    now: int,
    actor: str,
) -> int:
    """Publish a checked text unless it is the newest version already; the version's id.

    ``endpoints`` are the endpoints it names with the ids of the steps that do. Its triggers stay
    off: only commands enter it. Raises :class:`UnknownEndpoints`.
    """
    require_endpoints(connection, journey, endpoints)
    source_hash = hashlib.sha256(source).hexdigest()
    before = store.newest(connection, journey)
    if before is not None and before.hash == source_hash:
        return before.id
    number = before.number + 1 if before else 1
    version_id = store.insert(
        connection, journey, number, source, source_hash, endpoints, now=now, actor=actor
    )
    audit.record(
        connection,
        now=now,
        actor=actor,
        verb="publish",
        kind="journey",
        name=journey,
        fields=(f"version {number}",),
    )
    return version_id
