"""Where a list goes on, as callers and links carry it: nothing that they should read or make."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from engine.core import guarded_json

LOOKED_THROUGH = 20_000
"""So many rows of a long list are looked at for the few that one page shows."""
_INT64 = 2**63 - 1


class NoCursor(ValueError):
    """A text isn't a cursor of this list."""


def cursor_of(place: object) -> str:
    """The cursor of a place: an integer, a text, or a list of these."""
    text = json.dumps(place, separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(cursor: str, *kinds: type) -> Any:
    """The place in a cursor: a value of the one kind, or a list with one of each. Raises NoCursor
    for one that isn't ours.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place = guarded_json.parse(urlsafe_b64decode(padded))
    except (ValueError, guarded_json.NotGuardedJSON):
        place = None
    parts = place if len(kinds) > 1 and isinstance(place, list) else [place]
    if len(parts) != len(kinds) or not all(map(_is_a, parts, kinds)):
        raise NoCursor(cursor[:60])
    return place


def _is_a(part: object, kind: type) -> bool:
    if isinstance(part, bool) or not isinstance(part, kind):
        return False
    if isinstance(part, str):
        return "\x00" not in part
    return not isinstance(part, int) or -1 <= part <= _INT64  # -1 is the bucket of who moves house
