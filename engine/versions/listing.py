"""The journeys as lists and pages show them: state, versions, triggers, users inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.versions import inside, states, store
from engine.versions.changes import triggers_in_words

if TYPE_CHECKING:
    from engine.db.connect import Connection
    from engine.versions.inside import Numbers, StepInside
    from engine.versions.states import State
    from engine.versions.store import Listed, Versions

_NOBODY = inside.Numbers(0, 0)


@dataclass(slots=True, frozen=True)
class JourneyLine:
    """A journey in a list. Instants are microseconds UTC. ``version`` is the newest's number, of
    ``versions``; ``triggering`` that of the version whose ``triggers`` let users in, None where no
    triggers are on.
    """

    journey: str
    state: State
    since: int
    version: int
    versions: int
    inside: int
    entered: int
    triggering: int | None
    triggers: tuple[str, ...]
    published_at: int


@dataclass(slots=True, frozen=True)
class VersionLine:
    """A version in a list; ``steps`` are those at which somebody stands."""

    version: Listed
    numbers: Numbers
    steps: tuple[StepInside, ...]


@dataclass(slots=True, frozen=True)
class JourneyPage:
    """All there is to know of a journey. ``versions`` are the newest first; ``endpoints`` those of
    the newest, each with the steps that call it.
    """

    line: JourneyLine
    versions: tuple[VersionLine, ...]
    endpoints: dict[str, tuple[str, ...]]


def every_journey(connection: Connection, versions: Versions) -> tuple[JourneyLine, ...]:
    """The journeys by name."""
    counted = inside.numbers(connection)
    return tuple(_line(connection, one, counted, versions) for one in states.load_all(connection))


def one_journey(
    connection: Connection, journey: str, versions: Versions, *, standing: bool = True
) -> JourneyPage:
    """A journey with its versions, and who stands at which step, which looks at all its users:
    unless without ``standing``. Raises NotFound.
    """
    counted = inside.numbers(connection)
    line = _line(connection, states.load(connection, journey), counted, versions)
    places = inside.at_steps(connection, journey) if standing else {}
    listed = store.versions_of(connection, journey)
    lines = []
    for one in listed:
        steps: tuple[StepInside, ...] = ()
        if one.id in places:
            program = versions.get(connection, one.id).program
            steps = inside.by_step(program, places[one.id])
        lines.append(VersionLine(one, counted.get(one.id, _NOBODY), steps))
    return JourneyPage(line, tuple(lines), store.endpoints_of(connection, listed[0].id))


def _line(
    connection: Connection,
    stands: states.JourneyState,
    counted: dict[int, Numbers],
    versions: Versions,
) -> JourneyLine:
    listed = store.versions_of(connection, stands.journey)
    on = next((one for one in listed if one.triggers_on), None)
    words: tuple[str, ...] = ()
    if on is not None and stands.state != "archived":
        words = triggers_in_words(versions.get(connection, on.id).program.journey)
    numbers = [counted[one.id] for one in listed if one.id in counted]
    return JourneyLine(
        journey=stands.journey,
        state=stands.state,
        since=stands.since,
        version=listed[0].number,
        versions=len(listed),
        inside=sum(one.inside for one in numbers),
        entered=sum(one.entered for one in numbers),
        triggering=on.number if on is not None and words else None,
        triggers=words,
        published_at=listed[0].published_at,
    )
