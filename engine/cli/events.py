"""``journey events``: sending them, listing them, and why they let their users in, or didn't."""

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
from engine.cli.since import instant_of, since_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.cli.context import Installation
    from engine.operations.explain import Verdict
    from engine.users.incoming import IncomingEvent
    from engine.users.store import KnownFact

_CHANGE = "(attributes)"
_LONGEST_CELL = 80


@click.group()
def events() -> None:
    """What users do: send it, list it, and see what it set off."""


@events.command()
@click.argument("file", required=False)
@click.option("--user", metavar="ID", help="Whose event it is.")
@click.option("--event", metavar="NAME", help="Its name.")
@click.option("--property", "properties", metavar="K=V", multiple=True, help="JSON, else text.")
@click.option("--at", metavar="TIME", help="When it happened, ISO 8601; now unless said.")
@click.option("--id", "message_id", metavar="ID", help="The same id counts once for the user.")
@click.option("--skip", metavar="N", type=whole_number, default=0, help="Leave out N rows.")
@database_option
def send(
    file: str | None,
    user: str | None,
    event: str | None,
    properties: tuple[str, ...],
    at: str | None,
    message_id: str | None,
    skip: int,
    database: str | None,
) -> None:
    """Send the events of FILE (CSV, JSON Lines; - is standard input), or one.

    A file has the columns user, event, at, perhaps event_id, and properties; a row without an event
    changes attributes. All of it is checked before the first is sent. A worker receives them; they
    wait for it.
    """
    one = (user, event, at, message_id, *properties)
    if (file is None) == (user is None or event is None) or (file and any(one)):
        raise click.UsageError("name a FILE, or one event: --user ID --event NAME")
    with opened(database) as installation:
        if file is not None:
            _send_file(installation, file, skip)
            return
        from engine.cli.sending import send as send_facts
        from engine.users.ingest import rows_of

        assert user is not None and event is not None  # noqa: PT018, S101
        found = _one_event(installation, user, event, properties, at, message_id)
        send_facts(installation.database(), [found], rows_of, 1)
    click.echo("1 event sent", err=True)


def _one_event(
    installation: Installation,
    user: str,
    event: str,
    properties: tuple[str, ...],
    at: str | None,
    message_id: str | None,
) -> IncomingEvent:
    from engine.core.expressions.calendar import parse_iso
    from engine.users.given import json_or_text, pairs_of, utf8
    from engine.users.incoming import IncomingEvent
    from engine.users.ingest import FactRefused
    from engine.users.row import BadRow

    instant = None
    if at is not None:
        instant = parse_iso(at, installation.zone())
        if instant is None:
            raise click.BadParameter(
                f"{at[:60]!r} is no ISO 8601 time, as in 2026-11-22T09:00:00+03:00",
                param_hint="--at",
            )
    try:
        said = pairs_of("--property", [*map(utf8, properties)])
        values = {name: json_or_text(text) for name, text in said.items()}
        own = None if message_id is None else utf8(message_id)
        return IncomingEvent(utf8(user), utf8(event), values, instant, own)
    except BadRow as bad:
        raise FactRefused(bad) from None


def _send_file(installation: Installation, file: str, skip: int) -> None:
    from engine.cli.sending import send as send_facts
    from engine.clock import RealClock
    from engine.users.facts_file import open_facts
    from engine.users.findings import EventsFileError
    from engine.users.ingest import checked_rows

    stdin = sys.stdin.buffer if file == "-" else None
    database = installation.database()
    try:
        with open_facts(file, installation.zone(), RealClock().now(), stdin) as facts:
            sent = send_facts(database, facts.rows(), checked_rows, facts.count, skip)
    except EventsFileError as error:
        for line in error.others:
            click.echo(line, err=True)
        raise
    counts = [f"{sent.events:,} event{'' if sent.events == 1 else 's'}"]
    if sent.changes:
        counts.append(f"{sent.changes:,} change{'' if sent.changes == 1 else 's'} of attributes")
    click.echo(f"{' and '.join(counts)} sent", err=True)


