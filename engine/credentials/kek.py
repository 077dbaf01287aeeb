"""The key-encryption key (KEK), under which data keys are wrapped: what it does, where it is from.

It never stands in the database. Today it is 32 bytes from a setting or a file; a key management
service, which wraps and never hands its key out, fits the same interface.
"""

from __future__ import annotations

import binascii
import secrets
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.credentials import kek_file
from engine.credentials.kek_file import SETTING, kek_path
from engine.errors import SettingsError

if TYPE_CHECKING:
    from engine.settings import Settings

KEY_BYTES = 32
_NONCE_BYTES = 12


class KeyEncryption(Protocol):
    """Wraps data keys. ``bound`` is associated data: what was wrapped with it opens with it only.

    May be called from any thread, and may block.
    """

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def wrap(self, key: bytes, bound: bytes) -> bytes:
        """``key`` in a form that only this KEK opens."""
        ...

    def unwrap(self, wrapped: bytes, bound: bytes) -> bytes | None:
        """The key in ``wrapped``; None if that was wrapped by another KEK, or changed."""
        ...


@dataclass(frozen=True, slots=True)
class LocalKek:
    """A KEK whose bytes this process has. ``find`` gives them, the present one first, and one that
    is about to take its place: while a KEK is replaced, either may be the right one.
    """

    name: str
    find: Callable[[], Sequence[bytes]] = field(repr=False)

    def wrap(self, key: bytes, bound: bytes) -> bytes:
        """``key`` under the present KEK: nonce, ciphertext, tag."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(_wrapping_key(self.find()[0])).encrypt(nonce, key, bound)

    def unwrap(self, wrapped: bytes, bound: bytes) -> bytes | None:
        """The key in ``wrapped``, by whichever KEK opens it."""
        for kek in self.find():
            try:
                return AESGCM(_wrapping_key(kek)).decrypt(
                    wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], bound
                )
            except (InvalidTag, ValueError):
                continue
        return None

    def each(self) -> tuple[LocalKek, ...]:
        """The present one and its successor apart."""
        return tuple(LocalKek(self.name, lambda kek=kek: (kek,)) for kek in self.find())  # type: ignore[misc]

    def first_fingerprint_key(self) -> bytes:
        """What keyed fingerprints before their key had its place in the ring."""
        return _derived(self.find()[0], b"journey engine: fingerprints v1")


def find_kek(settings: Settings) -> LocalKek | None:
    """The KEK of this installation; None where there is neither a setting nor a file.

    Raises :class:`SettingsError` for a key that isn't 32 bytes in hex or base64, and for a file
    that others may read.
    """

    def found() -> Sequence[bytes]:
        return _present(settings)

    name = "JOURNEY_KEK" if settings.kek else str(kek_path(settings))
    return LocalKek(name, found) if found() else None


def given_successor(settings: Settings) -> LocalKek | None:
    """The KEK that ``JOURNEY_KEK_NEW`` gives to take the present one's place."""
    if not settings.kek_new:
        return None
    key = _decoded(settings.kek_new, "JOURNEY_KEK_NEW")
    return LocalKek("JOURNEY_KEK_NEW", lambda: (key,))


def make_kek(settings: Settings) -> LocalKek:
    """A new key in its file (0600), or the key of whoever made the file a moment earlier."""
    kek_file.write_new(kek_path(settings), secrets.token_bytes(KEY_BYTES).hex())
    found = find_kek(settings)
    if found is None:
        raise SettingsError(f"the key file {kek_path(settings)} came and went", code=SETTING)
    return found


def make_successor(settings: Settings) -> LocalKek:
    """The KEK in the file beside the present one, made if there is none: see ``kek_file``."""
    path = kek_file.successor_path(settings)
    kek_file.write_new(path, secrets.token_bytes(KEY_BYTES).hex())
    key = _of_file(kek_file.read(path), str(path))
    return LocalKek(str(path), lambda: key)


def _present(settings: Settings) -> tuple[bytes, ...]:
    given = (_decoded(settings.kek, "JOURNEY_KEK"),) if settings.kek else ()
    new = (_decoded(settings.kek_new, "JOURNEY_KEK_NEW"),) if settings.kek_new else ()
    if given:
        return (*given, *new)
    # The successor first: it may take the present one's place between the two reads.
    after = kek_file.read(kek_file.successor_path(settings))
    path = kek_path(settings)
    present = _of_file(kek_file.read(path), f"the key file {path}")
    return (*present, *new, *_of_file(after, f"the key file {kek_file.successor_path(settings)}"))


def _of_file(content: str | None, where: str) -> tuple[bytes, ...]:
    return () if content is None else (_decoded(content, where),)


def _wrapping_key(kek: bytes) -> bytes:
    return _derived(kek, b"journey engine: key wrapping v1")


def _derived(kek: bytes, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=purpose).derive(kek)


def _decoded(text: str, where: str) -> bytes:
    text = text.strip()
    key = _from_hex(text) or _from_base64(text)
    if key is None or len(key) != KEY_BYTES:
        raise SettingsError(f"{where} must be 32 bytes in hex or base64", code=SETTING)
    return key


def _from_hex(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else None
    except ValueError:
        return None


def _from_base64(text: str) -> bytes | None:
    try:
        return b64decode(
            text.translate(str.maketrans("-_", "+/")) + "=" * (-len(text) % 4), validate=True
        )
    except (binascii.Error, ValueError):
        return None
