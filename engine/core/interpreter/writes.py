"""Attributes of a user, written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.interpreter.state import User


def write(user: User, values: Mapping[str, object]) -> dict[str, object]:
    """Set attributes of ``user`` (None removes one; ``timezone`` is his zone). What those that are
    another now were before; None stands for nothing.
    """
    before: dict[str, object] = {}
    for name, value in values.items():
        if name == "timezone":
            old: object = user.timezone
            user.timezone = value if isinstance(value, str) else None
        elif value is None:
            old = user.attributes.pop(name, None)
        else:
            old = user.attributes.get(name)
            user.attributes[name] = value
        if old != value or type(old) is not type(value):
            before[name] = old
    return before
