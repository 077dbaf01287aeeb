"""Every value of every table, for what looks at all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, select, table, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import Connection

_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class TableRows:
    """Some rows of a table, and what its columns are called."""

    table: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


def every_row(connection: Connection) -> Iterator[TableRows]:
    """All rows of all tables, a thousand at a time; of an empty table none."""
    for name in sorted(inspect(connection).get_table_names()):
        everything = select(text("*")).select_from(table(name))
        found = connection.execute(everything, execution_options={"stream_results": True})
        columns = tuple(found.keys())
        for rows in found.partitions(_ROWS):
            yield TableRows(name, columns, rows)
