"""Lengths of time in forms."""

from __future__ import annotations

from engine.core.expressions.durations import DurationError, parse_duration
from engine.errors import OperatorError


def length_of(text: str, what: str) -> int:
    """``24h`` or ``P1D`` in microseconds, '' as 0. Raises OperatorError for what is none, or no
    length that is the same everywhere; ``what`` is how the message calls it.
    """
    if not text:
        return 0
    try:
        length = parse_duration(text)
    except DurationError:
        length = None
    if length is None or not length.fixed or length.elapsed <= 0:
        raise OperatorError(f"{what} is a length of time, as 24h or P90D", code="console.length")
    return length.elapsed
