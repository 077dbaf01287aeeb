"""Records as what JSON can hold, for programs: the same from commands and from the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from engine.core.expressions.calendar import iso

_INSTANTS = frozenset({"at", "since", "until", "previous_until"})
_SEEN_INSTANTS = frozenset({"at", "until"})


def plain_data(value: object) -> Any:
    """Records as JSON objects, with instants in ISO 8601; what users brought stays as it is. Of
    what a decision saw (``seen``), a wait's ``until`` and an event's ``at`` are instants, too.
    """
    if isinstance(value, list | tuple):
        return [plain_data(one) for one in value]
    if not is_dataclass(value) or isinstance(value, type):
        return value
    return {each.name: _field(each.name, getattr(value, each.name)) for each in fields(value)}


def _field(name: str, value: object) -> Any:
    if isinstance(value, int) and (name in _INSTANTS or name.endswith("_at")):
        return iso(value)
    if name == "seen" and isinstance(value, Mapping):
        return {
            key: iso(one) if key in _SEEN_INSTANTS and isinstance(one, int) else one
            for key, one in value.items()
        }
    return plain_data(value)
