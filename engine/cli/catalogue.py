"""``journey catalogue``: attributes and events that are declared, so that a slip is noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.context import actor, csv_option, database_option, json_option, opened
from engine.clock import wall

if TYPE_CHECKING:
    from collections.abc import Callable

_COLUMNS = ("kind", "name", "type", "properties")


@click.group()
def catalogue() -> None:
    """Attributes and events that are declared: a journey that names another is warned of.

    `journey apply` declares them.
    """


@catalogue.command("list")
@json_option
@csv_option
@database_option
def list_(as_json: bool, as_csv: bool, database: str | None) -> None:
    """Everything that is declared."""
    from engine.cli.tables import show
    from engine.users.catalogue import load_catalogue

    with opened(database) as installation, installation.database().read() as connection:
        found = load_catalogue(connection)
    rows: list[dict[str, object]] = [
        {"kind": "attribute", "name": name, "type": type_}
        for name, type_ in found.attributes.items()
    ]
    rows += [
        {"kind": "event", "name": name, "properties": properties}
        for name, properties in found.events.items()
    ]
    show(rows, _COLUMNS, as_json=as_json, as_csv=as_csv, empty="nothing is declared")


@catalogue.command()
@click.argument("kind", type=click.Choice(("attribute", "event")))
@click.argument("name")
@click.option("--force", is_flag=True, help="Delete it even if journeys name it.")
@database_option
def delete(kind: str, name: str, force: bool, database: str | None) -> None:
    """Declare the attribute or event NAME no more; refused while journeys name it.

    What users have and do stays, and comes in all the same.
    """
    from engine.operations.delete import delete_attribute, delete_event

    verb: Callable[..., tuple[str, ...]]
    verb = delete_attribute if kind == "attribute" else delete_event
    with opened(database) as installation, installation.database().write() as connection:
        used = verb(connection, name, force=force, actor=actor(), now=wall())
    click.echo(f"{kind} {name} deleted")
    for line in used:
        click.echo(f"  was named by {line}", err=True)
