"""``journey tokens``: API tokens, which let other systems in. Each is shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.context import actor, csv_option, database_option, json_option, opened
from engine.cli.spans import span_of
from engine.clock import wall

if TYPE_CHECKING:
    from engine.access.issuing import Issued, ListedToken

KINDS = ("user_data", "journeys", "admin")
"""As :data:`engine.access.tokens.KINDS`, for help that loads nothing."""

expires_option = click.option(
    "--expires", metavar="DURATION", help="For how long it lets in, as in P90D."
)


@click.group()
def tokens() -> None:
    """API tokens: what other systems come in with, over HTTP.

    One of kind user_data sends events and users (at most five of those are live), one of kind
    journeys lets users in and reads, one of kind admin does everything. Only a digest is kept: a
    token is printed when it is made, and never again.
    """


@tokens.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="What it is for.")
@expires_option
@json_option
@database_option
def create(name: str, kind: str, expires: str | None, as_json: bool, database: str | None) -> None:
    """Make a token and print it, this once."""
    from engine.access import issuing

    life = None if expires is None else span_of(expires, "--expires")
    with opened(database) as installation:
        here = installation.database(create=True)
        now = wall()
        with here.write() as connection:
            issued = issuing.create(
                connection,
                name,
                kind,
                actor=actor(),
                now=now,
                expires_at=None if life is None else now + life,
            )
    _print(issued, as_json)


@tokens.command("list")
@click.option("--all", "ended", is_flag=True, help="Those that ended in the last 90 days, too.")
@json_option
@csv_option
@database_option
def list_(ended: bool, as_json: bool, as_csv: bool, database: str | None) -> None:
    """The live tokens, masked: kind, who made them and when, when they were used, when they end."""
    from engine.access.issuing import listed
    from engine.cli.tables import show

    with opened(database) as installation, installation.database().read() as connection:
        rows = [_row(each) for each in listed(connection, wall(), ended=ended)]
    columns = (
        *("name", "kind", "token", "state", "created_by", "created_at"),
        *("last_used_at", "expires_at", "previous_until"),
    )
    show(rows, columns, as_json=as_json, as_csv=as_csv, empty="there are no API tokens")


@tokens.command()
@click.argument("name")
@click.option(
    "--overlap", metavar="DURATION", help="Let the old one in for so long, too, as in 24h."
)
@expires_option
@json_option
@database_option
def rotate(
    name: str, overlap: str | None, expires: str | None, as_json: bool, database: str | None
) -> None:
    """Give NAME another token and print it, this once.

    Without --overlap the old one is refused at once. Without --expires the new one lives as long as
    the old one was given.
    """
    from engine.access import issuing

    life = None if expires is None else span_of(expires, "--expires")
    overlap_us = 0 if overlap is None else span_of(overlap, "--overlap")
    with opened(database) as installation, installation.database().write() as connection:
        now = wall()
        issued = issuing.rotate(
            connection,
            name,
            actor=actor(),
            now=now,
            overlap=overlap_us,
            expires_at=None if life is None else now + life,
        )
    _print(issued, as_json)


@tokens.command()
@click.argument("name")
@click.option("--previous", is_flag=True, help="Only the old one, whose overlap isn't over.")
@database_option
def revoke(name: str, previous: bool, database: str | None) -> None:
    """Let nobody in by NAME any more, in every process within a second."""
    from engine.access import issuing

    verb = issuing.revoke_previous if previous else issuing.revoke
    with opened(database) as installation, installation.database().write() as connection:
        verb(connection, name, actor=actor(), now=wall())
    click.echo(f"API token {name}: {'the previous one is revoked' if previous else 'revoked'}")


def _print(issued: Issued, as_json: bool) -> None:
    """The token alone on standard output, so that a script can take it; the rest beside it."""
    from engine.cli.tables import instant, show_one

    expires, until = instant(issued.expires_at), instant(issued.previous_until)
    if as_json:
        told = {"name": issued.name, "kind": issued.kind, "token": issued.text}
        show_one(told | {"expires_at": expires, "previous_until": until}, as_json=True)
        return
    click.echo(issued.text)
    ends = f"it ends {expires}" if expires else "it has no end"
    click.echo(f"this is shown once: keep it now; {ends}", err=True)
    if until:
        click.echo(f"the old one is let in until {until}", err=True)


def _row(token: ListedToken) -> dict[str, object]:
    from dataclasses import asdict

    from engine.cli.tables import instant

    row = asdict(token)
    return {
        name: instant(value) if name.endswith(("_at", "_until")) else value
        for name, value in row.items()
    }
