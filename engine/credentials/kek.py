"""The key-encryption key: 32 bytes from a setting or a file, under which data keys are wrapped."""

from __future__ import annotations

import binascii
import os
import secrets
import stat
from base64 import b64decode
from pathlib import Path

from engine.errors import SettingsError
from engine.settings import Settings

KEY_BYTES = 32
FILE_NAME = "kek"
_CODE = "settings.kek"


def kek_path(settings: Settings) -> Path:
    """Where the key's file stands if no setting gives the key itself."""
    return settings.home_path / FILE_NAME


def find_kek(settings: Settings) -> bytes | None:
    """The key of this installation, None where there is neither setting nor file.

    Raises :class:`SettingsError` for a key that isn't 32 bytes in hex or base64, and for a file
    that others may read.
    """
    if settings.kek:
        return _decoded(settings.kek, "JOURNEY_KEK")
    path = kek_path(settings)
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            content = file.read(1024)
    except FileNotFoundError:
        return None
    except OSError:
        raise SettingsError(
            f"the key file {path} can't be read: it must belong to the user that runs the engine",
            code=_CODE,
        ) from None
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise SettingsError(
            f"the key file {path} may be read by others: chmod 600 {path}", code=_CODE
        )
    return _decoded(content.decode("ascii", "replace"), f"the key file {path}")


def make_kek(settings: Settings) -> bytes:
    """A new key in its file (0600), or the key of whoever made the file a moment earlier."""
    path = kek_path(settings)
    key = secrets.token_bytes(KEY_BYTES)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123
                file.write(key.hex().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            # A link appears whole and never replaces what is there.
            os.link(draft, path)
        finally:
            draft.unlink()
        _sync_folder(path.parent)
    except FileExistsError:
        found = find_kek(settings)
        if found is not None:
            return found
        raise SettingsError(f"the key file {path} came and went", code=_CODE) from None
    except OSError:
        raise SettingsError(
            f"the key file {path} can't be written: make the folder writable, or set JOURNEY_KEK",
            code=_CODE,
        ) from None
    return key


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _decoded(text: str, where: str) -> bytes:
    text = text.strip()
    key = _from_hex(text) or _from_base64(text)
    if key is None or len(key) != KEY_BYTES:
        raise SettingsError(f"{where} must be 32 bytes in hex or base64", code=_CODE)
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
