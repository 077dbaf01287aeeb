"""Lists as text that leaves the product: instants, cells, and CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.core.inert import inert

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> str:
    """``columns`` of the rows as CSV (RFC 4180, lines ended by a line feed), with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_inert(cell(row.get(column))) for column in columns])
    return text.getvalue()


def cell(value: object) -> str:
    """A value as a cell: control characters of data (a title may hold any) are question marks."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(cell(each) for each in value)
    return inert(str(value), instead="?")


def instant(microseconds: int | None) -> str | None:
    """An instant in ISO 8601, UTC, to the second."""
    if microseconds is None:
        return None
    moment = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _inert(text: str) -> str:
    """A spreadsheet runs a cell that begins like a formula; a quote before it stops that."""
    return f"'{text}" if text.startswith(_FORMULA) else text
