"""``journey operators``: who logs in to the console, as what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.context import actor, csv_option, database_option, json_option, opened
from engine.cli.spans import span_of
from engine.clock import wall

if TYPE_CHECKING:
    from engine.access.operators import LoginLink

ROLES = ("admin", "builder", "viewer")
"""As :data:`engine.access.roles.ROLES`, for help that loads nothing."""
CONSOLE = "http://127.0.0.1:8420"

role_argument = click.argument("role", type=click.Choice(ROLES))
url_option = click.option(
    "--url", metavar="URL", default=CONSOLE, show_default=True, help="Where the console is."
)
life_option = click.option(
    "--expires", metavar="DURATION", default="1h", show_default=True, help="How long it is good."
)


@click.group()
def operators() -> None:
    """Operators: who logs in to the console and the management API, as what.

    An admin does everything, a builder journeys and endpoints without their secrets, a viewer
    looks. There is no default password: a link that is printed once is good for one login, and in
    the console a password is set.
    """


@operators.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What NAME may do.")
@url_option
@life_option
@json_option
@database_option
def add(name: str, role: str, url: str, expires: str, as_json: bool, database: str | None) -> None:
    """Let NAME log in, and print a link for the first time."""
    from engine.access import operators as access

    life = span_of(expires, "--expires")
    with opened(database) as installation:
        here = installation.database(create=True)
        now = wall()
        with here.write() as connection:
            access.add(connection, name, role, actor=actor(), now=now)
            link = access.make_link(connection, name, actor=actor(), now=now, life=life)
    _print(link, url, as_json)


@operators.command("login-link")
@click.argument("name")
@url_option
@life_option
@json_option
@database_option
def login_link(name: str, url: str, expires: str, as_json: bool, database: str | None) -> None:
    """Print a link by which NAME logs in once, whatever his password was.

    The link before it is good no more.
    """
    from engine.access.operators import make_link

    life = span_of(expires, "--expires")
    with opened(database) as installation, installation.database().write() as connection:
        link = make_link(connection, name, actor=actor(), now=wall(), life=life)
    _print(link, url, as_json)


@operators.command("list")
@json_option
@csv_option
@database_option
def list_(as_json: bool, as_csv: bool, database: str | None) -> None:
    """The operators: role, whether they have a password, when they last logged in."""
    from engine.access.store.operators import operators as stored
    from engine.cli.tables import instant, show

    with opened(database) as installation, installation.database().read() as connection:
        rows = [
            {
                "name": each.name,
                "role": each.role,
                "password": each.password is not None,
                "created_by": each.created_by,
                "created_at": instant(each.created_at),
                "last_login_at": instant(each.last_login_at),
            }
            for each in stored(connection)
        ]
    columns = ("name", "role", "password", "created_by", "created_at", "last_login_at")
    show(rows, columns, as_json=as_json, as_csv=as_csv, empty="there are no operators yet")


@operators.command()
@click.argument("name")
@role_argument
@database_option
def role(name: str, role: str, database: str | None) -> None:
    """Make NAME an admin, builder or viewer, who then has to log in anew."""
    from engine.access.operators import set_role

    with opened(database) as installation, installation.database().write() as connection:
        set_role(connection, name, role, actor=actor(), now=wall())
    click.echo(f"operator {name} is {role}")


@operators.command()
@click.argument("name")
@database_option
def logout(name: str, database: str | None) -> None:
    """Log NAME out everywhere, at once."""
    from engine.access.operators import log_out

    with opened(database) as installation, installation.database().write() as connection:
        closed = log_out(connection, name, actor=actor(), now=wall())
    click.echo(f"operator {name}: {closed} sessions ended")


@operators.command()
@click.argument("name")
@database_option
def remove(name: str, database: str | None) -> None:
    """Let NAME in no more, at once."""
    from engine.access.operators import remove as take_away

    with opened(database) as installation, installation.database().write() as connection:
        take_away(connection, name, actor=actor(), now=wall())
    click.echo(f"operator {name} removed")


def _print(link: LoginLink, url: str, as_json: bool) -> None:
    from engine.cli.tables import instant, show_one

    whole, until = f"{url.rstrip('/')}{link.path}", instant(link.expires_at)
    if as_json:
        show_one({"name": link.operator, "url": whole, "expires_at": until}, as_json=True)
        return
    click.echo(whole)
    click.echo(f"{link.operator} logs in by it once, until {until}", err=True)