@events.command(name="list")
@click.option("--user", metavar="ID", required=True, help="Whose.")
@click.option("--event", metavar="NAME", help="Events of this name; without it changes, too.")
@since_option
@limit_option
@json_option
@csv_option
@database_option
def list_(
    user: str,
    event: str | None,
    since: str | None,
    limit: int,
    as_json: bool,
    as_csv: bool,
    database: str | None,
) -> None:
    """The newest events of a user and changes of his attributes, in the order of their own time.

    What is not received yet stands among them.
    """
    from engine.cli.tables import say_if_more, show
    from engine.users.store import facts_of

    start = None if since is None else instant_of(since)
    with opened(database) as installation, installation.database().read() as connection:
        found = facts_of(connection, user, event=event, since=start, most=limit + 1)
    rows = [fact_row(fact, whole=as_json) for fact in found[-limit:]]
    columns = ("at", "event", "data", "received", "seq", "message_id")
    show(rows, columns, as_json=as_json, as_csv=as_csv, empty="nothing of that kind is known")
    say_if_more(found, limit, which="newest")


def fact_row(fact: KnownFact, *, whole: bool) -> dict[str, object]:
    """A fact as a line of a list; ``whole``: as JSON has it."""
    from engine.cli.show.terminal import plain
    from engine.cli.tables import instant
    from engine.core.expressions.calendar import iso
    from engine.core.guarded_json import text_of

    if whole:
        key = "properties" if fact.name is not None else "attributes"
        received = None if fact.seq is None else iso(fact.seq)
        row: dict[str, object] = {"at": iso(fact.at), "event": fact.name, key: fact.data}
        return row | {"received": received, "seq": fact.seq, "message_id": fact.message_id}
    return {
        "at": instant(fact.at),
        "event": _CHANGE if fact.name is None else fact.name,
        "data": plain(text_of(fact.data), _LONGEST_CELL) if fact.data else "",
        "received": instant(fact.seq) or "not yet",
        "seq": fact.seq,
        "message_id": fact.message_id,
    }


@events.command()
@click.argument("user")
@click.argument("which", metavar="[EVENT|SEQ|ID]", required=False)
@json_option
@database_option
def explain(user: str, which: str | None, as_json: bool, database: str | None) -> None:
    """Which journeys an event let its user into, and why others didn't take him.

    The newest event, the newest of that name, or the one of that number (`journey events list` has
    them as seq) or id.
    """
    from engine.operations.explain import explain as explained
    from engine.operations.explain import received_fact
    from engine.versions.store import Versions

    with opened(database) as installation, installation.database().read() as connection:
        fact = received_fact(connection, user, which)
        verdicts = explained(connection, Versions(), user, fact)
    if as_json:
        from json import dumps

        for verdict in verdicts:
            click.echo(dumps(_verdict_data(verdict, fact), ensure_ascii=False))
        return
    _print_verdicts(user, fact, verdicts)


def _verdict_data(verdict: Verdict, fact: KnownFact) -> dict[str, object]:
    from engine.operations.explain import in_words

    return {
        "seq": fact.seq,
        "event": fact.name,
        "journey": verdict.journey,
        "version": verdict.version,
        "trigger": verdict.trigger or None,
        "result": verdict.result,
        "rule": verdict.rule or None,
        "seen": verdict.seen,
        "enrollment": verdict.passage.id if verdict.passage else None,
        "why": in_words(verdict),
    }


def _print_verdicts(user: str, fact: KnownFact, verdicts: list[Verdict]) -> None:
    from engine.cli.show.terminal import plain
    from engine.cli.tables import show
    from engine.operations.explain import ENTERED, in_words

    row = fact_row(fact, whole=False)
    about = f"{row['event']} of {user}, {row['at']}, received {row['received']} as {fact.seq}"
    click.echo(plain(f"{about}: {row['data'] or 'no data'}", 300))
    rows: list[Mapping[str, object]] = [
        {
            "journey": f"{one.journey} {one.version}",
            "entered": one.result == ENTERED,
            "trigger": f"{one.trigger} of {one.triggers}" if one.trigger else "",
            "why": plain(_why(one, in_words(one)), 300),
        }
        for one in verdicts
    ]
    columns = ("journey", "entered", "trigger", "why")
    show(rows, columns, empty="no journey's triggers are on")


def _why(verdict: Verdict, words: str) -> str:
    passage = verdict.passage
    if passage is None:
        return words
    became = f"left as {passage.outcome}" if passage.outcome else "is in it"
    return f"enrollment {passage.id}, {became}"
