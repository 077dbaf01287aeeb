"""Publishing: a journey's text becomes an unchangeable, numbered version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.audit import store as audit
from engine.errors import OperatorError
from engine.versions import states, store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.db.connect import Connection

Verb = Literal["published", "brought back", "switched on", "unchanged"]
"""What publishing does: a new version; one of an archived journey; triggers on; nothing."""


class UnknownEndpoints(OperatorError):
    """A journey names endpoints that don't exist here. Exit code 4."""

    code = "journey.unknown_endpoint"


class NotEntered(OperatorError):
    """Nobody can enter the journey by command now: it is paused or archived. Exit code 2."""

    code = "journey.not_entered"


@dataclass(slots=True, frozen=True)
class Publication:
    """What publishing a text did, or would do. ``number`` is the version's; ``before`` that of the
    newest version until then.
    """

    journey: str
    number: int
    verb: Verb
    before: int | None = None


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
    """Publish a checked text for a command, unless it is the newest version already; its id.

    ``endpoints`` are the endpoints it names with the ids of the steps that do. Its triggers stay
    off: only commands enter it. Raises :class:`UnknownEndpoints`, and :class:`NotEntered` for a
    journey that is paused or archived.
    """
    require_endpoints(connection, journey, endpoints)
    _require_active(connection, journey)
    source_hash = hashlib.sha256(source).hexdigest()
    before = store.newest(connection, journey)
    if before is not None and before.hash == source_hash:
        return before.id
    number = before.number + 1 if before else 1
    version_id = store.insert(
        connection, journey, number, source, source_hash, endpoints, now=now, actor=actor
    )
    _record(connection, journey, "publish", number, now, actor)
    return version_id


def foresee(connection: Connection, journey: str, source: bytes) -> Publication:
    """What :func:`publish_live` would do."""
    before = store.newest(connection, journey)
    if before is None:
        return Publication(journey, 1, "published")
    state = states.find(connection, journey)
    if state is not None and state.state == "archived":
        return Publication(journey, before.number + 1, "brought back", before.number)
    if before.hash != hashlib.sha256(source).hexdigest():
        return Publication(journey, before.number + 1, "published", before.number)
    verb: Verb = "unchanged" if before.triggers_on else "switched on"
    return Publication(journey, before.number, verb, before.number)


def publish_live(
    connection: Connection,
    journey: str,
    source: bytes,
    endpoints: Mapping[str, tuple[str, ...]],
    *,
    now: int,
    actor: str,
) -> Publication:
    """Publish a checked text with its triggers on: whom they let in enters it from now on.

    A text that is the newest version already stays that version. An archived journey comes back as
    a new one, whatever its text. Raises :class:`UnknownEndpoints`.
    """
    require_endpoints(connection, journey, endpoints)
    doing = foresee(connection, journey, source)
    if doing.verb == "unchanged":
        return doing
    if doing.verb == "switched on":
        newest = store.newest(connection, journey)
        assert newest is not None  # noqa: S101 - for the type checker
        store.switch_triggers_on(connection, newest.id)
        states.mark_changed(connection, journey)
        _record(connection, journey, "switch triggers on", doing.number, now, actor)
        return doing
    source_hash = hashlib.sha256(source).hexdigest()
    place = (connection, journey, doing.number, source, source_hash, endpoints)
    store.insert(*place, now=now, actor=actor, triggers_on=True)
    if doing.verb == "brought back":
        states.put(connection, journey, "active", at=now)
    _record(connection, journey, "publish", doing.number, now, actor)
    return doing


def _require_active(connection: Connection, journey: str) -> None:
    found = states.find(connection, journey)
    if found is None or found.state == "active":
        return
    remedy = (
        f"`journey resume {journey}` first"
        if found.state == "paused"
        else "`journey publish FILE` brings it back"
    )
    raise NotEntered(f"{journey} is {found.state}, so nobody enters it by command; {remedy}")


def _record(
    connection: Connection, journey: str, verb: str, number: int, now: int, actor: str
) -> None:
    audit.record(
        connection,
        now=now,
        actor=actor,
        verb=verb,
        kind="journey",
        name=journey,
        fields=(f"version {number}",),
    )
