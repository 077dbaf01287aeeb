"""Events as a file's rows: CSV with the columns ``user``, ``event`` and ``at``, perhaps
``event_id``, the others being properties (typed like users' columns); or JSON Lines,
``{"user", "event", "at", "properties", "id"}``. A row without an event is a change of the user's
attributes: its other columns, or ``attributes``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from engine.core.expressions.calendar import parse_iso
from engine.users.records import (
    csv_header,
    csv_records,
    is_json_lines,
    json_records,
    kind_of,
    unknown_key,
)
from engine.users.row import BadRow, check_event_name, check_id, check_message_id, shown, typed

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from engine.users.source import Lines, Source

KEYS = ("user", "event", "at", "properties", "attributes", "id")

_DATA = ("properties", "attributes")
_NEEDED = ("user", "event", "at")
_KNOWN = (*_NEEDED, "event_id")


class EventRow(NamedTuple):
    """One row. ``at`` is microseconds UTC. ``name`` is None for a change of attributes; ``values``
    are properties or attributes; ``id`` is the event's own; ``line`` is where the row begins.
    """

    user: str
    at: int
    name: str | None
    values: dict[str, object]
    id: str | None
    line: int


def values_of(said: Mapping[str, object]) -> dict[str, object]:
    """What an object says: the properties of its event, or, without an event, the attributes that
    change. Raises :class:`BadRow` where that is no object or isn't there, and where the other of
    the two holds something: nobody would hear of it.
    """
    is_event = said.get("event") is not None
    key, other = _DATA if is_event else _DATA[::-1]
    values = said.get(key)
    if said.get(other):
        raise _beside_nothing(other, is_event)
    if values is None and not is_event:
        raise BadRow(
            "events.no_data", "the row has neither 'event' nor 'attributes'", "give one of them"
        )
    values = values or {}
    if not isinstance(values, dict):
        raise BadRow("events.bad_json", f"{key!r} is {kind_of(values)}", "it must be an object")
    return values


def _beside_nothing(key: str, is_event: bool) -> BadRow:
    if is_event:
        remedy = (
            "the event's own data goes into 'properties', the user's into a row without 'event'"
        )
        return BadRow("events.misplaced", f"{key!r} stands beside an event", remedy)
    remedy = "name the event, or call them 'attributes' if they are the user's"
    return BadRow("events.misplaced", f"{key!r} stands in a row without 'event'", remedy)


class Layout(NamedTuple):
    """Where what stands in a row of CSV; ``data`` are the other columns: place, name, and whether
    its values are taken as they stand.
    """

    width: int
    user: int
    event: int
    at: int
    id: int | None
    data: tuple[tuple[int, str, bool], ...]


class EventRows:
    """Reads the rows of a file; local times are of ``zone``."""

    def __init__(self, source: Source, zone: ZoneInfo) -> None:
        self.source = source
        self.zone = zone
        self._json = is_json_lines(source.name, source.head())

    def read(self) -> Iterator[EventRow | BadRow]:
        """All rows, from the first; of a bad one what is wrong with it.

        Raises :class:`BadRow` where nothing more can be read.
        """
        lines = self.source.lines()
        return self.rows(lines, self.layout(lines))

    def layout(self, lines: Lines) -> Layout | None:
        """What the header of CSV says; None for JSON Lines, which have none. Raises
        :class:`BadRow`.
        """
        if self._json:
            return None
        try:
            header = csv_header(lines, "events")
            _check_header(header)
        except BadRow as bad:
            raise bad.at(1) from None
        user, event, at = (header.index(name) for name in _NEEDED)
        id_ = header.index("event_id") if "event_id" in header else None
        data = tuple(
            (place, title.removesuffix(":text"), title.endswith(":text"))
            for place, title in enumerate(header)
            if title not in _KNOWN
        )
        return Layout(len(header), user, event, at, id_, data)

    def rows(self, lines: Lines, layout: Layout | None) -> Iterator[EventRow | BadRow]:
        """As :meth:`read`, those that ``lines`` still has; a header was read before."""
        if layout is None:
            return json_records(lines, "events", self._of_json)
        return csv_records(lines, "events", layout.width, partial(self._of_csv, layout))

    def _of_json(self, line: int, said: dict[str, object]) -> EventRow:
        for key in said:
            if key not in KEYS:
                raise unknown_key(key, KEYS, "events", "an event's own data goes into 'properties'")
        user, name = said.get("user"), said.get("event")
        return self._row(line, user, said.get("at"), name, values_of(said), said.get("id"))

    def _of_csv(self, layout: Layout, line: int, fields: list[str]) -> EventRow:
        _, user, event, at, id_, data = layout
        values = {
            name: text if as_text else typed(text)
            for place, name, as_text in data
            if (text := fields[place])
        }
        own = None if id_ is None else fields[id_] or None
        return self._row(line, fields[user], fields[at], fields[event] or None, values, own)

    def _row(
        self,
        line: int,
        user: object,
        at: object,
        name: object,
        values: dict[str, object],
        id_: object,
    ) -> EventRow:
        if not isinstance(user, str):
            raise BadRow("events.no_user", "the row has no user", "a user's id is text")
        instant = parse_iso(at, self.zone) if isinstance(at, str) else None
        if instant is None:
            remedy = "ISO 8601, as in 2026-11-22 or 2026-11-22T09:00:00+03:00"
            missing = at is None or at == ""
            what = "the row has no 'at'" if missing else f"{shown(at)} is no time"
            raise BadRow("events.bad_time", what, remedy)
        return EventRow(
            check_id(user),
            instant,
            None if name is None else check_event_name(name),
            values,
            None if id_ is None else check_message_id(id_),
            line,
        )


def _check_header(header: list[str]) -> None:
    for name in _NEEDED:
        if name not in header:
            raise BadRow(
                "events.missing_column",
                f"no column is called {name!r}",
                "the first line names the columns: user,event,at,...",
            )
    repeated = next((name for name in header if header.count(name) > 1), None)
    if repeated is not None:
        raise BadRow(
            "events.repeated_column", f"two columns are called {shown(repeated)}", "rename one"
        )
