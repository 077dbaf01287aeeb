"""Who listens to what: which facts are heard by passages, and which let users in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.dsl.listening import ANY
from engine.core.dsl.trigger import AudienceTrigger, EventTrigger
from engine.core.steps.facts import Event
from engine.enrollments import store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.core.dsl.program import Program
    from engine.core.steps.facts import Fact
    from engine.db.connect import Connection
    from engine.versions.store import Published, Versions


class Listening:
    """What is heard, over all versions that users may be in."""

    __slots__ = ("_attributes", "_events", "_known", "_versions")

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._known: set[int] = set()
        self._events: set[str] = set()
        self._attributes: set[str] = set()

    def open(self, connection: Connection) -> None:
        """Read which versions users are in."""
        for version_id in store.entered_versions(connection):
            self.add(version_id, self._versions.get(connection, version_id).program)

    def add(self, version_id: int, program: Program) -> None:
        """Users may be in this version from now on."""
        if version_id not in self._known:
            self._known.add(version_id)
            self._events |= program.listens.events
            self._attributes |= program.listens.attributes

    def hears(self, fact: Fact) -> bool:
        """Whether a fact may touch anybody's passage."""
        if isinstance(fact, Event):
            return fact.name in self._events
        heard = self._attributes
        return bool(heard) and (ANY in heard or not heard.isdisjoint(fact.values))


class Entrances:
    """The versions that facts let users into: newest ones, with their triggers on."""

    __slots__ = ("_audiences", "_events")

    def __init__(self, versions: Iterable[Published] = ()) -> None:
        self._events: dict[str, list[Published]] = {}
        self._audiences: list[Published] = []
        for one in versions:
            triggers = one.program.journey.entry.triggers
            for name in {t.event for t in triggers if isinstance(t, EventTrigger)}:
                self._events.setdefault(name, []).append(one)
            if any(isinstance(t, AudienceTrigger) for t in triggers):
                self._audiences.append(one)

    def of(self, fact: Fact) -> Sequence[Published]:
        """Those with a trigger that may be set off by ``fact``."""
        if isinstance(fact, Event):
            return self._events.get(fact.name, ())
        return self._audiences
