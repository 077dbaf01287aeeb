"""A folder of journeys' files, watched: which of them are another now, and which are gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.versions.files import yaml_files_below

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SETTLED_US = 1_000_000
"""A file that was written to within the last second may still be written: it is looked at later."""


@dataclass(slots=True, frozen=True)
class Stamp:
    """What is another as soon as a file is: when it was written to (nanoseconds), its size, and
    which file of the file system it is.
    """

    modified_ns: int
    size: int
    inode: int


@dataclass(slots=True, frozen=True)
class Scan:
    """What a look at a folder found. ``seen`` is for the next one; ``changed`` are files that are
    new or another, ``gone`` those that were there. Both by name.
    """

    seen: Mapping[Path, Stamp]
    changed: tuple[Path, ...]
    gone: tuple[Path, ...]


def scan(folder: Path, seen: Mapping[Path, Stamp], *, now: int) -> Scan:
    """Compare a folder, and those below it, with what was ``seen`` of it; nothing is read.

    ``now`` is wall time in microseconds UTC. Raises UnreadableFile for a folder that can't be read.
    """
    found: dict[Path, Stamp] = {}
    changed: list[Path] = []
    for file in yaml_files_below(folder):
        try:
            status = file.stat()
        except OSError:
            continue  # gone since it was listed
        stamp = Stamp(status.st_mtime_ns, status.st_size, status.st_ino)
        if seen.get(file) == stamp:
            found[file] = stamp
        elif 0 <= now - stamp.modified_ns // 1_000 < SETTLED_US:
            if file in seen:
                found[file] = seen[file]
        else:
            found[file] = stamp
            changed.append(file)
    gone = tuple(sorted(seen.keys() - found.keys()))
    return Scan(found, tuple(sorted(changed)), gone)
