"""What an expression sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

_NOTHING: Mapping[str, object] = MappingProxyType({})
_MOST_NOTES = 20

UTC_ZONE = ZoneInfo("UTC")


def _nothing() -> Mapping[str, object]:
    return _NOTHING


@dataclass(slots=True)
class Scope:
    """The data of one evaluation, built by the interpreter; evaluation reads it, but for ``notes``.

    All of it is JSON data in mappings (a ``dict`` is the fast one). ``now`` and ``event_time`` are
    microseconds UTC. ``zone`` is the user's, already resolved. ``user`` holds the attributes plus
    ``id`` and ``timezone``. ``steps`` maps a step's id to a mapping with the keys ``status``,
    ``failure``, ``http_status``, ``attempts``, ``arm`` and ``visits``. ``history`` gives the times
    of one event's occurrences, newest last. ``notes`` collects what the evaluation found odd (a
    comparison of a text with a number): kinds of data, never the data.
    """

    now: int
    zone: ZoneInfo = UTC_ZONE
    user: Mapping[str, object] = field(default_factory=_nothing)
    inputs: Mapping[str, object] = field(default_factory=_nothing)
    vars: Mapping[str, object] = field(default_factory=_nothing)
    steps: Mapping[str, object] = field(default_factory=_nothing)
    enrollment: Mapping[str, object] = field(default_factory=_nothing)
    response: Mapping[str, object] | None = None
    event: Mapping[str, object] | None = None
    event_name: str | None = None
    event_time: int | None = None
    event_id: str | None = None
    history: Callable[[str], Sequence[int]] | None = None
    notes: list[str] = field(default_factory=list)

    def changed(self, **changes: Any) -> Scope:
        """The same data but for ``changes``; what is found odd is noted in the same list."""
        kept = {name: getattr(self, name) for name in _FIELDS if name not in changes}
        return Scope(**kept, **changes)

    def note(self, text: str) -> None:
        """Record an oddity, once, and at most twenty of them."""
        if len(self.notes) < _MOST_NOTES and text not in self.notes:
            self.notes.append(text)


_FIELDS = tuple(field.name for field in fields(Scope))
