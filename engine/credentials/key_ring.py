"""Secrets at rest: AES-256-GCM, each ciphertext bound to the place it was sealed for.

Stored form: ``v1.<key id>.<base64url of nonce | ciphertext | tag>``. The associated data name
table, row, field, version and key id (length-prefixed), so a ciphertext copied to another place
doesn't open. Data keys live in a ring and are themselves sealed under the key-encryption key.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.errors import CredentialFailure, SettingsError

if TYPE_CHECKING:
    from engine.credentials.kek import KeyEncryption

FINGERPRINTS = "fingerprint"
"""The id of the ring's one key that seals nothing: it keys fingerprints, and is never rotated, so
that what a field once held stays known."""

SCHEME = "v1"
_NONCE_BYTES = 12
_KEY_BYTES = 32

KeyState = Literal["pending", "active", "decrypt_only", "retired"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ciphertext belongs: it opens nowhere else. ``version`` counts the value in it."""

    table: str
    row: int | str
    field: str
    version: int


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as it is stored. Only an ``active`` one seals; a ``retired`` one opens nothing."""

    id: str
    state: KeyState
    wrapped: str


class KeyRing:
    """The data keys of one moment, opened.

    ``known`` are keys that were opened before, by id. Raises :class:`SettingsError` where ``kek``
    doesn't open the active key, or not one key is active. Another key that doesn't open is left
    out: what is sealed under it is unreadable, and nothing else.
    """

    def __init__(
        self, kek: KeyEncryption, keys: Iterable[WrappedKey], known: Mapping[str, bytes] = {}
    ) -> None:
        ring = [key for key in keys if key.state != "retired"]
        active = [key.id for key in ring if key.state == "active" and key.id != FINGERPRINTS]
        if len(active) != 1:
            raise SettingsError(
                f"the key ring has {len(active)} active keys instead of one", code="settings.keys"
            )
        self.active = active[0]
        self.opened: dict[str, bytes] = {}
        for key in ring:
            opened = known.get(key.id) or unwrapped(kek, key)
            if opened is not None:
                self.opened[key.id] = opened
            elif key.id in (self.active, FINGERPRINTS):
                raise WrongKek
        self._ciphers = {key_id: AESGCM(key) for key_id, key in self.opened.items()}

    def __repr__(self) -> str:
        return f"KeyRing(active={self.active!r}, keys={len(self._ciphers)})"

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._ciphers

    def seal(self, value: str, place: Place) -> str:
        """``value`` sealed for ``place`` under the active key, in the stored form."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        bound = _bound(place, self.active)
        return _encoded(
            self.active, nonce + self._ciphers[self.active].encrypt(nonce, value.encode(), bound)
        )

    def open(self, sealed: str, place: Place) -> str:
        """The value sealed for ``place``. Raises ``credential.unreadable`` where it doesn't open:
        changed, copied from another place, or sealed under a key that isn't in the ring.
        """
        try:
            key_id, content = _decoded(sealed)
            plain = self._ciphers[key_id].decrypt(
                content[:_NONCE_BYTES], content[_NONCE_BYTES:], _bound(place, key_id)
            )
            return plain.decode()
        except (InvalidTag, KeyError, ValueError):
            raise CredentialFailure(
                f"{place.field}: the sealed value doesn't open (changed, or of another key):"
                " set it again",
                code="credential.unreadable",
            ) from None

    def fingerprint(self, value: str) -> str:
        """64 hex digits that are equal for equal values, and say nothing without our key."""
        return hmac.digest(self.opened[FINGERPRINTS], value.encode(), "sha256").hex()


class WrongKek(SettingsError):
    """The key-encryption key isn't the one under which this database's keys are wrapped."""

    code = "settings.kek"

    def __init__(self) -> None:
        super().__init__(
            "the key-encryption key doesn't open this database's keys: set JOURNEY_KEK (or the kek"
            " file in JOURNEY_HOME) to the one it was made with"
        )


def key_of(sealed: str) -> str:
    """The id of the key that a value is sealed under; '' for what is no sealed value."""
    scheme, _, rest = sealed.partition(".")
    return rest.partition(".")[0] if scheme == SCHEME else ""


def new_key(kek: KeyEncryption, state: KeyState = "active") -> WrappedKey:
    """A fresh data key, wrapped."""
    return wrapped(
        kek, WrappedKey(secrets.token_hex(4), state, ""), secrets.token_bytes(_KEY_BYTES)
    )


def new_fingerprint_key(kek: KeyEncryption, key: bytes | None = None) -> WrappedKey:
    """The key of fingerprints, wrapped: a fresh one, unless it is given."""
    return wrapped(
        kek, WrappedKey(FINGERPRINTS, "active", ""), key or secrets.token_bytes(_KEY_BYTES)
    )


def wrapped(kek: KeyEncryption, key: WrappedKey, content: bytes) -> WrappedKey:
    """``key`` with its ``content`` wrapped by ``kek``."""
    bound = _bound(_key_place(key.id), "kek")
    return replace(key, wrapped=_encoded("kek", kek.wrap(content, bound)))


def unwrapped(kek: KeyEncryption, key: WrappedKey) -> bytes | None:
    """The data key itself; None where ``kek`` doesn't open it: another one's, or changed."""
    try:
        _, content = _decoded(key.wrapped)
    except ValueError:
        return None
    return kek.unwrap(content, _bound(_key_place(key.id), "kek"))


def _key_place(key_id: str) -> Place:
    return Place("data_keys", key_id, "wrapped", 1)


def _bound(place: Place, key_id: str) -> bytes:
    parts = (SCHEME, place.table, str(place.row), place.field, str(place.version), key_id)
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _encoded(key_id: str, content: bytes) -> str:
    return f"{SCHEME}.{key_id}.{urlsafe_b64encode(content).decode().rstrip('=')}"


def _decoded(sealed: str) -> tuple[str, bytes]:
    scheme, key_id, content = sealed.split(".")
    if scheme != SCHEME:
        raise ValueError("another scheme")
    return key_id, urlsafe_b64decode(content + "=" * (-len(content) % 4))
