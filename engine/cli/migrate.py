"""``journey migrate``: bring an older database up to this version."""

from __future__ import annotations

import click

from engine.cli.context import database_option, opened


@click.command()
@database_option
def migrate(database: str | None) -> None:
    """Bring an older database up to date, after a backup beside it.

    No worker may run meanwhile. A database that is up to date is left alone.
    """
    from engine.clock import wall
    from engine.db import schema
    from engine.enrollments import buckets

    with opened(database) as installation:
        found = schema.find_database(installation.settings.database)
        owned = buckets.acquire(found.path)
        try:
            backup = schema.migrate(found, wall())
        finally:
            owned.release()
            found.close()
    revision = schema.newest_revision()
    if backup is None:
        click.echo(f"{found.path} is up to date (revision {revision})")
    else:
        click.echo(f"{found.path} is now at revision {revision}; as it was before: {backup}")
