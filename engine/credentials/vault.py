"""The vault of a process: seals and opens with the key ring as it stands in the database.

Keys are rotated while processes run. So whoever seals or opens names the transaction he does it in:
a value is sealed under the key that is active in that transaction, and one under a key that this
process hasn't met is opened with the ring that the transaction sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.credentials.key_ring import KeyRing, key_of
from engine.credentials.store.keys import data_keys
from engine.errors import CredentialFailure, SettingsError

if TYPE_CHECKING:
    from engine.credentials.kek import KeyEncryption
    from engine.credentials.key_ring import Place, WrappedKey
    from engine.db.connect import Connection

SHOWN_FINGERPRINT = 8
"""How many hex digits of a fingerprint people see."""


class Vault:
    """Seals and opens with the keys of one installation. May be used from any thread.

    Raises :class:`SettingsError` where ``kek`` doesn't open the keys, or none is active.
    """

    def __init__(self, kek: KeyEncryption, keys: Iterable[WrappedKey]) -> None:
        self._kek = kek
        stored = tuple(keys)
        # One attribute: threads that renew it at once must not mix theirs.
        self._known = (stored, KeyRing(kek, stored))

    def __repr__(self) -> str:
        return f"Vault({self._known[1]!r})"

    def seal(self, connection: Connection, value: str, place: Place) -> str:
        """``value`` sealed for ``place``, to be stored in this write transaction.

        Raises ``credential.unavailable`` where this process can't open the key that is active now.
        """
        return self._as_of(connection).seal(value, place)

    def open(self, connection: Connection, sealed: str, place: Place) -> str:
        """The value sealed for ``place``, read in this transaction. Raises
        ``credential.unreadable`` where it doesn't open: changed, copied from another place, or
        sealed under a key that isn't in the ring. Raises ``credential.unavailable`` where this
        process can't open the ring as it stands now.
        """
        ring = self._known[1]
        if key_of(sealed) not in ring:
            ring = self._as_of(connection)
        return ring.open(sealed, place)

    def fingerprint(self, value: str) -> str:
        """64 hex digits that are equal for equal values, and say nothing without our key."""
        return self._known[1].fingerprint(value)

    def _as_of(self, connection: Connection) -> KeyRing:
        stored, ring = self._known
        found = data_keys(connection)
        if found != stored:
            ring = self._renewed(found, ring)
            self._known = (found, ring)
        return ring

    def _renewed(self, found: tuple[WrappedKey, ...], before: KeyRing) -> KeyRing:
        try:
            return KeyRing(self._kek, found, before.opened)
        except SettingsError:
            raise CredentialFailure(
                "the key ring was changed and doesn't open any more with the key-encryption key"
                " that this process was started with: restart it with the present one",
                code="credential.unavailable",
            ) from None
