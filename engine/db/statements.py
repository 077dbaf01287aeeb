"""The hot statements: named SQL files, one folder per database, that take sets.

A set is written by one statement with many rows, not by one statement many times. On SQLite because
its driver gives Python's lock back at each step of a statement, and a thread that sends calls
meanwhile would be handed it, and hand it back, for every row. There a value costs as much as a step
of the row's way into the table (0.1 us for a number, 0.3 for NULL): what is the same in all rows of
a large set is given once. And there the driver itself is asked, as SQLAlchemy takes 15 us for each
statement that writes and 40 for each that reads. On PostgreSQL the rows are one
parameter, a JSON array of arrays: a third of the time of a VALUES list of eight rows and a
seventeenth of one of 256 (whose every size and every mixture of types is planned anew), a fifth of
that of arrays for ``unnest``.
"""

from __future__ import annotations

import json
import re
import sqlite3
from functools import cache, lru_cache
from importlib.resources import files
from itertools import chain, compress, count
from operator import not_
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import Connection, CursorResult

_ROW = re.compile(r"VALUES \(([?0, ]+)\)")
_SIZES = (1, 4, 16, 64)
"""Rows per statement on SQLite: few sizes, so that each is prepared once and stays prepared. A set
is filled up to one of them with rows that are none (:data:`_NONE`)."""
_NONE = -2
"""In the first column of a row that is none: no bucket has this number."""
_TEXTS = 128
"""As many texts are kept as the driver keeps statements prepared: each is as long as its rows."""


@cache
def statement(name: str, database: str = "sqlite") -> str:
    """The text of ``sql/<database>/<name>.sql``."""
    return (files("engine.db") / "sql" / database / f"{name}.sql").read_text(encoding="utf-8")


def execute(
    connection: Connection, name: str, values: tuple[object, ...] = ()
) -> CursorResult[*tuple[Any, ...]]:
    """Run a statement as the database of ``connection`` has it."""
    return connection.exec_driver_sql(statement(name, connection.dialect.name), values)


def fetch(
    connection: Connection, name: str, values: tuple[object, ...] = ()
) -> Sequence[Sequence[Any]]:
    """All rows of a statement that only reads."""
    return ask(connection, statement(name, connection.dialect.name), values)


def ask(
    connection: Connection, text: str, values: tuple[object, ...] = ()
) -> Sequence[Sequence[Any]]:
    """All rows that a short ``text`` reads, the same for both databases: of what each turn asks."""
    if connection.dialect.name != "sqlite":
        return connection.exec_driver_sql(text, values).all()
    found: list[tuple[Any, ...]] = _driver(connection).execute(text, values).fetchall()
    return found


def write_rows(connection: Connection, name: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Run a statement that takes a set of rows for all of ``rows``. Raises IntegrityError where
    they don't fit to what is stored.
    """
    if not rows:
        return
    if connection.dialect.name != "sqlite":
        execute(connection, name, (json.dumps(rows, default=_as_bytea),))
        return
    driver = _driver(connection)
    try:
        for text, values in _statements(name, rows):
            driver.execute(text, values)
    except sqlite3.IntegrityError as error:
        raise IntegrityError(name, None, error) from None


def _driver(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection, in the transaction that was begun through SQLAlchemy's."""
    driver: Any = connection.connection.driver_connection
    found: sqlite3.Connection = driver
    return found


def _statements(
    name: str, rows: Sequence[tuple[object, ...]]
) -> Iterator[tuple[str, tuple[object, ...]]]:
    """SQLite's statements for a set of rows, each with its values."""
    most = _SIZES[-1]
    for start in range(0, len(rows), most):
        some = rows[start : start + most]
        size = next(size for size in _SIZES if size >= len(some))
        shared: tuple[bool, ...] = (False,) * len(some[0])
        once: tuple[object, ...] = ()
        if size == most:
            # Which columns these are makes another statement, and to prepare one takes as long as
            # to run it: few rows are seldom alike in the same way as those before them.
            shared, once, some = _given_once(some)
        filling = (_NONE,) * ((size - len(some)) * len(some[0]))
        text = statement_of_rows(name, size, shared)
        yield text, (*once, *chain.from_iterable(some), *filling)


def _given_once(
    rows: Sequence[tuple[object, ...]],
) -> tuple[tuple[bool, ...], tuple[object, ...], Sequence[tuple[object, ...]]]:
    """Which columns, but for the first, are the same in all rows; their values, and the rows
    without them.
    """
    columns = list(zip(*rows, strict=True))
    shared = (False, *(column.count(column[0]) == len(rows) for column in columns[1:]))
    own = compress(columns, map(not_, shared))
    return shared, tuple(compress(rows[0], shared)), list(zip(*own, strict=True))


@lru_cache(maxsize=_TEXTS)
def statement_of_rows(name: str, size: int, shared: tuple[bool, ...]) -> str:
    """SQLite's statement for ``size`` rows instead of the one of its VALUES. Of the columns that
    are ``shared`` the values come first, once; then those of the others, row by row.
    """
    if size == 1:
        return statement(name)
    once, own = (f"?{n}" for n in count(1)), (f"column{n}" for n in count(1))
    values = [next(once if is_one else own) for is_one in shared]
    row = f"({', '.join('?' * shared.count(False))})"

    def of_rows(found: re.Match[str]) -> str:
        left = iter(values)
        columns = [next(left) if mark == "?" else mark for mark in found[1].split(", ")]
        names = ", ".join(f"{value} AS column{n}" for n, value in enumerate(columns, 1))
        several = ", ".join([row] * size)
        return f"SELECT {names} FROM (VALUES {several}) WHERE column1 <> {_NONE}"  # noqa: S608

    return _ROW.sub(of_rows, statement(name))


def _as_bytea(value: bytes) -> str:
    return rf"\x{value.hex()}"
