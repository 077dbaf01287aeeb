"""``journey auth``: auth profiles, what requests authenticate with. Never prints a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.auth_secrets import rotate, set_profile, settle
from engine.cli.context import actor, csv_option, database_option, json_option, opened
from engine.clock import wall

if TYPE_CHECKING:
    from engine.credentials.references import References
    from engine.credentials.store.profiles import StoredProfile


@click.group()
def auth() -> None:
    """Auth profiles: what requests to endpoints authenticate with.

    A profile is assigned to endpoints by name (`journey endpoints set NAME --auth PROFILE`). A
    change holds for the very next call of every live journey. Secrets go in and never come out.
    """


auth.add_command(set_profile)
auth.add_command(rotate)
auth.add_command(settle)


@auth.command("list")
@click.argument("text", default="")
@json_option
@csv_option
@database_option
def list_(text: str, as_json: bool, as_csv: bool, database: str | None) -> None:
    """The profiles; with TEXT those whose name, title, kind or host holds it."""
    from engine.cli.tables import show as print_table
    from engine.credentials.store.profiles import all_profiles
    from engine.endpoints.store import using_profile

    with opened(database) as installation, installation.database().read() as connection:
        rows = [
            _row(profile, installation.references())
            | {
                "endpoints": [
                    stored.endpoint.name
                    for stored in using_profile(connection, profile.columns.name)
                ]
            }
            for profile in all_profiles(connection)
            if _matches(profile, text.lower())
        ]
    columns = ("name", "kind", "title", "hosts", "endpoints", "version", "changed_at", "secret")
    empty = f"no auth profile holds {text!r}" if text else "there are no auth profiles yet"
    print_table(rows, columns, as_json=as_json, as_csv=as_csv, empty=empty)


@auth.command()
@click.argument("name")
@json_option
@database_option
def show(name: str, as_json: bool, database: str | None) -> None:
    """One profile: its settings, which secrets are set, where it is used."""
    from engine.cli.tables import show_one
    from engine.credentials.store.profiles import profile_by_name
    from engine.endpoints.store import using_profile
    from engine.errors import NotFound

    with opened(database) as installation, installation.database().read() as connection:
        profile = profile_by_name(connection, name)
        if profile is None:
            raise NotFound(f"there is no auth profile {name}; `journey auth list` shows them")
        endpoints = [stored.endpoint.name for stored in using_profile(connection, name)]
        references = installation.references()
    row = _row(profile, references) | {
        "inline": profile.columns.inline,
        "settings": dict(profile.columns.settings),
        "secrets": _secrets(profile),
        "endpoints": endpoints,
    }
    show_one(row, as_json=as_json)


@auth.command()
@click.argument("old")
@click.argument("new")
@database_option
def rename(old: str, new: str, database: str | None) -> None:
    """Give a profile another name; its secrets, token and history stay."""
    from engine.credentials import profiles

    with opened(database) as installation, installation.database().write() as connection:
        profiles.rename(connection, old, new, actor=actor(), now=wall())
    click.echo(f"auth profile {old} is now {new}")


@auth.command()
@click.argument("name")
@json_option
@database_option
def usage(name: str, as_json: bool, database: str | None) -> None:
    """Where NAME is used: endpoints, journeys, steps, users inside now."""
    from engine.cli.usage import show_usage
    from engine.versions.usage import of_profile

    with opened(database) as installation, installation.database().read() as connection:
        show_usage(of_profile(connection, name), f"no endpoint has auth profile {name}", as_json)


@auth.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Delete it even if it is used.")
@database_option
def delete(name: str, force: bool, database: str | None) -> None:
    """Delete NAME with its secrets; refused while endpoints have it."""
    from engine.cli.revoking import revocable, revoke
    from engine.operations.delete import delete_profile

    with opened(database) as installation:
        with installation.database().write() as connection:
            tokens = revocable(installation, connection, name)
            used = delete_profile(connection, name, force=force, actor=actor(), now=wall())
        click.echo(f"auth profile {name} deleted")
        for line in used:
            click.echo(f"  was used by {line}", err=True)
        revoke(installation, tokens)


@auth.command()
@click.argument("name")
@click.option("--endpoint", help="Send one request to this endpoint, too.")
@click.option("--path", help="The path of that request (default /).")
@click.option("--method", default="GET", show_default=True, help="Its method.")
@json_option
@database_option
def test(
    name: str,
    endpoint: str | None,
    path: str | None,
    method: str,
    as_json: bool,
    database: str | None,
) -> None:
    """Try NAME: open its secrets, ask its token server; with --endpoint or --path, send a request.

    Exit code 6 if it doesn't work.
    """
    from engine.cli.trying import try_auth

    try_auth(name, endpoint, path, method, as_json=as_json, database_url=database)


def _row(profile: StoredProfile, references: References) -> dict[str, object]:
    from engine.cli.tables import instant
    from engine.credentials.expiry import ending

    columns = profile.columns
    told = ending(profile, wall(), references)
    return {
        "name": columns.name,
        "kind": columns.kind,
        "title": columns.title,
        "hosts": list(columns.origins),
        "version": columns.version,
        "changed_at": instant(profile.changed_at),
        "secret": str(told) if told is not None else None,
    }


def _secrets(profile: StoredProfile) -> list[dict[str, object]]:
    """What may be shown of secrets: that they are set, a keyed fingerprint, a hint."""
    from engine.cli.tables import instant
    from engine.credentials.vault import SHOWN_FINGERPRINT

    slots = [("current", each) for each in profile.secrets.values()]
    slots += [
        ("previous", each) for each in profile.previous.values() if (each.valid_until or 0) > wall()
    ]
    slots += [("next", each) for each in profile.next.values()]
    return [
        {
            "field": secret.field,
            "slot": slot if slot != "current" else None,
            "fingerprint": secret.fingerprint[:SHOWN_FINGERPRINT],
            "ends_in": secret.hint or None,
            "set_at": instant(secret.set_at),
            "valid_from": instant(secret.valid_from),
            "valid_until": instant(secret.valid_until),
        }
        for slot, secret in slots
    ]


def _matches(profile: StoredProfile, text: str) -> bool:
    columns = profile.columns
    places = (columns.name, columns.title, columns.kind, *columns.origins, str(columns.settings))
    return any(text in place.lower() for place in places)
