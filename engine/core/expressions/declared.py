"""The types that inputs are declared to have."""

from __future__ import annotations

from engine.core.expressions.calendar import parse_iso
from engine.core.expressions.scope import UTC_ZONE


def fits(kind: str, value: object) -> bool:
    """Whether ``value`` is of an input's type: text, number, boolean, date (ISO 8601) or any."""
    if kind == "text":
        return isinstance(value, str)
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "date":
        return isinstance(value, str) and parse_iso(value, UTC_ZONE) is not None
    return True
