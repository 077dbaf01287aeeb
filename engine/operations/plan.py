"""``journey plan``: what publishing a text would do, and what becomes of who is inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.dsl.load import load
from engine.core.dsl.program import compile_journey
from engine.core.expressions.calendar import DAY
from engine.versions import inside, states, store
from engine.versions.changes import Changes, changes, triggers_in_words
from engine.versions.publish import foresee

if TYPE_CHECKING:
    from engine.db.connect import Connection
    from engine.operations.publish import JourneyText
    from engine.versions.inside import StepInside
    from engine.versions.publish import Publication
    from engine.versions.states import State

LATELY_US = 30 * DAY
"""Entries of so long are counted where triggers would vanish."""


@dataclass(slots=True, frozen=True)
class VersionInside:
    """A version that users are inside of, and at which steps they stand. They stay on it.

    ``gone`` names those of its steps that the new text hasn't, at which somebody stands.
    """

    number: int
    users: int
    steps: tuple[StepInside, ...]
    gone: tuple[str, ...]


@dataclass(slots=True, frozen=True)
class Plan:
    """What publishing would do. ``against`` is the number of the version that it is compared with,
    the newest; ``missing`` maps endpoints that don't exist here to the steps that name them.

    ``entered_lately`` is how many users entered by triggers in the last thirty days; None where
    no trigger would vanish.
    """

    file: str
    journey: str
    doing: Publication
    state: State | None
    against: int | None
    changes: Changes
    triggers: tuple[str, ...]
    missing: dict[str, tuple[str, ...]]
    versions: tuple[VersionInside, ...]
    entered_lately: int | None


def plan(connection: Connection, text: JourneyText, *, now: int) -> Plan:
    """What publishing ``text`` would do now; nothing is written."""
    journey, endpoints = text.journey, text.loaded.checked.endpoints
    doing = foresee(connection, journey, text.source)
    before = store.newest(connection, journey)
    earlier = None
    if before is not None:
        source = store.source_of(connection, before.id).encode()
        earlier = load(source, f"{journey} (version {before.number})")
    state = states.find(connection, journey)
    change = changes(earlier, text.loaded)
    missing = store.missing_endpoints(connection, endpoints)
    lately = None
    if change.triggers_removed:
        lately = inside.entered_by_triggers(connection, journey, now - LATELY_US)
    return Plan(
        file=text.file,
        journey=journey,
        doing=doing,
        state=None if state is None else state.state,
        against=None if before is None else before.number,
        changes=change,
        triggers=triggers_in_words(text.loaded.journey),
        missing={name: tuple(endpoints[name]) for name in missing},
        versions=_versions(connection, text),
        entered_lately=lately,
    )


def _versions(connection: Connection, text: JourneyText) -> tuple[VersionInside, ...]:
    """The versions that users are inside of, the newest first."""
    standing = inside.at_steps(connection, text.journey)
    stays = set(compile_journey(text.loaded.journey).numbers)
    versions = store.Versions()
    found: list[VersionInside] = []
    for version_id in sorted(standing, reverse=True):
        published = versions.get(connection, version_id)
        steps = inside.by_step(published.program, standing[version_id])
        users = sum(step.waiting + step.calling for step in steps)
        gone = tuple(step.step for step in steps if step.step not in stays)
        found.append(VersionInside(published.number, users, steps, gone))
    return tuple(found)
