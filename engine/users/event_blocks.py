"""Events of a file as rows of the inbox, block by block.

Where every row of a block is as most are, the block is checked by columns and sets, which takes a
third of the time. Where anything is unusual its rows are read and checked one by one, and what is
wrong is found and named there: the quick way takes nothing that the other wouldn't, and makes the
same of it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.core.expressions.assignment import bucket_of
from engine.core.expressions.calendar import parse_iso
from engine.core.guarded_json import NotGuardedJSON, parse_lines, quoted, text_of
from engine.users.event_rows import KEYS, values_of
from engine.users.incoming import (
    CHANGE,
    EVENT,
    LARGEST,
    LONG_NUMBER,
    IncomingChange,
    IncomingEvent,
    check_attributes,
    inbox_row,
    own_time,
)
from engine.users.records import csv_columns
from engine.users.row import BadRow, are_ids, check_event_name, typed, typed_json

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from engine.users.event_rows import EventRow, EventRows, Layout
    from engine.users.findings import Findings
    from engine.users.incoming import InboxRow
    from engine.users.source import Lines

_KEYS = frozenset(KEYS)
_TEXT = {str}
_TEXT_OR_NONE = {str, type(None)}
_UTF8 = 4
"""Bytes of a character at most."""


class _Unusual(Exception):
    """The rows of the block have to be looked at one by one."""


class _Columns(NamedTuple):
    """What the rows of a block say. ``names`` are None, and ``attributes`` there, for changes of
    attributes; ``data`` is JSON.
    """

    users: Sequence[Any]
    times: Sequence[Any]
    names: Sequence[Any]
    ids: Sequence[Any]
    data: Sequence[str]
    attributes: Sequence[Mapping[str, object]]


def inbox_rows(rows: EventRows, findings: Findings, now: int) -> Iterator[list[InboxRow]]:
    """All rows of a file in its order, without their ids; ``findings`` gets the bad ones. What may
    be sent is judged at ``now`` (microseconds UTC).

    Raises :class:`BadRow` where nothing more can be read.
    """
    lines = rows.source.lines()
    layout = rows.layout(lines)
    while True:
        start, line = lines.offset, lines.line
        block = rows.source.block(start)
        end = start + len(block)
        if found := _at_once(block, layout, rows.zone, now):
            yield found
            lines = rows.source.lines(end, line + block.count(b"\n"))
            continue
        lines = rows.source.lines(start, line)
        yield [*_one_by_one(rows.rows(lines, layout), lines, end, findings, now)]
        if lines.offset == start:
            return


def _one_by_one(
    rows: Iterator[EventRow | BadRow], lines: Lines, end: int, findings: Findings, now: int
) -> Iterator[InboxRow]:
    """Those up to byte ``end`` of the file, and one at least."""
    for row in rows:
        try:
            if isinstance(row, BadRow):
                raise row
            yield inbox_row(_incoming(row), 0, now)
        except BadRow as bad:
            findings.add(bad if bad.line else bad.at(row.line))
        if lines.offset >= end:
            return


def _incoming(row: EventRow) -> IncomingEvent | IncomingChange:
    if row.name is None:
        return IncomingChange(row.user, row.values, row.at, row.id)
    return IncomingEvent(row.user, row.name, row.values, row.at, row.id)


def _at_once(
    block: bytes, layout: Layout | None, zone: ZoneInfo, now: int
) -> list[InboxRow] | None:
    """The rows of a block; None where they have to be looked at one by one."""
    if not block or b"\0" in block:
        return None
    try:
        text = block.decode()
        said = _of_json(text) if layout is None else _of_csv(text, layout)
        return _checked(said, zone, now)
    except (_Unusual, BadRow, NotGuardedJSON, UnicodeDecodeError, csv.Error):
        return None


def _of_json(text: str) -> _Columns:
    said: list[Any] = parse_lines(text)
    if {*map(type, said)} != {dict} or not all(map(_KEYS.issuperset, said)):
        raise _Unusual
    values = [values_of(one) for one in said]
    names = [one.get("event") for one in said]
    return _Columns(
        [one.get("user") for one in said],
        [one.get("at") for one in said],
        names,
        [one.get("id") for one in said],
        [*map(text_of, values)],
        [] if all(names) else [one for one, name in zip(values, names, strict=True) if not name],
    )


def _of_csv(text: str, layout: Layout) -> _Columns:
    columns = csv_columns(text, layout.width)
    if columns is None:
        raise _Unusual
    names = [name or None for name in columns[layout.event]]
    ids = layout.id
    return _Columns(
        columns[layout.user],
        columns[layout.at],
        names,
        [None] * len(names) if ids is None else [own or None for own in columns[ids]],
        _objects(columns, layout),
        [] if all(names) else [*_attributes(columns, layout)],
    )


def _objects(columns: Sequence[Sequence[str]], layout: Layout) -> list[str]:
    """The data of each row as JSON; an empty field says nothing."""
    if not layout.data:
        return ["{}"] * len(columns[0])
    if len({name for _, name, _ in layout.data}) != len(layout.data):
        raise _Unusual
    members: list[Sequence[str]] = []
    for place, name, as_text in layout.data:
        column = columns[place]
        key = f"{quoted(name)}:"
        said = {
            text: key + (quoted(text) if as_text else typed_json(text))
            for text in {*column}
            if text
        }
        said[""] = ""
        members.append([*map(said.__getitem__, column)])
    return [f"{{{','.join(filter(None, row))}}}" for row in zip(*members, strict=True)]


def _attributes(columns: Sequence[Sequence[str]], layout: Layout) -> Iterator[dict[str, object]]:
    """Attributes that can be set together if those of every row can."""
    for place, name, as_text in layout.data:
        if name != "timezone":
            yield {name: None}
            continue
        for text in {*columns[place]} - {""}:
            yield {name: text if as_text else typed(text)}


def _checked(said: _Columns, zone: ZoneInfo, now: int) -> list[InboxRow]:
    users, times, names, ids, data, attributes = said
    if (
        {*map(type, users)} != _TEXT
        or {*map(type, times)} != _TEXT
        or not {*map(type, names)} <= _TEXT_OR_NONE
        or not {*map(type, ids)} <= _TEXT_OR_NONE
    ):
        raise _Unusual
    if not are_ids(users) or not are_ids([own for own in ids if own is not None]):
        raise _Unusual
    known = {*names}
    for name in known - {None}:
        check_event_name(name)
    for values in attributes:
        check_attributes(values)
    if max(map(len, data)) * _UTF8 > LARGEST or LONG_NUMBER.search("\n".join(data)):
        raise _Unusual
    at = {text: _instant(text, zone, now) for text in {*times}}
    return [
        *zip(
            map(bucket_of, users),
            repeat(0),
            users,
            [CHANGE if name is None else EVENT for name in names]
            if None in known
            else repeat(EVENT),
            [name or "" for name in names] if None in known else names,
            map(at.__getitem__, times),
            ids,
            data,
            strict=False,
        )
    ]


def _instant(text: str, zone: ZoneInfo, now: int) -> int:
    at = parse_iso(text, zone)
    if at is None:
        raise _Unusual
    return own_time(at, now)
