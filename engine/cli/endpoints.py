"""``journey endpoints``: where journeys' calls go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.cli.context import actor, csv_option, database_option, json_option, opened
from engine.clock import wall

if TYPE_CHECKING:
    from engine.cli.context import Installation
    from engine.endpoints.states import SharedGate
    from engine.endpoints.store import Stored
    from engine.operations.moving import Move


@click.group()
def endpoints() -> None:
    """Endpoints: where journeys' calls go, and how.

    A journey names an endpoint and nothing else. A change holds for the next call of every live
    journey.
    """


@endpoints.command("list")
@click.argument("text", default="")
@json_option
@csv_option
@database_option
def list_(text: str, as_json: bool, as_csv: bool, database: str | None) -> None:
    """The endpoints; with TEXT those whose name, title, URL or auth profile holds it."""
    from engine.cli.tables import show as print_table
    from engine.endpoints.states import UNTOUCHED, gates
    from engine.endpoints.store import load_all

    with opened(database) as installation, installation.database().read() as connection:
        fares = gates(connection)
        rows = [
            _row(stored, fares.get(stored.endpoint.name, UNTOUCHED))
            for stored in load_all(connection)
            if _matches(stored, text.lower())
        ]
    columns = ("name", "base_url", "auth", "title", "state", "version", "changed_at")
    empty = f"no endpoint holds {text!r}" if text else "there are no endpoints yet"
    print_table(rows, columns, as_json=as_json, as_csv=as_csv, empty=empty)


@endpoints.command()
@click.argument("name")
@json_option
@database_option
def show(name: str, as_json: bool, database: str | None) -> None:
    """One endpoint with all its settings."""
    from engine.cli.tables import show_one
    from engine.endpoints.states import gate_of
    from engine.endpoints.store import load

    with opened(database) as installation, installation.database().read() as connection:
        stored, fares = load(connection, name), gate_of(connection, name)
    settings = stored.endpoint.model_dump(mode="json", exclude={"name", "auth", "base_url"})
    given = {key: value for key, value in settings.items() if value is not None}
    show_one(_row(stored, fares) | {"inline": stored.inline} | given, as_json=as_json)


@endpoints.command("set")
@click.argument("name")
@click.option("--url", "base_url", help="The base URL: a literal http(s) host, perhaps a path.")
@click.option("--auth", metavar="PROFILE|none", help="The auth profile its calls carry.")
@click.option("--title", help="What people see instead of the name.")
@click.option("--timeout", metavar="DURATION", help="One attempt in all, as in 10s.")
@click.option("--concurrency", type=int, help="Calls that may be on their way at once.")
@click.option("--rate", metavar="COUNT/DURATION", help="As in 100/1s; `none` takes it away.")
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="No credential.")
@click.option("--allow", multiple=True, metavar="'METHOD PATH'", help="As in 'POST /users/*'.")
@click.option("--ca", metavar="PATH|none", help="PEM certificates trusted besides the public ones.")
@click.option("--set", "fields", multiple=True, metavar="FIELD=YAML", help="Any other field.")
@click.option(
    "--from-env", multiple=True, metavar="SECRET=VARIABLE", help="A secret that a move demands."
)
@click.option("--from-file", multiple=True, metavar="SECRET=PATH", help="The same from a file.")
@database_option
def set_(
    name: str,
    from_env: tuple[str, ...],
    from_file: tuple[str, ...],
    database: str | None,
    **options: Any,
) -> None:
    """Create or change the endpoint NAME; what isn't named stays.

    An endpoint that moves to another host with its auth profile demands the profile's present
    secret: by an option, or it is asked for.
    """
    from engine.operations.edit_endpoint import move, set_endpoint

    fields = _fields(options)
    with opened(database) as installation:
        here = installation.database(create=True)
        with here.read() as connection:
            moved = move(connection, name, fields)
        given = _shown(installation, moved, from_env, from_file) if moved is not None else {}
        with here.write() as connection:
            edited = set_endpoint(connection, name, fields, given=given, actor=actor(), now=wall())
    verb = "created" if edited.created else "changed" if edited.fields else "unchanged"
    what = f": {', '.join(edited.fields)}" if edited.fields and not edited.created else ""
    click.echo(f"endpoint {name} {verb}{what}")
    for note in edited.notes:
        click.echo(f"  {note}")


@endpoints.command()
@click.argument("name")
@click.option("--method", default="GET", show_default=True)
@click.option("--path", default="/", show_default=True, help="Path and query, encoded.")
@json_option
@database_option
def test(name: str, method: str, path: str, as_json: bool, database: str | None) -> None:
    """Send one request to NAME as a journey's call would be sent; exit code 6 if it fails."""
    from engine.cli.trying import try_endpoint

    try_endpoint(name, method, path, as_json=as_json, database_url=database)


