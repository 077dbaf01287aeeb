"""Which files are meant by the files and folders that a command was given."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.journey_file import LARGEST, UnreadableFile, read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ENDINGS = (".yaml", ".yml")
_A_JOURNEY = re.compile(rb"^\xef?\xbb?\xbf?[\"']?(?:dsl|journey)[\"']?[ \t]*:", re.MULTILINE)


def journey_files(given: Iterable[Path]) -> Iterator[Path]:
    """The files as they are named, and of each folder the journeys in it and below, by name.

    In a folder ``*.yaml`` and ``*.yml`` are journeys if they begin a line with ``dsl:`` or
    ``journey:`` and aren't scenarios; hidden folders are left out. Raises UnreadableFile for a
    folder that can't be read or holds no journey.
    """
    for path in given:
        if not path.is_dir():
            yield path
            continue
        found = sorted(_journeys_below(path))
        if not found:
            raise UnreadableFile(f"there is no journey in the folder {path}")
        yield from found


def _journeys_below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise UnreadableFile(f"can't read {error.filename}: {error.strerror}")

    for here, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            stem, ending = os.path.splitext(name)  # noqa: PTH122 - a name, no path
            if ending not in _ENDINGS or name.startswith(".") or stem.endswith(".scenarios"):
                continue
            file = Path(here, name)
            if file.is_file() and _A_JOURNEY.search(read_bounded(file, LARGEST)):
                yield file
