"""Two values of one secret: after a rotation with overlap the previous one is good for a while.

The current one always goes first. Where it is refused, because the other side doesn't know it yet,
the previous one is tried once, and the audit log says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.audit.store import record, recorded_since
from engine.credentials.store.profiles import profile_by_id

if TYPE_CHECKING:
    from engine.db.connect import Connection

PREVIOUS_NEEDED = "the current secret was refused and the previous one was needed"
VERB = "fall back"

SHORTEST_S = 30.0
LONGEST_S = 300.0


class Preference:
    """Which of two values goes first, of a kind whose secret is sent with every call.

    After the current one was refused the previous one goes first for half a minute, then twice as
    long, up to five minutes: an API may lock out who brings a wrong password with every call.
    """

    __slots__ = ("_length_s", "_until")

    def __init__(self) -> None:
        self._until = 0.0
        self._length_s = SHORTEST_S

    def is_for_previous(self, at: float) -> bool:
        """Whether the previous value goes first at ``at`` (stopwatch, as everywhere here)."""
        return at < self._until

    def current_refused(self, at: float) -> bool:
        """The current value was refused; True for the first who says so."""
        if at < self._until:
            return False
        self._until = at + self._length_s
        self._length_s = min(LONGEST_S, 2 * self._length_s)
        return True

    def previous_refused(self) -> None:
        """The other side knows the new one by now."""
        self._until = 0.0


def record_fall_back(connection: Connection, profile_id: int, now: int) -> None:
    """Write down, once per rotation, that a previous value was needed. ``now`` is wall time."""
    stored = profile_by_id(connection, profile_id)
    if stored is None or not stored.previous:
        return
    name = stored.columns.name
    since = max(stored.secrets[each].set_at for each in stored.previous if each in stored.secrets)
    if not recorded_since(connection, since, VERB, "auth profile", name):
        record(connection, now, "engine", VERB, "auth profile", name, sorted(stored.previous))
