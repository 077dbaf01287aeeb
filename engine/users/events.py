"""Events from a file: what happened to users, for a simulation that replays it.

The rows stand in whatever order. All are checked first, and copied to a temporary file; of each,
twenty-four bytes stay in memory.
"""

from __future__ import annotations

import json
import tempfile
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from engine.core.steps.facts import Change, Event
from engine.users.event_rows import EventRow, EventRows
from engine.users.findings import EventsFileError, Findings, unusable
from engine.users.row import BadRow, UserRow
from engine.users.source import Source, UnreadableFile

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from engine.core.steps.facts import Fact

__all__ = ["EventsFile", "EventsFileError", "open_events"]


class EventsFile:
    """A checked file of events. ``events`` are its rows and ``count`` the users in it, ``first_at``
    is when the first of them happened (microseconds UTC), ``digest`` identifies what it says. It
    stays open until :meth:`close`.
    """

    def __init__(self, rows: Iterator[EventRow]) -> None:
        self._spool: BinaryIO = tempfile.TemporaryFile(prefix="journey-events-")  # noqa: SIM115
        said = blake2b(digest_size=16)
        digests, offsets, times = array("Q"), array("Q"), array("q")
        try:
            for row, offset, line in self._copied(rows):
                said.update(line)
                digests.append(_digest(row.user))
                offsets.append(offset)
                times.append(row.at)
        except BaseException:
            self._spool.close()
            raise
        self.first_at = min(times, default=None)
        self.digest = said.hexdigest()
        # Sorting is stable: a user's rows keep their order, and so do those of one time.
        order = sorted(range(len(digests)), key=digests.__getitem__)
        self._digests = array("Q", (digests[place] for place in order))
        self._offsets = array("Q", (offsets[place] for place in order))
        by_time = sorted(range(len(times)), key=times.__getitem__)
        self._in_time = array("Q", (offsets[place] for place in by_time))
        self.events = len(order)
        self.count = sum(1 for _ in self._groups())

    def _copied(self, rows: Iterator[EventRow]) -> Iterator[tuple[EventRow, int, bytes]]:
        """The rows, once they stand in the temporary file: each with its offset and its line."""
        end = 0
        for row in rows:
            line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            self._spool.write(line)
            yield row, end, line
            end += len(line)

    def in_time(self) -> Iterator[tuple[str, Fact]]:
        """Everything that happened, to whom, in order of time; of one time in the file's order."""
        for offset in self._in_time:
            row = self._row_at(offset)
            yield row.user, _fact(row)

    def of(self, user: str) -> list[Fact]:
        """What happened to a user, in order of time; of one time in the file's order."""
        digest = _digest(user)
        start, end = bisect_left(self._digests, digest), bisect_right(self._digests, digest)
        rows = (self._row(place) for place in range(start, end))
        return sorted((_fact(row) for row in rows if row.user == user), key=lambda fact: fact.at)

    def rows(self) -> Iterator[UserRow]:
        """Every user something happened to, once, in an order that is always the same."""
        for start, end in self._groups():
            for user in dict.fromkeys(self._row(place).user for place in range(start, end)):
                yield UserRow(0, user, None, {}, {})

    def close(self) -> None:
        """Give the temporary file back."""
        self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _groups(self) -> Iterator[tuple[int, int]]:
        """From where to where the rows of one user stand, for each user."""
        start = 0
        while start < self.events:
            end = bisect_right(self._digests, self._digests[start])
            yield start, end
            start = end

    def _row(self, place: int) -> EventRow:
        return self._row_at(self._offsets[place])

    def _row_at(self, offset: int) -> EventRow:
        self._spool.seek(offset)
        return EventRow(*json.loads(self._spool.readline()))


def open_events(path: str | Path, zone: ZoneInfo, stdin: BinaryIO | None = None) -> EventsFile:
    """Check all events in ``path`` (``-``: standard input); local times are of ``zone``.

    Raises EventsFileError that names the first bad rows, and for a file without any event.
    """
    with opened_rows(path, zone, stdin) as (source, rows):
        findings = Findings(source.name, EventsFileError)
        try:
            events = EventsFile(good_rows(rows, findings))
        except BadRow as bad:
            raise unusable(source.name, bad, EventsFileError) from None
        if findings.count or not events.events:
            events.close()
            raise findings.error() if findings.count else findings.nothing("events")
        return events


@contextmanager
def opened_rows(
    path: str | Path, zone: ZoneInfo, stdin: BinaryIO | None = None
) -> Iterator[tuple[Source, EventRows]]:
    """A file of events, and what reads it. Raises EventsFileError."""
    try:
        source = Source.open(path, stdin)
    except UnreadableFile as error:
        raise EventsFileError(error.message) from None
    try:
        yield source, EventRows(source, zone)
    finally:
        source.close()


def good_rows(rows: EventRows, findings: Findings) -> Iterator[EventRow]:
    """The good rows; ``findings`` gets the bad ones."""
    for row in rows.read():
        if isinstance(row, BadRow):
            findings.add(row)
        else:
            yield row


def _fact(row: EventRow) -> Fact:
    if row.name is None:
        return Change(0, row.at, row.values, {})
    return Event(0, row.at, row.name, row.values, row.id)


def _digest(user: str) -> int:
    return int.from_bytes(blake2b(user.encode(), digest_size=8).digest(), "big")
