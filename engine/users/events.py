"""Events from a file: what happened to users, for a simulation that replays it.

CSV with the columns ``user``, ``event`` and ``at``, the others being properties (typed like users'
columns); or JSON Lines, ``{"user", "event", "at", "properties", "id"}``. A row without an event is
a change of the user's attributes: its other columns, or ``attributes``. The rows stand in whatever
order. All are checked first, and copied to a temporary file; of each, sixteen bytes stay in memory.
"""

from __future__ import annotations

import csv
import json
import tempfile
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from engine.core import guarded_json
from engine.core.expressions.calendar import parse_iso
from engine.core.guarded_json import NotGuardedJSON
from engine.core.steps.facts import Change, Event
from engine.errors import OperatorError
from engine.users.findings import PROBLEMS
from engine.users.row import BadRow, UserRow, check_id, did_you_mean, shown, typed
from engine.users.source import EndlessRow, Lines, Source

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from engine.core.steps.facts import Fact

KEYS = ("user", "event", "at", "properties", "attributes", "id")


class EventsFileError(OperatorError):
    """The events can't be taken as they are; ``problems`` are the first of them in words."""

    code = "events.invalid"

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class EventsFile:
    """A checked file of events. ``events`` are its rows and ``count`` the users in it, ``first_at``
    is when the first of them happened (microseconds UTC), ``digest`` identifies what it says. It
    stays open until :meth:`close`.
    """

    def __init__(self, rows: Iterator[_Row]) -> None:
        self.first_at: int | None = None
        self._spool: BinaryIO = tempfile.TemporaryFile(prefix="journey-events-")  # noqa: SIM115
        digests, offsets, times = array("Q"), array("Q"), array("q")
        said = blake2b(digest_size=16)
        end = 0
        for row in rows:
            line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            self._spool.write(line)
            said.update(line)
            times.append(row[1])
            digests.append(_digest(row[0]))
            offsets.append(end)
            end += len(line)
            self.first_at = row[1] if self.first_at is None else min(self.first_at, row[1])
        order = sorted(
            range(len(digests)), key=digests.__getitem__
        )  # stable: rows keep their order
        self._digests = array("Q", (digests[place] for place in order))
        self._offsets = array("Q", (offsets[place] for place in order))
        by_time = sorted(range(len(times)), key=times.__getitem__)
        self._in_time = array("Q", (offsets[place] for place in by_time))
        self.digest = said.hexdigest()
        self.events = len(order)
        self.count = sum(1 for _ in self._groups())

    def in_time(self) -> Iterator[tuple[str, Fact]]:
        """Everything that happened, to whom, in order of time; of one time in the file's order."""
        for offset in self._in_time:
            row = self._row_at(offset)
            yield row[0], _fact(row)

    def of(self, user: str) -> list[Fact]:
        """What happened to a user, in order of time; of one time in the file's order."""
        digest = _digest(user)
        start, end = bisect_left(self._digests, digest), bisect_right(self._digests, digest)
        rows = (self._row(place) for place in range(start, end))
        return sorted((_fact(row) for row in rows if row[0] == user), key=lambda fact: fact.at)

    def rows(self) -> Iterator[UserRow]:
        """Every user something happened to, once, in an order that is always the same."""
        for start, end in self._groups():
            for user in dict.fromkeys(self._row(place)[0] for place in range(start, end)):
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

    def _row(self, place: int) -> _Row:
        return self._row_at(self._offsets[place])

    def _row_at(self, offset: int) -> _Row:
        self._spool.seek(offset)
        user, at, name, values, id_ = json.loads(self._spool.readline())
        return user, at, name, values, id_


_Row = tuple[str, int, str | None, dict[str, object], str | None]
"""User, time, the event's name (None: attributes change), properties or attributes, event's id."""


def open_events(path: str | Path, zone: ZoneInfo, stdin: BinaryIO | None = None) -> EventsFile:
    """Check all events in ``path`` (``-``: standard input); local times are of ``zone``.

    Raises EventsFileError that names the first bad rows, and for a file without any event.
    """
    try:
        source = Source.open(path, stdin)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or "not a file's name"
        raise EventsFileError(f"can't read {shown(str(path))}: {reason}") from None
    try:
        reading = _Reading(source, zone)
        events = EventsFile(reading.rows())
        if reading.bad:
            events.close()
            raise reading.error()
        if not events.events:
            events.close()
            raise EventsFileError(f"no events in {source.name}")
        return events
    finally:
        source.close()


