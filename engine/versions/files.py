"""Journeys' files: which of a folder they are, and reading one with a bound."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 1024 * 1024
"""Bytes a journey's file may have."""

_ENDINGS = (".yaml", ".yml")
_A_JOURNEY = re.compile(rb"^\xef?\xbb?\xbf?[\"']?(?:dsl|journey)[\"']?[ \t]*:", re.MULTILINE)


class UnreadableFile(OperatorError):
    """A file or folder that was named can't be read."""

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


def is_a_journey(content: bytes) -> bool:
    """Whether a YAML file is a journey: it begins a line with ``dsl:`` or ``journey:``."""
    return _A_JOURNEY.search(content) is not None


def yaml_files_below(folder: Path) -> Iterator[Path]:
    """The YAML files in a folder and below that aren't scenarios; hidden files and folders are left
    out. Raises UnreadableFile for a folder that can't be read.
    """

    def refuse(error: OSError) -> None:
        raise UnreadableFile(f"can't read {error.filename}: {error.strerror}")

    for here, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            stem, ending = os.path.splitext(name)  # noqa: PTH122 - a name, no path
            if ending not in _ENDINGS or name.startswith(".") or stem.endswith(".scenarios"):
                continue
            file = Path(here, name)
            if file.is_file():
                yield file


def _shown(file: Path) -> str:
    from engine.users.row import LONGEST_PATH, shown  # noqa: PLC0415 - only for a bad name

    return shown(str(file), LONGEST_PATH)
