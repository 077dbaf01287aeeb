"""``journey hooks``: sources of foreign webhooks, which become events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from engine.cli.context import actor, csv_option, database_option, json_option, opened
from engine.clock import wall

if TYPE_CHECKING:
    from engine.hooks.store import StoredHook

PRESETS = ("standard", "github", "stripe", "shopify")
"""As :data:`engine.hooks.signatures.PRESETS`, for help that loads nothing."""

_COLUMNS = ("name", "preset", "user", "event", "when", "properties", "changed")

EXAMPLES = """\b
journey hooks set shop --preset shopify --user event.customer.id --from-env SHOP_SECRET
    --event "{{ 'ordered' if event_name == 'orders/create' else event_name }}"
    --property total={{event.total_price}}
"""

from_env_option = click.option("--from-env", metavar="VARIABLE", help="Its secret: a variable's.")
from_file_option = click.option("--from-file", metavar="PATH", help="Its secret: a file's text.")


@click.group()
def hooks() -> None:
    """Foreign webhooks, at /hooks/NAME of the HTTP API: believed by their signature, mapped to
    events by expressions.
    """


@hooks.command("set", epilog=EXAMPLES)
@click.argument("name")
@click.option("--preset", type=click.Choice(PRESETS), help="How its sender signs.")
@click.option("--user", metavar="EXPR", help="Whose event it is, as in event.customer.id.")
@click.option("--event", metavar="TEXT", help="What the event is called; {{ event_name }}.")
@click.option("--when", metavar="EXPR", help="Take it only then.")
@click.option(
    "--property", "properties", metavar="K=VALUE", multiple=True, help="Else the whole body."
)
@from_env_option
@from_file_option
@database_option
def set_(
    name: str,
    preset: str | None,
    user: str | None,
    event: str | None,
    when: str | None,
    properties: tuple[str, ...],
    from_env: str | None,
    from_file: str | None,
    database: str | None,
) -> None:
    """Create or change the hook NAME; what isn't named stays.

    A new one's secret is asked for, or read from standard input, unless an option says where it is.
    """
    from engine.cli.secret_input import one_of
    from engine.hooks import keeping, store
    from engine.users.given import json_or_text, pairs_of

    given = {key: json_or_text(text) for key, text in pairs_of("--property", properties).items()}
    with opened(database) as installation:
        here = installation.database(create=True)
        with here.read() as connection:
            stored = store.find(connection, name)
        changes = stored is not None and preset in (None, stored.preset)
        secret = None
        if from_env is not None or from_file is not None or not changes:
            secret = one_of(from_env, from_file, installation.environment, "secret")
        edit = keeping.HookEdit(preset, user, event, when, given or None, secret)
        vault = installation.vault()
        with here.write() as connection:
            new = keeping.set_hook(connection, vault, name, edit, actor=actor(), now=wall())
    click.echo(f"{name}: {'created' if new else 'changed'}; it is /hooks/{name}", err=True)


@hooks.command()
@click.argument("name")
@from_env_option
@from_file_option
@click.option("--overlap", metavar="DURATION", help="For how long the old one is good, too.")
@database_option
def rotate(
    name: str,
    from_env: str | None,
    from_file: str | None,
    overlap: str | None,
    database: str | None,
) -> None:
    """Replace the secret of NAME; the next webhook is verified with the new one."""
    from engine.cli.secret_input import one_of
    from engine.cli.spans import span_of
    from engine.hooks import keeping

    span = span_of(overlap, "--overlap") if overlap else 0
    with opened(database) as installation:
        secret = one_of(from_env, from_file, installation.environment, "secret")
        vault = installation.vault()
        with installation.database().write() as connection:
            keeping.rotate(
                connection, vault, name, secret, overlap_us=span, actor=actor(), now=wall()
            )
    click.echo(f"{name}: its secret was replaced", err=True)


@hooks.command("list")
@json_option
@csv_option
@database_option
def list_(as_json: bool, as_csv: bool, database: str | None) -> None:
    """Every hook, with its mapping; never a secret."""
    from engine.cli.tables import show
    from engine.hooks.store import every

    with opened(database) as installation, installation.database().read() as connection:
        rows = [_row(stored) for stored in every(connection)]
    show(rows, _COLUMNS, as_json=as_json, as_csv=as_csv, empty="there are no hooks")


@hooks.command("show")
@click.argument("name")
@json_option
@database_option
def show_(name: str, as_json: bool, database: str | None) -> None:
    """The hook NAME with its mapping; never its secret."""
    from engine.cli.tables import show_one
    from engine.hooks.keeping import require

    with opened(database) as installation, installation.database().read() as connection:
        row = _row(require(connection, name))
    show_one(row, as_json=as_json)


@hooks.command()
@click.argument("name")
@json_option
@csv_option
@database_option
def deliveries(name: str, as_json: bool, as_csv: bool, database: str | None) -> None:
    """What came to NAME, the newest last: the last 50 that were taken, the last 50 that were
    refused, and what became of each; never a body.
    """
    from engine.cli.tables import show
    from engine.hooks.deliveries import of_hook
    from engine.hooks.keeping import require
    from engine.operations.deliveries import COLUMNS, row

    with opened(database) as installation, installation.database().read() as connection:
        found = of_hook(connection, require(connection, name).id)
    rows = [row(one) for one in reversed(found)]
    show(rows, COLUMNS, as_json=as_json, as_csv=as_csv, empty=f"nothing came to {name}")


@hooks.command()
@click.argument("name")
@database_option
def delete(name: str, database: str | None) -> None:
    """Delete NAME: what is sent to it from now on is answered 404."""
    from engine.hooks import keeping

    with opened(database) as installation, installation.database().write() as connection:
        keeping.delete(connection, name, actor=actor(), now=wall())
    click.echo(f"{name}: deleted", err=True)


def _row(stored: StoredHook) -> dict[str, object]:
    from engine.cli.tables import instant

    return {
        "name": stored.name,
        "preset": stored.preset,
        **json.loads(stored.mapping),
        "changed": instant(stored.changed_at),
    }
