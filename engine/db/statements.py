"""The hot statements: named SQL files, one folder per database, that take sets.

A set is written by one statement with many rows, not by one statement many times. On SQLite because
its driver gives Python's lock back at each step of a statement, and a thread that sends calls
meanwhile would be handed it, and hand it back, for every row. On PostgreSQL the rows are one
parameter, a JSON array of arrays: a third of the time of a VALUES list of eight rows and a
seventeenth of one of 256 (whose every size and every mixture of types is planned anew), a fifth of
that of arrays for ``unnest``.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection, CursorResult

_ROW = re.compile(r"VALUES (\([?0, ]+\))")
_SIZES = (1, 4, 16, 64, 256)
"""Rows per statement on SQLite: few sizes, so that each is prepared once and stays prepared. A set
is filled up to one of them with rows that are none (:data:`_NONE`)."""
_NONE = -2
"""In every column of a row that is none: no bucket, run or user has this number."""


@cache
def statement(name: str, database: str = "sqlite") -> str:
    """The text of ``sql/<database>/<name>.sql``."""
    return (files("engine.db") / "sql" / database / f"{name}.sql").read_text(encoding="utf-8")


def execute(
    connection: Connection, name: str, values: tuple[object, ...] = ()
) -> CursorResult[*tuple[Any, ...]]:
    """Run a statement as the database of ``connection`` has it."""
    return connection.exec_driver_sql(statement(name, connection.dialect.name), values)


@cache
def statement_of_rows(name: str, rows: int) -> str:
    """SQLite's statement with the one row of its VALUES repeated ``rows`` times. Of an INSERT those
    that are none are left out; others find nothing that they could change.
    """
    text = statement(name)

    def repeated(row: re.Match[str]) -> str:
        values = f"VALUES {', '.join([row[1]] * rows)}"
        if rows == 1 or not re.search("^INSERT", text, re.MULTILINE):
            return values
        return f"SELECT * FROM ({values}) WHERE column1 <> {_NONE}"  # noqa: S608 - all ours

    return _ROW.sub(repeated, text)


def write_rows(connection: Connection, name: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Run a statement that takes a set of rows for all of ``rows``."""
    if connection.dialect.name != "sqlite":
        if rows:
            execute(connection, name, (json.dumps(rows, default=_as_bytea),))
        return
    most = _SIZES[-1]
    for start in range(0, len(rows), most):
        some = rows[start : start + most]
        size = next(size for size in _SIZES if size >= len(some))
        filling = (_NONE,) * ((size - len(some)) * len(some[0]))
        values = (*chain.from_iterable(some), *filling)
        connection.exec_driver_sql(statement_of_rows(name, size), values)


def _as_bytea(value: bytes) -> str:
    return rf"\x{value.hex()}"
