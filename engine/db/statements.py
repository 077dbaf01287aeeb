"""The hot statements: named SQL files, one folder per database, that take sets.

A set is written by one statement with many rows, not by one statement many times: SQLite's driver
gives Python's lock back at each step of a statement, and a thread that sends calls meanwhile would
be handed it, and hand it back, for every row.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

_ROW = re.compile(r"VALUES (\([?0, ]+\))")
_SIZES = (256, 64, 8, 1)
"""Rows per statement: few sizes, so that each is prepared once and stays prepared."""


@cache
def statement(name: str, database: str = "sqlite") -> str:
    """The text of ``sql/<database>/<name>.sql``."""
    return (files("engine.db") / "sql" / database / f"{name}.sql").read_text(encoding="utf-8")


@cache
def statement_of_rows(name: str, rows: int, database: str = "sqlite") -> str:
    """The statement with the one row of its VALUES repeated ``rows`` times."""
    return _ROW.sub(lambda row: f"VALUES {', '.join([row[1]] * rows)}", statement(name, database))


def write_rows(connection: Connection, name: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Run a statement whose VALUES holds one row for all of ``rows``."""
    start = 0
    for size in _SIZES:
        text = statement_of_rows(name, size)
        while len(rows) - start >= size:
            some = rows[start : start + size]
            connection.exec_driver_sql(text, tuple(chain.from_iterable(some)))
            start += size
