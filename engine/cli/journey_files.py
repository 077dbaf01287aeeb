"""Which files are meant by the files and folders that a command was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.versions.files import UnreadableFile, is_a_journey, read_bounded, yaml_files_below

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


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
        found = sorted(file for file in yaml_files_below(path) if is_a_journey(read_bounded(file)))
        if not found:
            raise UnreadableFile(f"there is no journey in the folder {path}")
        yield from found