@endpoints.command()
@click.argument("name")
@json_option
@database_option
def usage(name: str, as_json: bool, database: str | None) -> None:
    """Where NAME is used: journeys, steps, users inside now."""
    from engine.cli.usage import show_usage
    from engine.versions.usage import of_endpoint

    with opened(database) as installation, installation.database().read() as connection:
        show_usage((of_endpoint(connection, name),), "", as_json)


@endpoints.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Delete it even if it is used.")
@database_option
def delete(name: str, force: bool, database: str | None) -> None:
    """Delete NAME; refused while journeys that users enter, or are inside of, call it."""
    from engine.cli.revoking import revocable_of_endpoint, revoke
    from engine.operations.delete import delete_endpoint

    with opened(database) as installation:
        with installation.database().write() as connection:
            tokens = revocable_of_endpoint(installation, connection, name)
            used = delete_endpoint(connection, name, force=force, actor=actor(), now=wall())
        click.echo(f"endpoint {name} deleted")
        for line in used:
            click.echo(f"  was used by {line}", err=True)
        revoke(installation, tokens)


def _fields(options: dict[str, Any]) -> dict[str, Any]:
    """The model's fields that the options give."""
    fields = {
        key: options[key]
        for key in ("base_url", "auth", "title", "concurrency")
        if options[key] is not None
    }
    if options["timeout"] is not None:
        fields["timeout"] = {"total": options["timeout"]}
    if options["headers"]:
        fields["headers"] = dict(_pair(each, "--header") for each in options["headers"])
    if options["allow"]:
        fields["allow"] = list(options["allow"])
    for key, value in (_pair(each, "--set") for each in options["fields"]):
        fields[key] = _yaml(key, value)
    if options["ca"] is not None:
        fields["network"] = {**(fields.get("network") or {}), "ca": _ca(options["ca"])}
    if options["rate"] is not None:
        fields["rate_limit"] = _rate(options["rate"])
    return fields


def _shown(
    installation: Installation, moved: Move, from_env: tuple[str, ...], from_file: tuple[str, ...]
) -> dict[str, str]:
    """The keyed fingerprints of the secrets that a move demands, by field."""
    from engine.cli import secret_input

    variables = dict(_pair(each, "--from-env") for each in from_env)
    files = dict(_pair(each, "--from-file") for each in from_file)
    fingerprint = installation.vault().fingerprint if moved.secrets else str
    shown = {}
    for secret in moved.secrets:
        if secret in variables:
            value = secret_input.from_env(variables[secret], installation.environment)
        elif secret in files:
            value = secret_input.from_file(files[secret])
        else:
            value = secret_input.asked(
                f"{secret} of auth profile {moved.profile.columns.name}, since endpoint"
                f" {moved.endpoint} moves"
            )
        shown[secret] = fingerprint(value)
    return shown


def _rate(text: str) -> dict[str, object] | None:
    if text == "none":
        return None
    count, slash, per = text.partition("/")
    if not slash or not count.isdecimal():
        raise click.UsageError("--rate takes COUNT/DURATION, as in 100/1s, or none")
    return {"count": int(count), "per": per}


def _ca(path: str) -> str | None:
    from engine.cli.secret_input import from_file

    return None if path == "none" else from_file(path)


def _pair(text: str, option: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise click.UsageError(f"{option} takes NAME=VALUE")
    return key, value


def _yaml(key: str, text: str) -> object:
    from engine.core.dsl.source import read_yaml

    return read_yaml(text, f"--set {key}").root.data


def _row(stored: Stored, fares: SharedGate) -> dict[str, object]:
    from engine.cli.tables import instant

    gate = fares.gate
    shut: dict[str, object] = {}
    if gate.since is not None:
        why = f"{gate.code}: {gate.text}"
        shut = {"since": instant(gate.since), "because": why, "next_try": instant(gate.probe_at)}
    endpoint = stored.endpoint
    auth = endpoint.auth if stored.auth_lost is None else f"{stored.auth_lost} (deleted)"
    return {
        "name": endpoint.name,
        "base_url": endpoint.base_url,
        "auth": auth,
        "title": endpoint.title,
        "version": stored.version,
        "changed_at": instant(stored.changed_at),
        "state": gate.words(wall()),
        **shut,
    }


def _matches(stored: Stored, text: str) -> bool:
    endpoint = stored.endpoint
    places = (endpoint.name, endpoint.title or "", endpoint.base_url, endpoint.auth)
    return any(text in place.lower() for place in places)
