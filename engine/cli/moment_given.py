"""A moment on the command line: ISO 8601, or how long ago."""

from __future__ import annotations

import click


def moment_given(written: str, option: str) -> int:
    """The moment in microseconds UTC. Raises BadParameter, naming ``option``."""
    from zoneinfo import ZoneInfo

    from engine.clock import wall
    from engine.core.expressions.calendar import parse_iso
    from engine.core.expressions.durations import DurationError, parse_duration

    found = parse_iso(written, ZoneInfo("UTC"))
    if found is not None:
        return found
    try:
        return wall() - parse_duration(written).microseconds
    except DurationError:
        raise click.BadParameter(
            f"{written[:60]!r} is no ISO 8601 time and no length of time, as in 2026-11-22 or 7d",
            param_hint=option,
        ) from None
