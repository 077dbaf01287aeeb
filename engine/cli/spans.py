"""A length of time on the command line."""

from __future__ import annotations

import click


def span_of(text: str, option: str) -> int:
    """``24h`` or ``P1D`` in microseconds. Raises click.UsageError for what is none, or no length
    that is the same everywhere.
    """
    from engine.core.expressions.durations import DurationError, parse_duration

    try:
        length = parse_duration(text)
    except DurationError:
        length = None
    if length is None or not length.fixed or length.elapsed <= 0:
        raise click.UsageError(f"{option} takes a length of time, as in 24h or P90D")
    return length.elapsed
