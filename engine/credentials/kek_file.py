"""The file that holds the key-encryption key, and how another one takes its place.

``kek.next`` is written first; then the data keys are wrapped anew, in one transaction; then it is
renamed to ``kek``. Until that is done both files stand there and either may be the right one, so
that a process which ends at any moment leaves an installation that starts.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from engine.settings import Settings

FILE_NAME = "kek"
SETTING = "settings.kek"
"""The code of everything that is wrong with a key-encryption key."""


def kek_path(settings: Settings) -> Path:
    """Where the key's file stands if no setting gives the key itself."""
    return settings.home_path / FILE_NAME


def successor_path(settings: Settings) -> Path:
    """Where the key stands that is about to take the present one's place."""
    return settings.home_path / f"{FILE_NAME}.next"


def read(path: Path) -> str | None:
    """What a key's file holds; None if there is none. Raises SettingsError where others read it."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            content = file.read(1024)
    except FileNotFoundError:
        return None
    except OSError:
        raise SettingsError(
            f"the key file {path} can't be read: it must belong to the user that runs the engine",
            code=SETTING,
        ) from None
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise SettingsError(
            f"the key file {path} may be read by others: chmod 600 {path}", code=SETTING
        )
    return content.decode("ascii", "replace")


def write_new(path: Path, text: str) -> None:
    """Write a key's file (0600) whole; one that stands there stays as it is."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123
                file.write(text.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            # A link appears whole and never replaces what is there.
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
        _sync_folder(path.parent)
    except OSError:
        raise SettingsError(
            f"the key file {path} can't be written: make the folder writable, or set JOURNEY_KEK",
            code=SETTING,
        ) from None


def succeed(settings: Settings, now: int) -> Path | None:
    """Put the successor in the present key's place; where the former key is kept from now on.

    None where that is done already. Backups of the database need the former key.
    """
    path, after = kek_path(settings), successor_path(settings)
    kept = path.with_name(f"{path.name}.before-{now // 1_000_000}")
    if not after.exists():
        return None
    try:
        with suppress(FileExistsError, FileNotFoundError):
            os.link(path, kept)
        after.replace(path)
        _sync_folder(path.parent)
    except FileNotFoundError:
        return None  # another process was faster
    except OSError:
        raise SettingsError(
            f"the key file {after} can't take the place of {path}: make the folder writable and"
            " run `journey keys rotate --kek` again",
            code=SETTING,
        ) from None
    return kept


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
