"""``journey users``: importing attributes, looking at users, erasing a person."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from engine.cli.context import (
    csv_option,
    database_option,
    json_option,
    limit_option,
    opened,
    whole_number,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.db.connect import Connection
    from engine.users.store import KnownFact, KnownPassage, KnownUser

_LAST_EVENTS = 10
_LONGEST_CELL = 80


@click.group()
def users() -> None:
    """Who travels: his attributes, where he is, and what is known of him."""


@users.command(name="import")
@click.argument("file")
@click.option("--skip-bad", is_flag=True, help="Leave bad rows out, and count them.")
@click.option("--skip", metavar="N", type=whole_number, default=0, help="Leave out N users.")
@database_option
def import_(file: str, skip_bad: bool, skip: int, database: str | None) -> None:
    """Set the attributes of the users in FILE (CSV or JSON Lines; - is standard input).

    All of it is checked before the first is taken. What isn't in a row stays as it is; null in JSON
    Lines removes an attribute. A worker receives them; they wait for it.
    """
    from engine.cli.sending import send
    from engine.operations.sending import change_of, require_importable
    from engine.users.files import UsersFileError, open_users
    from engine.users.ingest import rows_of

    stdin = sys.stdin.buffer if file == "-" else None
    try:
        with (
            opened(database) as installation,
            open_users(
                file, inputs={}, skip_bad=skip_bad, stdin=stdin, also=require_importable
            ) as given,
        ):
            there = installation.database(create=True)
            sent = send(there, map(change_of, given.rows()), rows_of, given.count, skip)
            skipped = given.skipped
    except UsersFileError as error:
        for line in error.others:
            click.echo(line, err=True)
        raise
    left_out = f", {skipped:,} bad rows left out" if skipped else ""
    click.echo(f"{sent.changes:,} user{'' if sent.changes == 1 else 's'} sent{left_out}", err=True)


@users.command()
@click.argument("user")
@json_option
@database_option
def show(user: str, as_json: bool, database: str | None) -> None:
    """What is known of USER: attributes, zone, his passages, and his last events.

    An anonymous user who turned out to be a known one is shown as that one.
    """
    from engine.cli.show.terminal import plain
    from engine.errors import NotFound
    from engine.users import store

    with opened(database) as installation, installation.database().read() as connection:
        known_as = store.known_as(connection, user)
        if known_as is not None:
            click.echo(f"{plain(user, 255)} turned out to be {plain(known_as, 255)}", err=True)
            user = known_as
        before = store.known_from(connection, user)
        known = store.find_user(connection, user)
        facts = store.facts_of(connection, user, most=_LAST_EVENTS)
        if known is None:
            if not facts:
                raise NotFound(f"there is no user {user[:60]!r}")
            known = store.KnownUser(user, None, {})
            click.echo("he isn't known yet: what is told of him waits for a worker", err=True)
        passages = _passage_rows(connection, store.passages_of(connection, user))
    if as_json:
        _print_json(known, before, passages, facts)
    else:
        _print(known, before, passages, facts)


def _passage_rows(
    connection: Connection, passages: Sequence[KnownPassage]
) -> list[dict[str, object]]:
    from engine.cli.tables import instant
    from engine.core.interpreter.state import Reason, State
    from engine.enrollments.store.holding import due_at
    from engine.versions.store import Versions

    versions = Versions()
    rows: list[dict[str, object]] = []
    for one in passages:
        state = State(one.state)
        nodes = versions.get(connection, one.version_id).program.nodes
        inside = state is not State.ENDED and 0 <= one.position < len(nodes)
        rows.append(
            {
                "enrollment": one.id,
                "journey": one.journey,
                "version": one.version,
                "key": one.key,
                "run": one.run_id or None,
                "entered_at": instant(one.entered_at),
                "state": state.name.lower(),
                "step": nodes[one.position].step.id if inside else None,
                "waits_for": Reason(one.reason).name.lower() if state is State.WAITING else None,
                "wake_at": instant(due_at(one.wake_at)),
                "ended_at": instant(one.ended_at),
                "outcome": one.outcome,
            }
        )
    return rows


def _print_json(
    user: KnownUser,
    before: Sequence[str],
    passages: list[dict[str, object]],
    facts: Sequence[KnownFact],
) -> None:
    from json import dumps

    from engine.cli.events import fact_row

    about: dict[str, object] = {"id": user.id, "anonymous": [*before]}
    about |= {"timezone": user.timezone, "attributes": user.attributes}
    events = [fact_row(fact, whole=True) for fact in facts]
    click.echo(dumps(about | {"passages": passages, "events": events}, ensure_ascii=False))


def _print(
    user: KnownUser,
    before: Sequence[str],
    passages: list[dict[str, object]],
    facts: Sequence[KnownFact],
) -> None:
    from engine.cli.events import fact_row
    from engine.cli.show.terminal import plain
    from engine.cli.tables import show as show_table
    from engine.core.guarded_json import text_of

    click.echo(f"user      {plain(user.id, 255)}")
    for one in before:
        click.echo(f"was       {plain(one, 255)}")
    if user.timezone is not None:
        click.echo(f"timezone  {plain(user.timezone)}")
    if user.attributes:
        click.echo()
        rows = [
            {"attribute": plain(name), "value": plain(text_of(value))}
            for name, value in user.attributes.items()
        ]
        show_table(rows, ("attribute", "value"))
    if passages:
        click.echo()
        shown = ["journey", "version", "entered_at", "state", "step", "wake_at", "outcome"]
        show_table(passages, [name for name in shown if any(row[name] for row in passages)])
    if facts:
        click.echo()
        events = [fact_row(fact, whole=False) for fact in facts]
        show_table(events, ("at", "event", "data", "received"))


@users.command(name="list")
@click.option("--attribute", metavar="K=V", multiple=True, help="Users who have this value.")
@limit_option
@json_option
@csv_option
@database_option
def list_(
    attribute: tuple[str, ...], limit: int, as_json: bool, as_csv: bool, database: str | None
) -> None:
    """Users and their attributes; with --attribute those who have all these values.

    A value is JSON if it parses and text otherwise; `timezone=ZONE` is the zone.
    """
    from itertools import islice

    from engine.cli.show.terminal import plain
    from engine.cli.tables import say_if_more
    from engine.cli.tables import show as show_table
    from engine.core.guarded_json import text_of
    from engine.operations.search_users import has, wanted_of
    from engine.users.store import every_user

    wanted = wanted_of(attribute, "--attribute")
    with opened(database) as installation, installation.database().read() as connection:
        fitting = (user for user in every_user(connection) if has(user, wanted))
        found = list(islice(fitting, limit + 1))
    rows: list[Mapping[str, object]] = [
        {
            "id": one.id,
            "timezone": one.timezone,
            "attributes": one.attributes
            if as_json
            else plain(text_of(one.attributes), 10_000 if as_csv else _LONGEST_CELL),
        }
        for one in found[:limit]
    ]
    columns = ("id", "timezone", "attributes")
    show_table(rows, columns, as_json=as_json, as_csv=as_csv, empty="no user fits")
    say_if_more(found, limit)


@users.command()
@click.argument("user")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--vacuum", is_flag=True, help="Write the database file anew behind it.")
@json_option
@database_option
def erase(user: str, yes: bool, vacuum: bool, as_json: bool, database: str | None) -> None:
    """Delete everything that is held of USER, and say what that was. It can't be undone.

    What was counted of him stays as numbers; the audit log names him by a keyed hash. A worker that
    is at work does it, else it is done here. With --vacuum nothing of him is left in unused parts
    of the file either; that takes as long as copying it, and nobody else writes meanwhile.
    """
    from engine.cli.erasing import confirm, erase_user, tell_erased
    from engine.db.vacuum import wipe

    with opened(database) as installation:
        there = installation.database()
        if not yes:
            confirm(there, user)
        gone = erase_user(there, user)
        emptied = wipe(there, anew=vacuum)
    tell_erased(gone, as_json=as_json)
    if not emptied:
        click.echo("copies may stand in the write-ahead log until its readers are done", err=True)
