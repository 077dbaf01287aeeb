"""The records of a file, one by one: rows of CSV (RFC 4180), or objects as JSON Lines.

Users and events are read by this one loop. It tells what can't be read at all, with codes that
begin with what the file is about (``users.bad_csv``, ``events.bad_csv``); ``read`` makes of a
record what it means, and raises :class:`BadRow` for one that means nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeVar

from engine.core import guarded_json
from engine.core.guarded_json import NotGuardedJSON
from engine.users.row import BadRow, did_you_mean, one_of, shown
from engine.users.source import EndlessRow, Lines

FIELD_LIMIT = 131_072
"""Characters in one field: the csv module's own bound, which is one for the whole process."""

About = Literal["users", "events"]
"""What a file is about: the first part of the codes of what is wrong with it."""

Read = TypeVar("Read")


def is_json_lines(name: str, head: bytes) -> bool:
    """Whether a file is JSON Lines, by its name or else by its first bytes."""
    lower = name.lower()
    if lower.endswith((".jsonl", ".ndjson")):
        return True
    content = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return not lower.endswith(".csv") and content[:1] in (b"{", b"[")


def json_records(
    lines: Lines, about: About, read: Callable[[int, dict[str, object]], Read]
) -> Iterator[Read | BadRow]:
    """What ``read`` makes of (line, object) for each line, or what is wrong with it."""
    while True:
        lines.begin_row()
        line = lines.line + 1
        try:
            text = next(lines, None)
            if text is None:
                return
            if not text.isspace():
                yield read(line, _object(text, about))
        except BadRow as bad:
            yield bad.at(line)


def _object(text: str, about: About) -> dict[str, object]:
    code = f"{about}.bad_json"
    try:
        said = guarded_json.parse(text)
    except NotGuardedJSON as reason:
        raise BadRow(code, f"the line isn't JSON to be taken: {reason}") from None
    if not isinstance(said, dict):
        example = '{"id": "u1", "attributes": {}}' if about == "users" else '{"user": "u1", ...}'
        raise BadRow(code, f"the line is {kind_of(said)}", f"each line is one object: {example}")
    return said


def unknown_key(key: str, known: Sequence[str], about: About, otherwise: str) -> BadRow:
    """An object has a key that nobody reads; ``otherwise`` says where data of one's own goes."""

    def remedy() -> str:
        return did_you_mean(key, known) or f"{one_of(known)}; {otherwise}"

    return BadRow(f"{about}.unknown_key", f"unknown key {shown(key)}", remedy)


def csv_header(lines: Lines, about: About) -> list[str]:
    """The names of the columns. Raises :class:`BadRow` if they can't be read."""
    lines.begin_row()
    try:
        return next(csv.reader(lines, strict=True), [])
    except (csv.Error, EndlessRow) as error:
        raise _bad_csv(str(error), about, 1, lines.line) from None


def csv_records(
    lines: Lines, about: About, width: int, read: Callable[[int, list[str]], Read]
) -> Iterator[Read | BadRow]:
    """What ``read`` makes of (line, fields) for each row of ``width`` fields, or what is wrong with
    it. Raises :class:`BadRow` where a quote is never closed: nothing behind it can be told apart.
    """
    reader = csv.reader(lines, strict=True)
    while True:
        lines.begin_row()
        line = lines.line + 1
        try:
            fields = next(reader, None)
            if fields is None:
                return
            if not fields:
                continue
            if len(fields) != width:
                raise _ragged(len(fields), width, about)
            yield read(line, fields)
        except EndlessRow:
            raise _endless(about).at(line) from None
        except csv.Error as error:
            if _is_endless(str(error), spans=lines.line > line):
                raise _endless(about).at(line) from None
            yield _bad_csv(str(error), about, line, lines.line).at(line)
        except BadRow as bad:
            yield bad.at(line)


def csv_columns(text: str, width: int) -> list[tuple[str, ...]] | None:
    """The columns of whole lines that are rows of ``width`` fields. None or csv.Error: they have to
    be read one by one.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    lines = text.removesuffix("\n").split("\n")
    if '"' in text or "\r" in text:
        rows = [*csv.reader(lines, strict=True)]
    else:  # nothing but the commas means anything; no block is as long as a field may be
        rows = [line.split(",") for line in lines]
    if "" in lines or len(rows) != len(lines) or {*map(len, rows)} != {width}:
        return None
    return [*zip(*rows, strict=True)]


def _ragged(found: int, width: int, about: About) -> BadRow:
    return BadRow(
        f"{about}.ragged",
        f"the row has {'1 field' if found == 1 else f'{found} fields'}, the header {width}",
        "a comma inside a value needs quotes around the value",
    )


def _is_endless(reason: str, *, spans: bool) -> bool:
    return "unexpected end" in reason or ("field larger" in reason and spans)


def _endless(about: About) -> BadRow:
    return BadRow(
        f"{about}.bad_csv",
        "a quoted value begins in this row and has no end",
        "close the quote; a row has at most 1 MiB",
    )


def _bad_csv(reason: str, about: About, first: int, last: int) -> BadRow:
    code = f"{about}.bad_csv"
    if "field larger" in reason:
        message = f"a field is longer than {FIELD_LIMIT:,} characters"
        return BadRow(f"{about}.too_long", message, "shorten it")
    if "new-line" in reason:
        return BadRow(code, "a carriage return stands in the row", "end lines with LF or CRLF")
    span = f" (the row runs to line {last})" if last > first else ""
    return BadRow(
        code, f"a quote is out of place{span}", 'a value with quotes is written "like ""this"""'
    )


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    for kind, name in _NAMES:
        if isinstance(value, kind):
            return name
    return "null"


_NAMES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "a boolean"),
    ((int, float), "a number"),
    (str, "a text"),
    (list, "a list"),
    (dict, "an object"),
)
