"""What came to a hook, as rows of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.operations.tables import instant

if TYPE_CHECKING:
    from engine.hooks.deliveries import Became

COLUMNS = ("at", "result", "event", "user", "seq", "message_id", "size", "code", "detail")


def row(one: Became) -> dict[str, object]:
    """A delivery and what became of it, by :data:`COLUMNS`; None where there is nothing to say."""
    came = one.delivery
    return {
        "at": instant(came.at),
        "result": one.result,
        "event": came.event,
        "user": one.user,
        "seq": one.seq,
        "message_id": came.message_id,
        "size": came.size,
        "code": came.code or None,
        "detail": came.detail or None,
    }
