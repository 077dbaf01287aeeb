"""``journey auth set``, ``rotate`` and ``settle``: where secrets go in."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import click

from engine.cli.context import actor, database_option, opened
from engine.clock import wall

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.cli.context import Installation
    from engine.credentials.profiles import ProfileChange
    from engine.credentials.references import SecretSource
    from engine.db.connect import Connection

ADVICE = {
    "basic": "HTTP Basic sends the password with every request: where the service offers OAuth 2.0,"
    " prefer --kind oauth2",
    "password": "the password grant is deprecated (RFC 9700): where the service offers"
    " client_credentials, prefer it",
}

EXAMPLES = """\b
journey auth set crm --kind oauth2 --set token_url=https://id.example.com/token
    --set client_id=bot --from-env client_secret=CRM_SECRET
journey auth set loyalty --kind basic --set username=bot        (asks for the password)
journey auth set messenger --kind api_key --set name=X-Api-Key  (asks for the value)
"""


@click.command("set", epilog=EXAMPLES)
@click.argument("name")
@click.option("--kind", help="none, basic, bearer, api_key or oauth2.")
@click.option("--title", help="What people see, as in 'Salesforce Production'.")
@click.option("--set", "fields", multiple=True, metavar="FIELD=VALUE", help="A field, no secret.")
@click.option(
    "--from-env", multiple=True, metavar="FIELD=VARIABLE", help="Seal a variable's value now."
)
@click.option("--from-file", multiple=True, metavar="FIELD=PATH", help="Seal a file's text now.")
@click.option(
    "--env", multiple=True, metavar="FIELD=VARIABLE", help="A live reference to a variable."
)
@click.option("--file", multiple=True, metavar="FIELD=NAME", help="A live reference to a file.")
@database_option
def set_profile(
    name: str,
    kind: str | None,
    title: str | None,
    fields: tuple[str, ...],
    from_env: tuple[str, ...],
    from_file: tuple[str, ...],
    env: tuple[str, ...],
    file: tuple[str, ...],
    database: str | None,
) -> None:
    """Create or change the profile NAME; what isn't named stays."""
    from engine.cli.secret_input import asked
    from engine.credentials import profiles
    from engine.credentials.store.profiles import profile_by_name
    from engine.endpoints.model import NO_AUTH
    from engine.operations.edit_profile import Edit, edited

    if name == NO_AUTH:
        raise click.UsageError(f"{NO_AUTH!r} means no authentication; choose another name")
    with opened(database) as installation:
        secrets = _sources(installation, from_env, from_file, env, file)
        edit = Edit(kind, title, _pairs(fields, "--set"), secrets, asked)
        here = installation.database(create=True)
        with here.read() as connection:
            stored = profile_by_name(connection, name)
        written = edited(name, stored, edit, installation.egress())
        vault, references = installation.vault(), installation.references()
        with here.write() as connection:
            change = profiles.set_profile(
                connection,
                vault,
                references,
                name,
                written,
                actor=actor(),
                now=wall(),
                take_secrets=True,
                inline=stored is not None and stored.columns.inline,
            )
    _say(name, "created" if change.created else "changed", change.fields)
    grant = written.stored_settings().get("grant")
    for advice in (ADVICE.get(written.kind), ADVICE.get(str(grant))):
        if advice is not None:
            click.echo(advice, err=True)


@click.command()
@click.argument("name")
@click.option("--field", help="Which secret; needed only where there are several.")
@click.option("--from-env", metavar="VARIABLE", help="Take the value of a variable.")
@click.option("--from-file", metavar="PATH", help="Take the text of a file.")
@click.option(
    "--overlap", metavar="DURATION", help="Try the old one for so long where the new is refused."
)
@click.option("--expires", metavar="DATE", help="When the service ends the new one: 2027-03-31.")
@click.option("--at", metavar="ISO", help="Not now, but then: 2027-01-31T09:00Z.")
@database_option
def rotate(
    name: str,
    field: str | None,
    from_env: str | None,
    from_file: str | None,
    overlap: str | None,
    expires: str | None,
    at: str | None,
    database: str | None,
) -> None:
    """Replace one secret of NAME; the next call of every journey uses the new one.

    The value is asked for, or read from standard input, unless an option says where it is.
    """
    from engine.cli.secret_input import one_of

    asked = _asked(overlap, expires, at)
    with opened(database) as installation:
        here = installation.database()
        with here.read() as connection:
            field = field or _which_field(connection, name)
        value = one_of(from_env, from_file, installation.environment, field)
        vault = installation.vault()
        with here.write() as connection:
            change = asked.verb()(
                connection,
                vault,
                name,
                value,
                field=field,
                actor=actor(),
                now=wall(),
                overlap_us=asked.overlap_us,
            )
    for note in change.notes:
        click.echo(f"auth profile {name}: {note}")
    if change.fields:
        rotated = ", ".join(change.fields)
        until = f"; the old one is tried for {overlap}" if asked.overlap_us else ""
        done = "rotated" if at is None else f"will be rotated at {at}"
        click.echo(f"auth profile {name}: {rotated} {done} (version {change.version}){until}")


