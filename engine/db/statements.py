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
_SIZES = (256, 64, 8, 1)
"""Rows per statement on SQLite: few sizes, so that each is prepared once and stays prepared."""


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
    """SQLite's statement with the one row of its VALUES repeated ``rows`` times."""
    return _ROW.sub(lambda row: f"VALUES {', '.join([row[1]] * rows)}", statement(name))


def write_rows(connection: Connection, name: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Run a statement that takes a set of rows for all of ``rows``."""
    if connection.dialect.name != "sqlite":
        if rows:
            execute(connection, name, (json.dumps(rows, default=_as_bytea),))
        return
    start = 0
    for size in _SIZES:
        text = statement_of_rows(name, size)
        while len(rows) - start >= size:
            some = rows[start : start + size]
            connection.exec_driver_sql(text, tuple(chain.from_iterable(some)))
            start += size


def _as_bytea(value: bytes) -> str:
    return rf"\x{value.hex()}"