class _Reading:
    """Reads the rows of a file, and keeps what is wrong with them."""

    def __init__(self, source: Source, zone: ZoneInfo) -> None:
        self.bad = 0
        self._problems: list[str] = []
        self._source = source
        self._zone = zone

    def rows(self) -> Iterator[_Row]:
        """The good rows."""
        head = self._source.head().removeprefix(b"\xef\xbb\xbf").lstrip()
        try:
            yield from self._json_lines() if head[:1] == b"{" else self._csv()
        except EndlessRow:
            self._note(BadRow("events.bad_csv", "a quote is opened and never closed").at(1))

    def error(self) -> EventsFileError:
        """What is wrong, the first of it in the message."""
        more = f" (and {self.bad - 1:,} more)" if self.bad > 1 else ""
        return EventsFileError(f"{self._problems[0]}{more}", tuple(self._problems))

    def _note(self, bad: BadRow) -> None:
        self.bad += 1
        if len(self._problems) < PROBLEMS:
            remedy = f"; {bad.remedy}" if bad.remedy else ""
            self._problems.append(f"{self._source.name}:{bad.line}: {bad.message}{remedy}")

    def _json_lines(self) -> Iterator[_Row]:
        lines = self._source.lines()
        while True:
            lines.begin_row()
            line = lines.line + 1
            try:
                text = next(lines, None)
                if text is None:
                    return
                if not text.isspace():
                    yield self._of_json(text)
            except BadRow as bad:
                self._note(bad.at(line))

    def _of_json(self, text: str) -> _Row:
        try:
            said = guarded_json.parse(text)
        except NotGuardedJSON as reason:
            message = f"the line isn't JSON to be taken: {reason}"
            raise BadRow("events.bad_json", message) from None
        if not isinstance(said, dict):
            raise BadRow("events.bad_json", "each line is one object")
        for key in said:
            if key not in KEYS:
                remedy = did_you_mean(key, KEYS) or "an event's own data goes into 'properties'"
                raise BadRow("events.unknown_key", f"unknown key {shown(key)}", remedy)
        name = said.get("event")
        values = said.get("attributes" if name is None else "properties") or {}
        if not isinstance(values, dict):
            raise BadRow("events.bad_json", "properties and attributes are objects")
        return self._row(said.get("user"), said.get("at"), name, values, said.get("id"))

    def _csv(self) -> Iterator[_Row]:
        lines = self._source.lines()
        header = self._header(lines)
        if header is None:
            return
        reader = csv.reader(lines, strict=True)
        while True:
            lines.begin_row()
            line = lines.line + 1
            try:
                fields = next(reader, None)
                if fields is None:
                    return
                if fields:
                    yield self._of_csv(header, fields)
            except csv.Error as error:
                self._note(BadRow("events.bad_csv", f"no CSV: {error}").at(line))
            except BadRow as bad:
                self._note(bad.at(line))

    def _header(self, lines: Lines) -> list[str] | None:
        lines.begin_row()
        try:
            header = next(csv.reader(lines, strict=True), [])
            for name in ("user", "event", "at"):
                if name not in header:
                    remedy = "the first line names the columns: user,event,at,..."
                    message = f"no column is called {name!r}"
                    raise BadRow("events.missing_column", message, remedy)
            repeated = next((name for name in header if header.count(name) > 1), None)
            if repeated is not None:
                message = f"two columns are called {shown(repeated)}"
                raise BadRow("events.repeated_column", message, "rename one")
        except csv.Error as error:
            self._note(BadRow("events.bad_csv", f"no CSV: {error}").at(1))
            return None
        except BadRow as bad:
            self._note(bad.at(1))
            return None
        return header

    def _of_csv(self, header: list[str], fields: list[str]) -> _Row:
        if len(fields) != len(header):
            raise BadRow(
                "events.ragged",
                f"the row has {len(fields)} fields, the header {len(header)}",
                "a comma inside a value needs quotes around the value",
            )
        said = dict(zip(header, fields, strict=True))
        values: dict[str, object] = {}
        for title, text in said.items():
            name = title.removesuffix(":text")
            if text and title not in ("user", "event", "at"):
                values[name] = text if name != title else typed(text)
        return self._row(said["user"], said["at"], said["event"] or None, values, None)

    def _row(
        self, user: object, at: object, name: object, values: Mapping[str, object], id_: object
    ) -> _Row:
        if not isinstance(user, str):
            raise BadRow("events.no_user", "the row has no user", "a user's id is text")
        check_id(user)
        instant = parse_iso(at, self._zone) if isinstance(at, str) else None
        if instant is None:
            remedy = "ISO 8601, as in 2026-11-22 or 2026-11-22T09:00:00+03:00"
            raise BadRow("events.bad_time", f"{shown(at)} is no time", remedy)
        if name is not None and (not isinstance(name, str) or not 0 < len(name) <= 200):
            raise BadRow("events.bad_name", f"{shown(name)} is no event's name")
        if id_ is not None and not isinstance(id_, str):
            raise BadRow("events.bad_id", f"the id is {shown(id_)}", "an event's id is text")
        return user, instant, name, dict(values), id_


def _fact(row: _Row) -> Fact:
    _, at, name, values, id_ = row
    return Change(0, at, values, {}) if name is None else Event(0, at, name, values, id_)


def _digest(user: str) -> int:
    return int.from_bytes(blake2b(user.encode(), digest_size=8).digest(), "big")
