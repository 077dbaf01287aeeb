"""Where a secret comes from: sealed in the vault, or referred to and read when it is used.

In a file: ``{seal_from_env: X}`` (read now, sealed), ``{env: X}`` (read when a process starts) and
``{file: name}`` (stat'ed at each resolution, so that a changed file is used by the next call).
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from engine.clock import stopwatch, wall
from engine.credentials.wording import THREE_WAYS
from engine.errors import CredentialFailure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LARGEST_FILE = 64 * 1024
EMPTY_FOR_S = 1.0
"""A file that is empty for longer is no more about to be written."""

_OWN_PREFIX = "JOURNEY_"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_LATER = frozenset({"vault", "aws_sm"})


@dataclass(frozen=True, slots=True)
class SealFromEnv:
    """Read from the environment of the command that applies it, and sealed."""

    name: str


@dataclass(frozen=True, slots=True)
class FromEnv:
    """A live reference to a variable of the process's environment; never stored."""

    name: str


@dataclass(frozen=True, slots=True)
class FromFile:
    """A live reference to a file in one of the secret folders; never stored."""

    name: str


@dataclass(frozen=True, slots=True)
class Given:
    """A value typed or piped in by an operator, to be sealed."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sealed:
    """The value stands in the vault (only in stored profiles, or to keep what is there)."""


SecretSource = SealFromEnv | FromEnv | FromFile | Given | Sealed


def read_source(written: object, *, stored: bool = False) -> SecretSource:
    """The source that a file (or, with ``stored``, a stored profile) names.

    Raises ValueError, without the value, for a literal secret and for anything else.
    """
    if isinstance(written, SealFromEnv | FromEnv | FromFile | Given | Sealed):
        return written
    if isinstance(written, str | int | float):
        raise ValueError(f"a secret may not stand in a file: {THREE_WAYS}")
    if not isinstance(written, dict) or len(written) != 1:
        raise ValueError(THREE_WAYS)
    ((way, name),) = written.items()
    if stored and way == "sealed":
        return Sealed()
    if way in _LATER:
        raise ValueError(f"{way} references are not supported by this version: {THREE_WAYS}")
    if not isinstance(name, str) or not name:
        raise ValueError(f"names nothing: {THREE_WAYS}")
    if way == "file":
        if "\x00" in name:
            raise ValueError("a file name can't hold that character")
        if ".." in PurePath(name).parts and not stored:
            raise ValueError("a file reference can't lead out of JOURNEY_SECRET_DIRS by ..")
        return FromFile(name)
    if way in ("env", "seal_from_env"):
        _require_variable(name)
        return FromEnv(name) if way == "env" else SealFromEnv(name)
    raise ValueError(THREE_WAYS)


def written_form(source: SecretSource) -> dict[str, object]:
    """How a profile stores this source; never a value."""
    match source:
        case FromEnv(name):
            return {"env": name}
        case FromFile(name):
            return {"file": name}
        case _:
            return {"sealed": True}


def _require_variable(name: str) -> None:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("that is no name of an environment variable")
    if name.upper().startswith(_OWN_PREFIX):
        raise ValueError(f"{_OWN_PREFIX}* are the engine's own variables and can't be referred to")


@dataclass(slots=True)
class _Read:
    identity: tuple[int, int, int, int]
    value: str = field(repr=False)
    emptied_at: float | None = None

    def is_good_still(self, changed_ns: int) -> bool:
        """Whether the file, which is empty and was changed then, may be about to be written: `echo
        NEW > FILE` empties it first.
        """
        now = stopwatch()
        if self.emptied_at is None:
            self.emptied_at = now
        lately = abs(wall() * 1_000 - changed_ns) < EMPTY_FOR_S * 1_000_000_000
        return bool(self.value) and lately and now < self.emptied_at + EMPTY_FOR_S


class References:
    """Reads live references. ``environment`` is a snapshot taken when the process started;
    relative file names are looked up in ``folders``, absolute ones must lie in one of them.
    """

    def __init__(self, environment: Mapping[str, str], folders: tuple[Path, ...]) -> None:
        self._environment = {
            name: value
            for name, value in environment.items()
            if not name.upper().startswith(_OWN_PREFIX)
        }
        self._folders = folders
        self._files: dict[str, _Read] = {}

    def variable(self, name: str) -> str | None:
        """The variable's value as the process started, None if it wasn't set (or is our own)."""
        return self._environment.get(name)

    def read(self, source: FromEnv | FromFile) -> str:
        """The value now. Raises ``credential.missing`` (CredentialFailure) naming the reference."""
        if isinstance(source, FromFile):
            return self._file(source.name)
        value = self._environment.get(source.name)
        if value is None:
            raise _missing(
                f"the environment variable {source.name} isn't set in this process:"
                " set it and restart"
            )
        return value

    def forget(self, files: Iterable[str]) -> None:
        """Keep nothing of what was read from these files: whoever needs one reads it again."""
        for name in files:
            self._files.pop(name, None)

    def _file(self, name: str) -> str:
        known = self._files.get(name)
        for folder in self._folders:
            path = folder / name
            try:
                found = path.stat()
            except (OSError, ValueError):
                continue
            if known is not None and known.identity == _identity(found):
                return known.value
            fresh = self._open(name, path)
            if known is not None and not fresh.value and known.is_good_still(found.st_mtime_ns):
                return known.value
            self._files[name] = fresh
            return fresh.value
        self._files.pop(name, None)
        folders = ", ".join(str(folder) for folder in self._folders)
        raise _missing(f"the secret file {name} isn't in {folders}")

    def _open(self, name: str, path: Path) -> _Read:
        real = path.resolve()
        if not any(real.is_relative_to(folder.resolve()) for folder in self._folders):
            raise _missing(f"the secret file {name} lies outside JOURNEY_SECRET_DIRS")
        try:
            # What was checked is what is read: no link is followed, a FIFO doesn't block.
            descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:  # noqa: PTH123
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode):
                    raise _missing(f"the secret file {name} is no regular file")
                content = file.read(LARGEST_FILE + 1)
        except OSError:
            raise _missing(f"the secret file {name} can't be read: check its permissions") from None
        if len(content) > LARGEST_FILE:
            raise _missing(f"the secret file {name} is over 64 KiB")
        try:
            value = content.decode()
        except UnicodeDecodeError:
            raise _missing(f"the secret file {name} isn't UTF-8 text") from None
        return _Read(_identity(found), value.removesuffix("\n").removesuffix("\r"))


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev


def _missing(message: str) -> CredentialFailure:
    return CredentialFailure(message, code="credential.missing")
