"""How the key ring stands: its data keys, and what is sealed under each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.credentials.key_ring import FINGERPRINTS, unwrapped
from engine.credentials.store import keys as store
from engine.credentials.store import sealed
from engine.errors import NotFound

if TYPE_CHECKING:
    from engine.credentials.kek import KeyEncryption
    from engine.credentials.key_ring import KeyState
    from engine.db.connect import Connection


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One data key. ``made_at`` is wall time in microseconds, ``values`` how many are sealed under
    it, ``opens`` whether the key-encryption key opens it (None for a retired one).
    """

    id: str
    state: KeyState
    made_at: int
    values: int
    opens: bool | None


@dataclass(frozen=True, slots=True)
class RingStatus:
    """The ring. ``strays`` are values under keys that it doesn't have: they don't open."""

    keys: tuple[KeyStatus, ...]
    strays: int


def status(connection: Connection, kek: KeyEncryption) -> RingStatus:
    """How the ring stands, the oldest key first."""
    counts = dict(sealed.count_by_key(connection))
    shown = tuple(
        KeyStatus(
            each.key.id,
            each.key.state,
            each.made_at,
            counts.pop(each.key.id, 0),
            None if each.key.state == "retired" else unwrapped(kek, each.key) is not None,
        )
        for each in store.stored_keys(connection)
        if each.key.id != FINGERPRINTS
    )
    return RingStatus(shown, sum(counts.values()))


def require_ring(connection: Connection) -> None:
    """Raise NotFound where no key was made yet, and nothing is sealed."""
    if not store.data_keys(connection) and not sealed.any_sealed(connection):
        raise NotFound("there are no keys yet: `journey keys init`, or the first run, makes them")
