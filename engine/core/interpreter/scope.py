"""What a passage shows to expressions; most of it is only made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from engine.core.expressions.calendar import find_zone, from_instant
from engine.core.expressions.scope import Scope

if TYPE_CHECKING:
    from engine.core.interpreter.state import Passage

_UTC = ZoneInfo("UTC")


class PassageScope(Scope):
    """The scope in which a passage's expressions are evaluated at ``now``.

    ``user`` is what stands when the scope is made. What isn't there yet is made by ``__getattr__``
    when it is asked for first, and is a plain attribute from then on.
    """

    __slots__ = ("_default_zone", "_passage")

    def __init__(self, passage: Passage, now: int, default_zone: str) -> None:
        user = passage.user
        attributes = user.attributes.copy()
        attributes["id"] = user.id
        attributes["timezone"] = user.timezone
        self.now = now
        self.user = attributes
        self.inputs = passage.inputs
        self.vars = passage.vars
        self.notes = []
        self._passage = passage
        self._default_zone = default_zone

    def __getattr__(self, name: str) -> object:
        make = _MADE.get(name)
        if make is None:
            raise AttributeError(name)
        made = make(self)
        setattr(self, name, made)
        return made


def scope_of(passage: Passage, now: int, zone: ZoneInfo) -> Scope:
    """The scope of this passage at ``now`` on a clock that is known."""
    scope = PassageScope(passage, now, "")
    scope.zone = zone
    return scope


def _zone(scope: PassageScope) -> ZoneInfo:
    return zone_of(scope._passage, scope._default_zone)[0]


def _history(scope: PassageScope) -> object:
    past = scope._passage.user.past
    return None if past is None else past.times


def _nothing(scope: PassageScope) -> None:
    return None


_MADE: dict[str, Callable[[PassageScope], object]] = {
    "zone": _zone,
    "steps": lambda scope: StepsView(scope._passage),
    "enrollment": lambda scope: EnrollmentView(scope._passage, scope.zone),
    "history": _history,
    "response": _nothing,
    "event": _nothing,
    "event_name": _nothing,
    "event_time": _nothing,
    "event_id": _nothing,
}


class StepsView(Mapping[str, object]):
    """``steps.ID``: the last visit of each step, null before it ran."""

    __slots__ = ("_passage",)

    def __init__(self, passage: Passage) -> None:
        self._passage = passage

    def __getitem__(self, name: str) -> dict[str, object]:
        number = self._passage.program.numbers[name]
        record = self._passage.steps.get(number)
        if record is None:
            return {"visits": 0}
        return {
            "status": record.status,
            "failure": record.failure,
            "http_status": record.http_status,
            "attempts": record.attempts,
            "arm": record.arm,
            "visits": record.visits,
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._passage.program.numbers)

    def __len__(self) -> int:
        return len(self._passage.program.numbers)


_ENROLLMENT_FIELDS = ("id", "journey", "version", "key", "entered_at", "outcome", "goal")


class EnrollmentView(Mapping[str, object]):
    """``enrollment.*``: the passage itself. ``outcome`` and ``goal`` are set in on_exit."""

    __slots__ = ("_passage", "_zone")

    def __init__(self, passage: Passage, zone: ZoneInfo) -> None:
        self._passage = passage
        self._zone = zone

    def __getitem__(self, name: str) -> object:
        passage = self._passage
        if name == "entered_at":
            return from_instant(passage.entered_at, self._zone)
        if name == "journey":
            return passage.program.name
        if name == "goal":
            return _goal_of(passage)
        if name in _ENROLLMENT_FIELDS:
            return getattr(passage, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_ENROLLMENT_FIELDS)

    def __len__(self) -> int:
        return len(_ENROLLMENT_FIELDS)


def _goal_of(passage: Passage) -> str | None:
    """The goal that ended the passage, else the first that counted."""
    kind, _, goal = (passage.outcome or "").partition(":")
    if kind == "goal":
        return goal
    return next((passage.program.journey.goals[number].name for number in passage.goals), None)


def zone_of(passage: Passage, default_zone: str) -> tuple[ZoneInfo, str | None]:
    """The zone a user's wall clock is read in (his own, the journey's, the installation's) and, if
    his own was unusable, that in words.
    """
    own = passage.user.timezone
    if not own:
        return _shared_zone(passage.program.zone, default_zone), None
    found = find_zone(own)
    if found is not None:
        return found, None
    zone = _shared_zone(passage.program.zone, default_zone)
    return zone, f"unknown time zone {own[:40]!r}; {zone.key} taken"


@lru_cache(maxsize=1024)
def _shared_zone(*names: str | None) -> ZoneInfo:
    """The first of ``names`` that is a zone's, else UTC."""
    zones = (find_zone(name) for name in names if name)
    return next((zone for zone in zones if zone is not None), _UTC)
