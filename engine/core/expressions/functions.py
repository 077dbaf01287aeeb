"""The functions: ``name(arguments)``.

``visits``, ``has_event`` and ``event_count`` take literal names and windows, so that what an
expression needs is known before it runs.
"""

from __future__ import annotations

from bisect import bisect_left

from engine.core.expressions.calendar import calendar_days, to_instant
from engine.core.expressions.filters import date_of
from engine.core.expressions.operators import Evaluate
from engine.core.expressions.references import Reading
from engine.core.expressions.scope import Scope

DATE_FUNCTIONS = frozenset({"date", "days_since", "days_until"})
"""Take one expression."""
EVENT_FUNCTIONS = frozenset({"has_event", "event_count"})
"""Take a literal event name and perhaps a literal window."""
FUNCTION_NAMES = DATE_FUNCTIONS | EVENT_FUNCTIONS | {"visits"}


def visits(step: str) -> Evaluate:
    """How often the step was begun in this enrollment, the present visit counted; 0 before."""

    def evaluate(scope: Scope) -> object:
        record = scope.steps.get(step)
        count = record.get("visits") if hasattr(record, "get") else None
        return count if isinstance(count, int) else 0

    return evaluate


def event_count(name: str, window: int | None) -> Evaluate:
    """How often the event ``name`` came, ever or in the last ``window`` microseconds."""

    def evaluate(scope: Scope) -> object:
        if scope.history is None:
            return 0
        times = scope.history(name)
        if window is None:
            return len(times)
        return len(times) - bisect_left(times, scope.now - window)

    return evaluate


def has_event(name: str, window: int | None) -> Evaluate:
    """Whether the event ``name`` came, ever or in the last ``window`` microseconds."""
    count = event_count(name, window)
    return lambda scope: count(scope) != 0


def date_function(name: str, argument: Evaluate, reading: Reading) -> Evaluate:
    """``date(x)``, or the calendar days in the user's zone since or until the date ``x``."""
    excerpt = reading.excerpt

    def date(scope: Scope) -> object:
        return date_of(argument(scope), scope, excerpt)

    def days_until(scope: Scope) -> object:
        moment = date_of(argument(scope), scope, excerpt)
        if moment is None:
            return None
        return calendar_days(scope.now, to_instant(moment), scope.zone)

    def days_since(scope: Scope) -> object:
        days = days_until(scope)
        return -days if isinstance(days, int) else None

    if name == "date":
        return date
    return days_since if name == "days_since" else days_until