@click.command()
@click.argument("name")
@database_option
def settle(name: str, database: str | None) -> None:
    """Keep the current secrets of NAME only: end overlaps, give up what is scheduled."""
    from engine.credentials import rotation

    with opened(database) as installation, installation.database().write() as connection:
        change = rotation.settle(connection, name, actor=actor(), now=wall())
    settled = f"settled: {', '.join(change.fields)}" if change.fields else "unchanged"
    click.echo(f"auth profile {name} {settled}")


def _which_field(connection: Connection, name: str) -> str:
    """The secret that is meant; a person is asked where that can't be told."""
    from engine.credentials.loaded import profile_of
    from engine.credentials.profiles import require_profile
    from engine.credentials.rotation import main_field, sealed_fields
    from engine.errors import OperatorError

    profile = profile_of(require_profile(connection, name))
    try:
        return main_field(name, profile)
    except OperatorError as error:
        if error.code != "auth.which_field" or not sys.stdin.isatty():
            raise
    choice = click.Choice(sealed_fields(profile))
    return str(click.prompt("which secret", type=choice, err=True))


@dataclass(frozen=True, slots=True)
class _Rotation:
    """When a secret is replaced, and what becomes of the old one: ``begins`` is None for now."""

    overlap_us: int
    expires: str | None
    begins: int | None

    def verb(self) -> Callable[..., ProfileChange]:
        """What does it."""
        from engine.credentials import rotation

        if self.begins is not None:
            return partial(rotation.schedule, begins=self.begins)
        return partial(rotation.rotate, expires=self.expires)


def _asked(overlap: str | None, expires: str | None, at: str | None) -> _Rotation:
    from engine.cli.spans import span_of

    overlap_us = span_of(overlap, "--overlap") if overlap is not None else 0
    asked = _Rotation(overlap_us, _expiry(expires), _begins(at))
    if asked.begins is not None and asked.expires is not None:
        raise click.UsageError("--expires is said of the current secret: give it after --at")
    return asked


def _begins(text: str | None) -> int | None:
    from zoneinfo import ZoneInfo

    from engine.core.expressions.calendar import parse_iso

    if text is None:
        return None
    found = parse_iso(text, ZoneInfo("UTC"))
    if found is None:
        raise click.UsageError("--at takes an ISO 8601 time (UTC), as in 2027-01-31T09:00Z")
    return found


def _expiry(text: str | None) -> str | None:
    from engine.credentials.expiry import read_date

    try:
        return read_date(text)
    except ValueError as error:
        raise click.UsageError(f"--expires {error}") from None


def _say(name: str, verb: str, fields: tuple[str, ...]) -> None:
    what = f": {', '.join(fields)}" if fields else ""
    click.echo(f"auth profile {name} {verb if fields else 'unchanged'}{what}")


def _pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    pairs = dict(each.partition("=")[::2] for each in given)
    if any("=" not in each or each.startswith("=") for each in given):
        raise click.UsageError(f"{option} takes FIELD=VALUE")
    return pairs


def _sources(
    installation: Installation,
    from_env: tuple[str, ...],
    from_file: tuple[str, ...],
    env: tuple[str, ...],
    file: tuple[str, ...],
) -> Mapping[str, SecretSource]:
    from engine.cli import secret_input
    from engine.credentials.references import Given, read_source

    sources: dict[str, SecretSource] = {}
    for field, variable in _pairs(from_env, "--from-env").items():
        sources[field] = Given(secret_input.from_env(variable, installation.environment))
    for field, path in _pairs(from_file, "--from-file").items():
        sources[field] = Given(secret_input.from_file(path))
    try:
        for field, name in _pairs(env, "--env").items():
            sources[field] = read_source({"env": name})
        for field, name in _pairs(file, "--file").items():
            sources[field] = read_source({"file": name})
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return sources
