"""Facts: what happened to a user, as steps, goals and exit rules are told of it.

A fact has two times. ``seq`` is its place in the order in which everything of this user was
received, and the order in which it is applied; ``at`` is its own time, by which races are decided.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.core.expressions.scope import Scope

MOST_COUNTED = 1_000
"""Of one event's occurrences so many are remembered, the newest."""


@dataclass(slots=True, frozen=True)
class Event:
    """Something the user did, or a step made (``emit``). Instants are microseconds UTC.

    ``depth`` counts how many events and passages, each the other's cause, lead to it; 0 comes from
    outside.
    """

    seq: int
    at: int
    name: str
    properties: Mapping[str, object]
    id: str | None = None
    depth: int = 0


@dataclass(slots=True, frozen=True)
class Change:
    """A change of the user's attributes: what they became, and what they were (None: absent).
    ``id`` is that of the message which told of it, if one did.
    """

    seq: int
    at: int
    values: Mapping[str, object]
    before: Mapping[str, object]
    depth: int = 0
    id: str | None = None


Fact = Event | Change


class Past:
    """A user's events so far, for look-back and for counting: the newest of each name."""

    __slots__ = ("_events", "_times")

    def __init__(self) -> None:
        self._events: dict[str, list[Event]] = {}
        self._times: dict[str, list[int]] = {}

    def add(self, event: Event) -> None:
        """One more; of those that happened at one time, the later received comes later."""
        times = self._times.setdefault(event.name, [])
        events = self._events.setdefault(event.name, [])
        if not times or times[-1] <= event.at:
            times.append(event.at)
            events.append(event)
        else:
            events.insert(bisect_right(times, event.at), event)
            insort(times, event.at)
        if len(times) > MOST_COUNTED:
            del times[0], events[0]

    def times(self, name: str) -> Sequence[int]:
        """When the event happened, newest last, in microseconds UTC."""
        return self._times.get(name, ())

    def events(self, name: str) -> Sequence[Event]:
        """The events of one name in order of their own time."""
        return self._events.get(name, ())


@contextmanager
def seeing(scope: Scope, event: Event | None) -> Iterator[Scope]:
    """``scope`` with ``event`` in it, until the end of the block."""
    if event is not None:
        scope.event, scope.event_name = event.properties, event.name
        scope.event_time, scope.event_id = event.at, event.id
    try:
        yield scope
    finally:
        scope.event = scope.event_name = scope.event_time = scope.event_id = None
