"""Users who have certain attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import OperatorError
from engine.operations.cursors import LOOKED_THROUGH
from engine.users.given import json_or_text, pairs_of, utf8
from engine.users.row import BadRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.users.store import KnownUser


def wanted_of(said: Sequence[str], called: str) -> dict[str, object]:
    """What texts like ``plan=pro`` ask for: a value is JSON if it parses, and text otherwise;
    ``timezone`` is the zone. ``called`` is what messages call them. Raises OperatorError.
    """
    try:
        pairs = pairs_of(called, [*map(utf8, said)])
    except BadRow as bad:
        raise OperatorError(f"{bad.message}; {bad.remedy}", code=bad.code) from None
    return {name: json_or_text(text) for name, text in pairs.items()}


def has(user: KnownUser, wanted: Mapping[str, object]) -> bool:
    """Whether a user has all these values."""
    for name, value in wanted.items():
        known = user.timezone if name == "timezone" else user.attributes.get(name)
        if known != value or isinstance(known, bool) is not isinstance(value, bool):
            return False
    return True


def fitting(
    everybody: Iterable[KnownUser], wanted: Mapping[str, object], most: int
) -> tuple[list[KnownUser], str | None]:
    """Up to ``most`` users who have all these values, among the next :data:`LOOKED_THROUGH`; and
    the last one who was looked at, None where nobody is behind him.
    """
    found: list[KnownUser] = []
    last: str | None = None
    for looked, user in enumerate(everybody):
        if looked == LOOKED_THROUGH or len(found) == most:
            return found, last
        last = user.id
        if has(user, wanted):
            found.append(user)
    return found, None
