"""Lists on standard output: an aligned table for people, NDJSON or CSV for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.operations.tables import cell, csv_text, instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Sized

__all__ = ["instant", "say_if_more", "show", "show_one"]


def show(
    rows: Sequence[Mapping[str, object]],
    columns: Sequence[str],
    *,
    as_json: bool = False,
    as_csv: bool = False,
    empty: str = "",
) -> None:
    """Print ``rows``, ``columns`` of them as a table or CSV, everything of them as JSON lines.

    ``empty`` is said on standard error where there are no rows and a person reads.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if as_json:
        from json import dumps

        for row in rows:
            click.echo(dumps(row, ensure_ascii=False))
    elif as_csv:
        click.echo(csv_text(rows, columns), nl=False)
    elif rows:
        _table(rows, columns)
    elif empty:
        click.echo(empty, err=True)


def say_if_more(found: Sized, limit: int, *, which: str = "first") -> None:
    """Say on standard error that the ``limit`` that were shown aren't all that was found."""
    if len(found) > limit:
        click.echo(f"the {which} {limit}: --limit shows more", err=True)


def _table(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> None:
    cells = [[column.replace("_", " ").upper() for column in columns]]
    cells += [[cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    for line in cells:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def show_one(row: Mapping[str, object], *, as_json: bool = False) -> None:
    """Print one thing: a line per field for people, or one JSON object."""
    from json import dumps

    if as_json:
        click.echo(dumps(row, ensure_ascii=False))
        return
    width = max(map(len, row))
    for name, value in row.items():
        if value is None or value in ("", [], {}):
            continue
        lines = value if isinstance(value, list) and isinstance(value[0], dict) else [value]
        for at, line in enumerate(lines):
            label = name.replace("_", " ") if at == 0 else ""
            click.echo(f"{label:<{width}}  {_pretty(line)}")


def _pretty(value: object) -> str:
    if value == {"sealed": True}:
        return "(sealed)"
    if isinstance(value, dict):
        return ", ".join(
            f"{key.replace('_', ' ')} {_pretty(inner)}"
            for key, inner in value.items()
            if inner is not None
        )
    if isinstance(value, list):
        return ", ".join(_pretty(inner) for inner in value)
    return cell(value)
