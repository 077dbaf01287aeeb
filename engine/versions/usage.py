"""Who uses an endpoint or an auth profile: endpoints → journeys → steps → users inside now; and
which journeys name an attribute or an event.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.dsl.load import load
from engine.core.dsl.undeclared import attributes_named, events_named
from engine.endpoints import store
from engine.errors import DefinitionError
from engine.versions.store import admitting

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.dsl.journey import Journey
    from engine.db.connect import Connection
    from engine.endpoints.store import StepUse


@dataclass(slots=True, frozen=True)
class EndpointUse:
    """An endpoint and where it is used; ``uses`` is empty where nothing calls it."""

    endpoint: str
    uses: tuple[StepUse, ...]

    def lines(self) -> tuple[str, ...]:
        """One line per journey version that uses it, or one that says that none does."""
        if not self.uses:
            return (f"endpoint {self.endpoint}: no journey calls it",)
        return tuple(f"endpoint {self.endpoint} → {_words(use)}" for use in self.uses)


def of_endpoint(connection: Connection, name: str) -> EndpointUse:
    """Where an endpoint is used. Raises NotFound."""
    store.load(connection, name)
    return EndpointUse(name, store.step_uses(connection, name))


def of_profile(connection: Connection, name: str) -> tuple[EndpointUse, ...]:
    """The endpoints that have this profile, each with where it is used."""
    return tuple(
        EndpointUse(stored.endpoint.name, store.step_uses(connection, stored.endpoint.name))
        for stored in store.using_profile(connection, name)
    )


def of_attribute(connection: Connection, name: str) -> tuple[str, ...]:
    """A line per journey that names an attribute, of those that users enter."""
    return _naming(connection, lambda journey: name in attributes_named(journey))


def of_event(connection: Connection, name: str) -> tuple[str, ...]:
    """A line per journey that names an event, of those that users enter."""
    return _naming(connection, lambda journey: name in events_named(journey))


def _naming(connection: Connection, names: Callable[[Journey], bool]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name, source in admitting(connection):
        with suppress(DefinitionError):  # of a language that isn't read any more
            if names(load(source.encode(), name).journey):
                found[f"journey {name}"] = None
    return tuple(found)


def _words(use: StepUse) -> str:
    newest = ", newest" if use.newest else ""
    steps = "step" if len(use.steps) == 1 else "steps"
    users = "user" if use.users_inside == 1 else "users"
    return (
        f"journey {use.journey} (version {use.version}{newest}) → {steps} {', '.join(use.steps)}"
        f" → {use.users_inside:,} {users} inside now"
    )
