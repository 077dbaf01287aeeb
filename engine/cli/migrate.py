"""``journey migrate``: bring an older database up to this version."""

from __future__ import annotations

import click

from engine.cli.context import database_option, opened


@click.command()
@database_option
def migrate(database: str | None) -> None:
    """Bring an older database up to date: a file after a backup beside it. Of PostgreSQL make one
    yourself before, with pg_dump.

    No worker may run meanwhile. A database that is up to date is left alone.
    """
    from contextlib import closing

    from engine.clock import wall
    from engine.db import schema
    from engine.enrollments.buckets import nobody_working

    with opened(database) as installation:
        found = schema.find_database(installation.settings.database)
        with closing(found), nobody_working(found):
            migrated = schema.migrate(found, wall())
    revision = schema.newest_revision()
    if migrated is None:
        click.echo(f"{found.name} is up to date (revision {revision})")
        return
    before = f"; as it was before: {migrated.backup}" if migrated.backup else ""
    click.echo(f"{found.name} is now at revision {revision}{before}")
