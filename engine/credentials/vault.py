"""Secrets at rest: AES-256-GCM, each ciphertext bound to the place it was sealed for.

Stored form: ``v1.<key id>.<base64url of nonce | ciphertext | tag>``. The associated data name
table, row, field, version and key id (length-prefixed), so a ciphertext copied to another place
doesn't open. Data keys live in a ring and are themselves sealed under the key-encryption key.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.errors import CredentialFailure, SettingsError

SHOWN_FINGERPRINT = 8
"""How many hex digits of a fingerprint people see."""

_SCHEME = "v1"
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


class Vault:
    """Seals and opens with the keys of one installation.

    Raises :class:`SettingsError` where ``kek`` doesn't open the keys, or none is active.
    """

    def __init__(self, kek: bytes, keys: Iterable[WrappedKey]) -> None:
        ring = [key for key in keys if key.state != "retired"]
        opened = {key.id: _unwrap(kek, key) for key in ring}
        active = [key.id for key in ring if key.state == "active"]
        if len(active) != 1:
            raise SettingsError(
                f"the key ring has {len(active)} active keys instead of one", code="settings.keys"
            )
        self._active = active[0]
        self._ciphers = {key_id: AESGCM(key) for key_id, key in opened.items()}
        # Of the KEK and not of a data key: fingerprints outlive a rotation of data keys.
        self._fingerprint_key = _derived(kek, b"journey engine: fingerprints v1")

    def __repr__(self) -> str:
        return f"Vault(active={self._active!r}, keys={len(self._ciphers)})"

    def seal(self, value: str, place: Place) -> str:
        """``value`` sealed for ``place``, in the stored form."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        bound = _bound(place, self._active)
        return _encoded(
            self._active, nonce + self._ciphers[self._active].encrypt(nonce, value.encode(), bound)
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
        return hmac.digest(self._fingerprint_key, value.encode(), "sha256").hex()


def new_key(kek: bytes, state: KeyState = "active") -> WrappedKey:
    """A fresh data key, wrapped."""
    key_id = secrets.token_hex(4)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(_wrapping_key(kek)).encrypt(
        nonce, secrets.token_bytes(_KEY_BYTES), _bound(_key_place(key_id), "kek")
    )
    return WrappedKey(key_id, state, _encoded("kek", nonce + sealed))


def _unwrap(kek: bytes, key: WrappedKey) -> bytes:
    try:
        _, content = _decoded(key.wrapped)
        return AESGCM(_wrapping_key(kek)).decrypt(
            content[:_NONCE_BYTES], content[_NONCE_BYTES:], _bound(_key_place(key.id), "kek")
        )
    except (InvalidTag, ValueError):
        raise SettingsError(
            "the key-encryption key doesn't open this database's keys: set JOURNEY_KEK (or the kek"
            " file in JOURNEY_HOME) to the one it was made with",
            code="settings.kek",
        ) from None


def _wrapping_key(kek: bytes) -> bytes:
    return _derived(kek, b"journey engine: key wrapping v1")


def _derived(kek: bytes, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), _KEY_BYTES, salt=None, info=purpose).derive(kek)


def _key_place(key_id: str) -> Place:
    return Place("data_keys", key_id, "wrapped", 1)


def _bound(place: Place, key_id: str) -> bytes:
    parts = (_SCHEME, place.table, str(place.row), place.field, str(place.version), key_id)
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _encoded(key_id: str, content: bytes) -> str:
    return f"{_SCHEME}.{key_id}.{urlsafe_b64encode(content).decode().rstrip('=')}"


def _decoded(sealed: str) -> tuple[str, bytes]:
    scheme, key_id, content = sealed.split(".")
    if scheme != _SCHEME:
        raise ValueError("another scheme")
    return key_id, urlsafe_b64decode(content + "=" * (-len(content) % 4))
