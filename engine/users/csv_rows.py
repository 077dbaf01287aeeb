"""Users as CSV (RFC 4180): a header, then a row each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import count, repeat

from engine.users.records import csv_columns, csv_header, csv_records
from engine.users.row import (
    BadRow,
    UserRow,
    all_typed,
    are_ids,
    check_id,
    check_inputs,
    check_zone,
    shown,
    typed,
)
from engine.users.source import Lines
from engine.users.user_blocks import Rows


class Role(Enum):
    """What a column's values are."""

    ID = "id"
    TIMEZONE = "timezone"
    ATTRIBUTE = "attribute"
    INPUT = "input"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the header; ``text`` says that its values are taken as they stand."""

    name: str
    role: Role
    text: bool


class CSVRows:
    """Reads users from CSV whose columns are known. The header decides once what each column is."""

    def __init__(self, columns: Sequence[Column], declared: Mapping[str, str]) -> None:
        places = {column.role: i for i, column in enumerate(columns)}
        self._width = len(columns)
        self._id = places[Role.ID]
        self._zone = places.get(Role.TIMEZONE)
        self._declared = declared
        self._attributes = _places(columns, Role.ATTRIBUTE)
        self._inputs = _places(columns, Role.INPUT)

    @classmethod
    def after_header(cls, lines: Lines, declared: Mapping[str, str]) -> CSVRows:
        """Read the header. Raises :class:`BadRow` if it can't be one."""
        return cls(_columns(csv_header(lines, "users"), declared), declared)

    def rows(self, lines: Lines) -> Iterator[UserRow | BadRow]:
        """A user for each row, or for a bad one what is wrong with it.

        Raises :class:`BadRow` where a quote is never closed.
        """
        return csv_records(lines, "users", self._width, self._row)

    def at_once(self, text: str, line: int) -> Rows | None:
        """See :class:`~engine.users.user_blocks.Reader`."""
        columns = csv_columns(text, self._width)
        if columns is None or not are_ids(columns[self._id]):
            return None
        ids = columns[self._id]
        inputs: Iterable[dict[str, object]] = _objects(columns, self._inputs)
        if self._declared:
            inputs = [*inputs]
            for brought in inputs:
                check_inputs(self._declared, brought)
        zones = repeat(None) if self._zone is None else _zones(columns[self._zone])
        attributes = _objects(columns, self._attributes)
        return Rows(ids, map(UserRow, count(line), ids, zones, attributes, inputs))

    def _row(self, line: int, fields: list[str]) -> UserRow:
        zone = fields[self._zone] if self._zone is not None else ""
        attributes = {
            name: value if text else typed(value)
            for place, name, text in self._attributes
            if (value := fields[place])
        }
        inputs = {
            name: value if text else typed(value)
            for place, name, text in self._inputs
            if (value := fields[place])
        }
        if self._declared:
            check_inputs(self._declared, inputs)
        return UserRow(
            line,
            check_id(fields[self._id]),
            check_zone(zone) if zone else None,
            attributes,
            inputs,
        )


def _zones(names: Sequence[str]) -> Iterable[str | None]:
    known = {name: check_zone(name) if name else None for name in {*names}}
    return map(known.__getitem__, names)


def _objects(
    columns: Sequence[Sequence[str]], places: Sequence[tuple[int, str, bool]]
) -> Iterator[dict[str, object]]:
    """What the columns at ``places`` say of each row; an empty field says nothing."""
    objects: list[dict[str, object]] = [{} for _ in columns[0]]
    for place, name, text in places:
        values = columns[place] if text else all_typed(columns[place])
        for said, value in zip(objects, values, strict=True):
            if value != "":
                said[name] = value
    yield from objects


def _places(columns: Sequence[Column], role: Role) -> tuple[tuple[int, str, bool], ...]:
    return tuple((i, c.name, c.text) for i, c in enumerate(columns) if c.role is role)


def _columns(header: Sequence[str], declared: Mapping[str, str]) -> list[Column]:
    _check_separator(header)
    columns = [_column(place, title, declared) for place, title in enumerate(header, 1)]
    names = [column.name for column in columns]
    if "id" not in names:
        raise _no_id(_id_hint(header))
    for name in names:
        if names.count(name) > 1:
            raise BadRow(
                "users.repeated_column", f"two columns are called {shown(name)}", "rename one"
            )
    for name, kind in declared.items():
        if name not in names:
            raise BadRow(
                "users.missing_input",
                f"no column brings the input {shown(name)}",
                f"the journey asks every user for it ({kind})",
            )
    return columns


def _column(place: int, title: str, declared: Mapping[str, str]) -> Column:
    name, colon, kind = title.rpartition(":")
    if colon and kind in ("number", "boolean", "date", "any"):
        raise BadRow(
            "users.bad_column",
            f"column {place} is called {shown(title)}",
            "values are typed by what they look like; only ':text' can be asked for",
        )
    forced = bool(colon) and kind == "text"
    name = name if forced else title
    if not name.strip():
        raise BadRow("users.bad_column", f"column {place} of the header has no name", "name it")
    if not name.isprintable():
        raise BadRow(
            "users.bad_column", f"column {place} of the header is {shown(name)}", "rename it"
        )
    if name in ("id", "timezone"):
        return Column(name, Role(name), True)
    if name in declared:
        return Column(name, Role.INPUT, forced or declared[name] in ("text", "date"))
    return Column(name, Role.ATTRIBUTE, forced)


def _check_separator(header: Sequence[str]) -> None:
    """Said before anything of the one column that it seems to be: its name has a tab in it."""
    if len(header) == 1:
        for separator, called in ((";", "';'"), ("\t", "tabs"), ("|", "'|'")):
            if separator in header[0]:
                raise _no_id(f"the columns seem to be separated by {called}; use commas")


def _no_id(hint: str) -> BadRow:
    return BadRow("users.no_id_column", "no column is called 'id'", hint)


def _id_hint(header: Sequence[str]) -> str:
    near = [name for name in header if name.strip().lower() in ("id", "user_id", "userid", "user")]
    return f"rename {shown(near[0])} to 'id'" if near else "the first line must name the columns"
