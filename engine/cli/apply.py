"""``journey apply``: endpoints, auth profiles, contact policy and the catalogue from a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.context import actor, database_option, opened
from engine.clock import wall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.cli.context import Installation
    from engine.endpoints.file import EndpointsFile
    from engine.operations.apply import Change


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only print what would change.")
@click.option(
    "--take-secrets",
    is_flag=True,
    help="Put back secrets of the file that were rotated away since.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per entry.")
@database_option
def apply(
    file: Path, dry_run: bool, take_secrets: bool, as_json: bool, database: str | None
) -> None:
    """Create and update endpoints, auth profiles, contact policy and the catalogue from FILE (- is
    standard input).

    FILE holds no secret: {seal_from_env: NAME} seals a variable's value now, {env: NAME} and
    {file: NAME} are read when they are used. Doing it twice changes nothing; what isn't in the file
    stays; a rotated secret is kept. All of it is applied, or nothing.
    """
    from engine.cli.journey_file import LARGEST, read_bounded
    from engine.endpoints.file import read_file

    with opened(database) as installation:
        piped = str(file) == "-"
        source = sys.stdin.buffer.read(LARGEST + 1) if piped else read_bounded(file)
        name = "<stdin>" if piped else str(file)
        written = read_file(source, name, egress=installation.egress())
        changes = (_rehearse if dry_run else _apply)(installation, written, take_secrets)
    _print(changes, dry_run=dry_run, as_json=as_json)


def _apply(
    installation: Installation, written: EndpointsFile, take_secrets: bool
) -> tuple[Change, ...]:
    from engine.operations import apply as operation

    database = installation.database(create=True)
    keys = operation.Keys(
        installation.vault(), installation.references(), installation.egress(), take_secrets
    )
    return operation.apply(database, keys, written, actor=actor(), now=wall())


def _rehearse(
    installation: Installation, written: EndpointsFile, take_secrets: bool
) -> tuple[Change, ...]:
    """The same on a transaction that is rolled back; without a database, on a throwaway one."""
    from tempfile import TemporaryDirectory

    from engine.db.schema import open_database
    from engine.operations import apply as operation

    with TemporaryDirectory() as folder:
        there = installation.has_database()
        database = installation.database() if there else open_database(f"{folder}/engine.db")
        vault = operation.rehearsal_vault(database, installation.vault)
        keys = operation.Keys(vault, installation.references(), installation.egress(), take_secrets)
        try:
            return operation.apply(database, keys, written, actor=actor(), now=wall(), dry_run=True)
        finally:
            if not there:
                database.close()


def _print(changes: Sequence[Change], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict
        from json import dumps

        for change in changes:
            click.echo(dumps(asdict(change) | {"dry_run": dry_run}, ensure_ascii=False))
        return
    for change in changes:
        if change.verb != "unchanged" or change.notes:
            fields = f": {', '.join(change.fields)}" if change.fields else ""
            what = f"{change.kind} {change.name}".rstrip()
            click.echo(f"{what} {change.verb}{fields}")
        for note in change.notes:
            click.echo(f"  {note}")
    counts = [
        f"{sum(change.verb == verb for change in changes)} {verb}"
        for verb in ("created", "changed", "removed", "unchanged")
        if verb != "removed" or any(change.verb == verb for change in changes)
    ]
    would = " (dry run: nothing was written)" if dry_run else ""
    click.echo(f"{', '.join(counts)}{would}", err=True)
