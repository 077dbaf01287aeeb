"""Users of a file, block by block.

Where every row of a block is as most are, all are read at once, by columns and sets, which takes a
quarter of the time. Where anything is unusual its rows are read one by one, and what is wrong is
found and named there: the quick way takes nothing that the other wouldn't, and makes the same of
it.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple, Protocol

from engine.core.guarded_json import NotGuardedJSON
from engine.users.row import BadRow, UserRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engine.users.source import Lines, Source


class Reader(Protocol):
    """What reads users: CSV or JSON Lines."""

    def rows(self, lines: Lines) -> Iterator[UserRow | BadRow]:
        """A user for each row, or for a bad one what is wrong with it. Raises BadRow where nothing
        more can be read.
        """
        ...

    def at_once(self, text: str, line: int) -> Rows | None:
        """A user for each row of whole lines, of which the first is line ``line``. None, BadRow,
        NotGuardedJSON or csv.Error: they have to be looked at one by one.
        """
        ...


class Rows(NamedTuple):
    """Good rows: the ids, and the users themselves, who may be made only as they are asked for, and
    once.
    """

    ids: Sequence[str]
    users: Iterable[UserRow]


class Block(NamedTuple):
    """Rows of a file that follow one another: the good and the bad. The row behind them begins at
    byte ``offset``, where ``line`` lines have gone before.
    """

    good: Rows
    bad: list[BadRow]
    offset: int
    line: int


def blocks(source: Source, reader: Reader, offset: int, line: int) -> Iterator[Block]:
    """The rows from byte ``offset`` on, where ``line`` lines have gone before.

    Raises :class:`BadRow` where nothing more can be read.
    """
    while True:
        raw = source.block(offset)
        if good := _at_once(raw, reader, line):
            offset += len(raw)
            line += raw.count(b"\n")
            yield Block(good, [], offset, line)
            continue
        lines = source.lines(offset, line)
        read = _one_by_one(reader.rows(lines), lines, offset + len(raw))
        if lines.offset == offset:
            return
        offset, line = lines.offset, lines.line
        yield read


def _at_once(raw: bytes, reader: Reader, line: int) -> Rows | None:
    if not raw or b"\0" in raw:
        return None
    try:
        return reader.at_once(raw.decode(), line + 1)
    except (BadRow, NotGuardedJSON, UnicodeDecodeError, csv.Error):
        return None


def _one_by_one(rows: Iterator[UserRow | BadRow], lines: Lines, end: int) -> Block:
    """Those up to byte ``end`` of the file, and one at least."""
    users: list[UserRow] = []
    bad: list[BadRow] = []
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
        else:
            users.append(row)
        if lines.offset >= end:
            break
    return Block(Rows([user.id for user in users], users), bad, lines.offset, lines.line)
