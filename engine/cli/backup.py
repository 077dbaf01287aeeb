"""``journey backup``: a copy of the database, made while everything runs, and its verification."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.context import database_option


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--verify", is_flag=True, help="Say whether FILE is what was written, and sound.")
@database_option
def backup(file: Path | None, verify: bool, database: str | None) -> int:
    """Copy the database to FILE, with its checksum in FILE.sha256.

    Everything may run meanwhile; the copy is of one moment. Without FILE it goes to the folder
    JOURNEY_BACKUPS, or here, under a name with the time in it. The key that opens its secrets is
    no part of it and may not lie in the same folder. With --verify a copy is read and compared
    with its checksum; exits with 6 if it is damaged.
    """
    from engine.cli.context import opened
    from engine.cli.outcome import CHECK_FAILED, tell
    from engine.clock import wall
    from engine.operations import backup as backups

    if verify:
        if file is None:
            raise click.UsageError("--verify needs a FILE")
        try:
            found = backups.verify(file)
        except backups.BackupDamaged as error:
            tell(error)
            return CHECK_FAILED
        click.echo(f"{found.path} is as it was written: {found.size:,} bytes, sound")
        return 0
    with opened(database) as installation:
        settings = installation.settings
        path = file or (settings.backups_folder or Path()) / backups.name_of(wall())
        made = backups.back_up(installation.database(), settings, path)
    click.echo(f"{made.path}: {made.size:,} bytes, SHA-256 {made.sha256}")
    return 0
