"""``journey config``: the settings as this command sees them."""

from __future__ import annotations

import click

from engine.cli.context import csv_option, json_option


@click.command()
@json_option
@csv_option
def config(as_json: bool, as_csv: bool) -> None:
    """Every setting: its variable, its value, and where that is from. Secrets are masked."""
    from dataclasses import fields

    from engine.cli.tables import show
    from engine.core.dsl.literal_secrets import masked
    from engine.settings import (
        PREFIX,
        SECRET_SETTINGS,
        Settings,
        environment,
        load_settings,
        origins,
    )

    settings, found = load_settings(environment()), origins()
    rows: list[dict[str, object]] = []
    for field in fields(Settings):
        value = str(getattr(settings, field.name))
        secret = field.name in SECRET_SETTINGS
        shown = ("(set)" if value else "") if secret else masked(value)
        rows.append(
            {
                "setting": PREFIX + field.name.upper(),
                "value": shown,
                "from": found.get(field.name, "default"),
            }
        )
    show(rows, ("setting", "value", "from"), as_json=as_json, as_csv=as_csv)
