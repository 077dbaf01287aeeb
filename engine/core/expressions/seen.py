"""What expressions read: the values behind their names, as far as a record of a decision keeps
them. Secrets don't stand in any scope, so none is ever among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Protocol

from engine.core.expressions.calendar import parse_duration
from engine.core.expressions.functions import event_count, has_event, visits
from engine.core.expressions.operators import Evaluate
from engine.core.expressions.reads import read_path, read_root
from engine.core.expressions.references import Path
from engine.core.expressions.scope import Scope
from engine.core.guarded_json import text_of

MOST_OF_ONE = 200
"""Characters that are kept of one value: of a text, or of the JSON of a list or an object."""
MOST_OF_ALL = 1_000
"""Characters that are kept of all names and values of one decision, about."""
LEFT_OUT = "…"
"""The name under which the number of values stands that found no place."""

_BIG = 2**63
_SHORT = 24  # as long as a number is taken to be
_WHOLE = frozenset({("steps",), ("enrollment",), ("response",), ("event_name",), ("event_time",)})
_COUNTS: Mapping[str, Callable[[str, int | None], Evaluate]] = {
    "event_count": event_count,
    "has_event": has_event,
}


class Reads(Protocol):
    """An expression, or a value with expressions in it."""

    @property
    def references(self) -> frozenset[Path]:
        """The paths it reads."""
        ...

    @property
    def functions(self) -> frozenset[Path]:
        """The functions it calls, with their literal arguments."""
        ...


class Sight:
    """Looks up what expressions name: their paths, and the counts of events and visits."""

    __slots__ = ("_looks", "_room")

    def __init__(self, expressions: Iterable[Reads]) -> None:
        looks: dict[str, Evaluate] = {}
        for expression in expressions:
            for path in sorted(expression.references - _WHOLE):
                root, keys = path[0], path[1:]
                looks[".".join(path)] = read_path(root, keys) if keys else read_root(root)
            for function in sorted(expression.functions):
                counted = _counted(function)
                if counted is not None:
                    looks[_call(function)] = counted
        self._looks = tuple(looks.items())
        self._room = MOST_OF_ALL - sum(len(name) + _SHORT for name in looks)

    def __call__(self, scope: Scope) -> dict[str, object] | None:
        """Name → value, as JSON data that is cut where it is long; None if nothing is named."""
        looks = self._looks
        if not looks:
            return None
        seen: dict[str, object] = {}
        room = self._room
        for name, look in looks:
            value = look(scope)
            if value is not None and value is not True and value is not False:
                value, length = _kept(value)
                room -= length
            seen[name] = value
        return seen if room >= 0 else _as_many_as_fit(seen)


@lru_cache(maxsize=4_096)
def sight_of(*expressions: Reads) -> Sight:
    """The sight of these expressions, made once."""
    return Sight(expressions)


def _kept(value: object) -> tuple[object, int]:
    """``value`` as it is kept, and how many characters more than a number it takes."""
    kind = type(value)
    if kind is str and len(value) <= MOST_OF_ONE:  # type: ignore[arg-type]
        return value, len(value)  # type: ignore[arg-type]
    if kind is float or (kind is int and -_BIG < value < _BIG):  # type: ignore[operator]
        return value, 0
    if isinstance(value, datetime):
        return value.isoformat(), _SHORT
    if isinstance(value, str):
        return _cut(value), MOST_OF_ONE
    if isinstance(value, Mapping):
        value = dict(islice(value.items(), MOST_OF_ONE))
    elif isinstance(value, list):
        value = value[:MOST_OF_ONE]
    try:
        text = text_of(value)
    except (TypeError, ValueError):
        return type(value).__name__, _SHORT
    return (value, len(text)) if len(text) <= MOST_OF_ONE else (_cut(text), MOST_OF_ONE)


def _as_many_as_fit(seen: dict[str, object]) -> dict[str, object]:
    """The first of ``seen``, and how many were left out."""
    fitting: dict[str, object] = {}
    room = MOST_OF_ALL
    for name, value in seen.items():
        room -= len(name) + len(text_of(value)) + len('"":,')
        if room < 0:
            fitting[LEFT_OUT] = len(seen) - len(fitting)
            break
        fitting[name] = value
    return fitting


def _cut(text: str) -> str:
    return text if len(text) <= MOST_OF_ONE else text[: MOST_OF_ONE - 1] + "…"


def _counted(function: Path) -> Evaluate | None:
    """What a call with literal arguments gives; None for functions of something else."""
    name, *arguments = function
    if name == "visits":
        return visits(arguments[0])
    if name not in _COUNTS:
        return None
    window = parse_duration(arguments[1]).microseconds if len(arguments) > 1 else None
    return _COUNTS[name](arguments[0], window)


def _call(function: Path) -> str:
    name, *arguments = function
    return f"{name}({', '.join(arguments)})"
