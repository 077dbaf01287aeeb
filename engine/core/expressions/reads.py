"""Closures that read one path out of the scope: the hottest code of the language.

A path walks mappings by key and lists by index; anything else on the way gives null. Python's
attributes are never looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter

from engine.core.expressions.calendar import utc
from engine.core.expressions.operators import Evaluate, now_of
from engine.core.expressions.scope import Scope

SCALAR_ROOTS = frozenset({"now", "event_name", "event_time", "event_id"})
"""Roots that have no parts."""


def step_into(value: object, key: object) -> object:
    """``value[key]`` for a mapping and a text, or a list and a number; else null."""
    if type(value) is dict or isinstance(value, Mapping):
        return value.get(key) if type(key) is str else None
    if type(value) is list and type(key) is int:
        return value[key] if -len(value) <= key < len(value) else None
    return None


def read_root(root: str) -> Evaluate:
    """The whole of a root."""
    if root == "now":
        return now_of
    if root == "event_time":
        return _event_time
    return attrgetter(root)


def _event_time(scope: Scope) -> object:
    return None if scope.event_time is None else utc(scope.event_time)


def read_path(root: str, keys: tuple[str, ...]) -> Evaluate:
    """``root.key…``, one key at least."""
    read = _FIRST.get(root, _first_of_any(root))(keys[0])
    return walk(read, keys[1:])


def walk(start: Evaluate, keys: tuple[str | int, ...]) -> Evaluate:
    """From what ``start`` gives, on along ``keys``."""
    if not keys:
        return start

    def read(scope: Scope) -> object:
        value = start(scope)
        for key in keys:
            if type(value) is dict:
                value = value.get(key)
            elif value is None:
                return None
            else:
                value = step_into(value, key)
        return value

    return read


def read_item(start: Evaluate, key: Evaluate) -> Evaluate:
    """``x[computed]``."""
    return lambda scope: step_into(start(scope), key(scope))


# One closure per root, since a name in the source is the cheapest way to an attribute.


def _first_of_user(key: str) -> Evaluate:
    return lambda scope: scope.user.get(key)


def _first_of_inputs(key: str) -> Evaluate:
    return lambda scope: scope.inputs.get(key)


def _first_of_vars(key: str) -> Evaluate:
    return lambda scope: scope.vars.get(key)


def _first_of_steps(key: str) -> Evaluate:
    return lambda scope: scope.steps.get(key)


def _first_of_enrollment(key: str) -> Evaluate:
    return lambda scope: scope.enrollment.get(key)


def _first_of_event(key: str) -> Evaluate:
    return lambda scope: None if scope.event is None else scope.event.get(key)


def _first_of_any(root: str) -> Callable[[str], Evaluate]:
    whole = attrgetter(root)

    def first(key: str) -> Evaluate:
        def read(scope: Scope) -> object:
            value = whole(scope)
            return value.get(key) if type(value) is dict else step_into(value, key)

        return read

    return first


_FIRST: dict[str, Callable[[str], Evaluate]] = {
    "user": _first_of_user,
    "inputs": _first_of_inputs,
    "vars": _first_of_vars,
    "event": _first_of_event,
    "steps": _first_of_steps,
    "enrollment": _first_of_enrollment,
}
