"""``journey why USER JOURNEY``: the way of a user in words, and what he waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.context import database_option, opened, whole_number

if TYPE_CHECKING:
    from engine.cli.context import Installation


@click.command()
@click.argument("user")
@click.argument("journey")
@click.option("--enrollment", metavar="ID", type=whole_number, help="Only this passage.")
@click.option("--key", metavar="KEY", help="Only passages with this key.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@database_option
def why(
    user: str,
    journey: str,
    enrollment: int | None,
    key: str | None,
    as_json: bool,
    database: str | None,
) -> None:
    """What became of USER in JOURNEY: each step, what decisions saw, what is waited for now.

    Passages stand the newest first. Who isn't in the journey is told why: what refused him, or how
    it is entered.
    """
    with opened(database) as installation:
        tell(installation, user, journey, enrollment=enrollment, key=key, as_json=as_json)


def tell(
    installation: Installation,
    user: str,
    journey: str,
    *,
    enrollment: int | None = None,
    key: str | None = None,
    as_json: bool,
) -> None:
    """Print what became of ``user`` in ``journey``: a timeline, or one JSON object."""
    import sys
    from json import dumps

    from engine.cli.show.story import story_lines
    from engine.cli.show.terminal import Paint
    from engine.enrollments.why import why as find
    from engine.operations.plain_data import plain_data
    from engine.versions.store import Versions

    zone = installation.settings.timezone
    with installation.database().read() as connection:
        told = find(
            connection, user, journey, Versions(), zone=zone, enrollment=enrollment, key=key
        )
    if as_json:
        click.echo(dumps(plain_data(told), ensure_ascii=False))
        return
    for line in story_lines(told, Paint.of(sys.stdout, installation.environment)):
        click.echo(line)
