"""Erasing a person from the command line: asked twice, told in full."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from engine.cli.context import actor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.db.connect import Database

_PATIENCE_S = 60.0


def confirm(there: Database, user: str) -> None:
    """Ask whether it is meant, naming what would go. Raises click.UsageError without a terminal."""
    from engine.cli.show.terminal import plain
    from engine.operations.erase import held

    if not sys.stdin.isatty():
        raise click.UsageError("this deletes for good: say --yes")
    with there.read() as connection:
        counts = held(connection, user)
    rows = ", ".join(f"{count:,} {table}" for table, count in counts.items() if count)
    click.confirm(f"delete {rows or 'nothing'} of {plain(user, 255)} for good?", abort=True)


def erase_user(there: Database, user: str) -> dict[str, int]:
    """Erase a user, here or by the worker that owns him; how many rows went, by table.

    Raises NotFound where nothing is held of him, and OperatorError if the worker takes too long.
    """
    from engine.clock import wall
    from engine.errors import OperatorError
    from engine.operations import erase as operation

    gone = operation.erase_user(there, user, actor=actor(), now=wall(), patience_s=_PATIENCE_S)
    if gone is None:
        raise OperatorError(
            "the worker hasn't erased him within a minute; it does when it comes to it, and"
            " `journey audit --what erase` tells",
            code="users.erase_pending",
        )
    return gone


def tell_erased(gone: Mapping[str, int], *, as_json: bool) -> None:
    """Print how many rows went from which table."""
    if as_json:
        from json import dumps

        click.echo(dumps({"erased": gone}))
        return
    for table, count in gone.items():
        if count:
            click.echo(f"{table:<12} {count:>8,} deleted")
