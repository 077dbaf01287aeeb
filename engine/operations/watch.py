"""Watching a folder of journeys: what changes in it and is right is published by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import DefinitionError, OperatorError
from engine.operations.publish import publish, read_text
from engine.versions.files import UnreadableFile, is_a_journey, read_bounded
from engine.versions.publish import foresee
from engine.versions.watching import scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.db.connect import Database
    from engine.operations.publish import JourneyText
    from engine.versions.watching import Stamp

ACTOR = "journeys folder"
"""Who publishes, in the audit log."""


@dataclass(slots=True, frozen=True)
class Notice:
    """One line that an operator should see; ``bad`` where something stays unpublished."""

    text: str
    bad: bool = False


class JourneysFolder:
    """A folder that is the source of what is published. A file that vanishes unpublishes nothing,
    and one that isn't right leaves the good version where it is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, Stamp] = {}
        self._holds: dict[Path, str] = {}
        self._refused: dict[Path, str] = {}
        self._unreadable = ""

    def look(self, database: Database, *, now: int) -> tuple[Notice, ...]:
        """Publish what is another since the last look, each file by itself; what is to be said,
        every trouble once. ``now`` is wall time in microseconds UTC.

        A file that names endpoints which don't exist here is tried again at every look. Raises
        what the database raises; the next look then does the rest.
        """
        try:
            found = scan(self._folder, self._seen, now=now)
        except UnreadableFile as error:
            said = () if error.message == self._unreadable else (Notice(error.message, bad=True),)
            self._unreadable = error.message
            return said
        self._unreadable = ""
        notices = [notice for file in found.gone for notice in self._forget(file)]
        files = {*found.changed, *self._refused}
        for file in sorted(files, key=lambda file: (not self._stands(file, database), file)):
            notices += self._take(file, database, now)
            if file in found.seen:
                self._seen[file] = found.seen[file]
        return tuple(notices)

    def _stands(self, file: Path, database: Database) -> bool:
        """Whether a file is what is published: then, in a process that has only begun, another file
        of its journey doesn't take its place.
        """
        if self._holds:
            return False
        try:
            source = read_bounded(file)
            if not is_a_journey(source):
                return False
            journey = read_text(str(file), source).journey
        except (DefinitionError, OperatorError):
            return False
        with database.read() as connection:
            return foresee(connection, journey, source).verb == "unchanged"

    def _forget(self, file: Path) -> Iterator[Notice]:
        self._seen.pop(file, None)
        self._refused.pop(file, None)
        journey = self._holds.pop(file, None)
        if journey is not None:
            remedy = f"`journey archive {journey}` lets everybody leave it"
            yield Notice(f"{file} is gone; journey {journey} stays published: {remedy}")

    def _take(self, file: Path, database: Database, now: int) -> Iterator[Notice]:
        try:
            source = read_bounded(file)
            if not is_a_journey(source):
                self._refused.pop(file, None)
                return
            text = read_text(str(file), source)
            yield from self._named(file, text.journey)
            notice = self._publish(text, database, now)
        except (DefinitionError, OperatorError) as error:
            yield from self._refuse(file, error)
            return
        self._refused.pop(file, None)
        if notice is not None:
            yield notice

    def _named(self, file: Path, journey: str) -> Iterator[Notice]:
        """Note which journey a file holds. Raises OperatorError if another file has it."""
        other = next((one for one, name in self._holds.items() if name == journey), file)
        if other != file:
            raise OperatorError(f"{file} is journey {journey}, which {other} is already")
        before = self._holds.get(file, journey)
        self._holds[file] = journey
        if before != journey:
            yield Notice(f"{file} is journey {journey} now; journey {before} stays published")

    def _publish(self, text: JourneyText, database: Database, now: int) -> Notice | None:
        journey = text.journey
        with database.read() as connection:
            doing = foresee(connection, journey, text.source)
        if doing.verb == "unchanged":
            return None
        if doing.verb == "brought back":
            raise OperatorError(
                f"journey {journey} is archived: `journey publish {text.file}` brings it back"
            )
        with database.write() as connection:
            (done,) = publish(connection, (text,), now=now, actor=ACTOR)
        return Notice(f"{text.file}: journey {journey} version {done.number} {done.verb}")

    def _refuse(self, file: Path, error: DefinitionError | OperatorError) -> Iterator[Notice]:
        if self._refused.get(file) != error.message:
            self._refused[file] = error.message
            place = "" if str(file) in error.message else f"{file}: "
            yield Notice(f"{place}{error.message}; it isn't published", bad=True)
