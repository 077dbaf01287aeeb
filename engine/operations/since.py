"""From when on: an instant as people write it, or how long ago."""

from __future__ import annotations

from engine.core.expressions.calendar import parse_iso
from engine.core.expressions.durations import DurationError, parse_duration
from engine.core.expressions.scope import UTC_ZONE


def instant_since(written: str, now: int) -> int | None:
    """The instant (microseconds UTC) that ISO 8601 text means, or a length of time before ``now``;
    None for neither.
    """
    found = parse_iso(written, UTC_ZONE)
    if found is not None:
        return found
    try:
        return now - parse_duration(written).microseconds
    except DurationError:
        return None
