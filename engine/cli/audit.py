"""``journey audit``: who changed what, when, and which fields."""

from __future__ import annotations

import click

from engine.cli.context import csv_option, database_option, json_option, opened
from engine.cli.since import instant_of, since_option


@click.command()
@since_option
@click.option("--actor", metavar="NAME", default="", help="Changes of this user.")
@click.option(
    "--what", metavar="TEXT", default="", help="Changes whose verb, kind, name or fields hold TEXT."
)
@json_option
@csv_option
@database_option
def audit(
    since: str | None, actor: str, what: str, as_json: bool, as_csv: bool, database: str | None
) -> None:
    """Every change of an endpoint, auth profile, secret, key, journey, declaration, API token or
    operator, and every login, oldest first.

    Fields are told by name; values are never kept.
    """
    from dataclasses import asdict

    from engine.audit.store import changes
    from engine.cli.tables import instant, show

    start = 0 if since is None else instant_of(since)
    with opened(database) as installation, installation.database().read() as connection:
        rows = [
            asdict(change) | {"at": instant(change.at)}
            for change in changes(connection, since=start, actor=actor, what=what)
        ]
    filtered = since is not None or actor or what
    empty = "no change fits" if filtered else "nothing was changed yet"
    columns = ("at", "actor", "verb", "kind", "name", "fields")
    show(rows, columns, as_json=as_json, as_csv=as_csv, empty=empty)
