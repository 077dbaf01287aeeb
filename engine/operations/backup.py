"""Backups: a copy of the database at one moment, and the checksum that finds a flipped bit in it.

A copy holds every user and, sealed, every secret. The key that opens them never goes where copies
go: who takes the folder would have both.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.credentials.kek_file import FILE_NAME, kek_path
from engine.db.upkeep import copy_to, problem_of_copy
from engine.errors import DatabaseUnavailable, NotFound, OperatorError

if TYPE_CHECKING:
    from pathlib import Path

    from engine.db.connect import Database
    from engine.settings import Settings

_OURS = re.compile(r"engine-\d{8}T\d{6}Z\.db")
_SUM = re.compile(r"([0-9a-f]{64})  (.+)")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made and read again: its file, its bytes, SHA-256 of them in hex."""

    path: Path
    size: int
    sha256: str


class BackupDamaged(OperatorError):
    """A backup isn't what was written, or can't take a database's place."""

    code = "backup.damaged"


def name_of(now: int) -> str:
    """What a backup made ``now`` (wall time) is called unless somebody says otherwise."""
    moment = datetime.fromtimestamp(now // 1_000_000, UTC)
    return f"engine-{moment:%Y%m%dT%H%M%SZ}.db"


def back_up(database: Database, settings: Settings, path: Path) -> Backup:
    """Copy the database to the new file ``path``, with its checksum in ``path.sha256``.

    The copy stands there once it is whole, checked and on the disk. Raises OperatorError where it
    may not be put there, DatabaseUnavailable where database or folder can't be read or written.
    """
    if not database.is_file:
        raise OperatorError("back PostgreSQL up with its own tools: pg_dump, or its server's")
    _require_apart(settings, path)
    if path.exists():
        raise OperatorError(f"{path} exists already; name another file")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        copy_to(database, draft)
        problem = problem_of_copy(draft)
        if problem is not None:
            raise BackupDamaged(f"the copy isn't sound ({problem}); run `journey doctor`")
        made = Backup(path, draft.stat().st_size, _sha256(draft))
        _write_sum(made)
        draft.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise DatabaseUnavailable(f"{path} can't be written: {error.strerror}") from None
    finally:
        for left in (draft, draft.with_name(f"{draft.name}-journal")):
            with suppress(OSError):
                left.unlink()
    return made


def verify(path: Path) -> Backup:
    """The backup at ``path``, if it is what was written and sound.

    Raises NotFound where file or checksum aren't there, BackupDamaged where they disagree.
    """
    if not path.is_file():
        raise NotFound(f"there is no backup {path}; name a file that `journey backup` wrote")
    try:
        written = _SUM.fullmatch(_sum_path(path).read_text(encoding="utf-8").strip())
        found = Backup(path, path.stat().st_size, _sha256(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no checksum stands in it"
        where = (error.filename if isinstance(error, OSError) else None) or _sum_path(path)
        raise NotFound(f"{where} can't be read: {reason}") from None
    if written is None or written[1] != found.sha256:
        raise BackupDamaged(
            f"{path} isn't what was written: its checksum is another one than"
            f" {_sum_path(path).name} says; use another backup"
        )
    problem = problem_of_copy(path)
    if problem is not None:
        raise BackupDamaged(f"{path} is what was written and no sound database: {problem}")
    return found


def keep_newest(folder: Path, most: int) -> list[Path]:
    """Delete all but the ``most`` newest backups that have the name of :func:`name_of`; those that
    were deleted.
    """
    made = sorted(path for path in folder.iterdir() if _OURS.fullmatch(path.name))
    for path in made[:-most]:
        path.unlink(missing_ok=True)
        _sum_path(path).unlink(missing_ok=True)
    return made[:-most]


def require_folder(settings: Settings) -> None:
    """Raise OperatorError where the folder that the settings name can't take backups."""
    folder = settings.backups_folder
    if folder is None:
        return
    try:
        _require_apart(settings, folder / name_of(0))
        stands = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        fine = stands.is_dir() and os.access(stands, os.W_OK | os.X_OK)
    except (OSError, RuntimeError):  # as which Python 3.11 tells of links in a circle
        fine = False
    if not fine:
        raise OperatorError(
            f"JOURNEY_BACKUPS is {folder}, which can't be written to; name another folder"
        )


def _require_apart(settings: Settings, path: Path) -> None:
    """Raise OperatorError where the key lies, or would be archived with the backup."""
    folder, kek = path.absolute().parent.resolve(), kek_path(settings).absolute()
    home = kek.parent.resolve()
    with_key = kek.exists() and (folder == home or home in folder.parents)
    if with_key or (folder / FILE_NAME).exists():
        raise OperatorError(
            f"{path} would stand in one folder with the key that opens its secrets"
            f" ({kek if with_key else folder / FILE_NAME}); name a folder apart from it",
            code="backup.with_key",
        )


def _sum_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _write_sum(backup: Backup) -> None:
    """As ``sha256sum`` writes it, so that ``sha256sum -c`` verifies it, too."""
    text = f"{backup.sha256}  {backup.path.name}\n"
    descriptor = os.open(_sum_path(backup.path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
