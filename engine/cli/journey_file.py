"""A journey's file as commands take it: read with a bound, loaded, checked, its needs met."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import OperatorError

if TYPE_CHECKING:
    from engine.core.dsl.check import LoadedAndChecked

LARGEST = 1024 * 1024
"""Bytes a journey's file may have."""


class UnreadableFile(OperatorError):
    """A file named on the command line can't be read."""

    code = "file.unreadable"


def read_bounded(file: Path, most: int = LARGEST) -> bytes:
    """The file's content; of a larger one the first ``most`` + 1 bytes, for a reader to refuse.

    Raises UnreadableFile.
    """
    try:
        if file.exists() and not file.is_file():
            kind = "a folder" if file.is_dir() else "no regular file"
            raise UnreadableFile(f"can't read {_shown(file)}: it is {kind}")
        with file.open("rb") as opened:
            return opened.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or "not a file's name"
        raise UnreadableFile(f"can't read {_shown(file)}: {reason}") from None


def load_journey(file: Path, source: bytes) -> LoadedAndChecked:
    """The journey of a file that was read. Raises DefinitionError with every problem."""
    from engine.core.dsl.check import load_and_check

    return load_and_check(source, str(file))


def _shown(file: Path) -> str:
    from engine.users.row import LONGEST_PATH, shown

    return shown(str(file), LONGEST_PATH)
