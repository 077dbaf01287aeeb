"""``journey calls``: calls to be made, and those that failed; sending the latter again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from engine.cli.context import csv_option, database_option, json_option, limit_option, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.cli.context import Installation
    from engine.enrollments.calls import CallFilter, ListedCall

_MOST_NAMED = 10


@click.group()
def calls() -> None:
    """Calls: what is to be made, and what failed for good.

    A call that succeeded is no longer kept; one that failed is, so that it can be sent again.
    """


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which calls are meant."""
    for option in (
        click.option(
            "--since",
            metavar="TIME",
            help="That failed, or are to be made, since: ISO 8601 (UTC), or how long ago, as 7d.",
        ),
        click.option("--code", metavar="CODE", help="Whose last failure is CODE."),
        click.option("--step", metavar="STEP", help="Of this step."),
        click.option("--endpoint", metavar="NAME", help="To this endpoint."),
        click.option("--journey", metavar="JOURNEY", help="Of this journey."),
    ):
        command = option(command)
    return command


@calls.command("list")
@click.option("--failed", is_flag=True, help="Only those that failed for good.")
@_filters
@limit_option
@json_option
@csv_option
@database_option
def list_(limit: int, as_json: bool, as_csv: bool, database: str | None, **wanted: Any) -> None:
    """Calls that are to be made or failed for good, and what keeps them: those that failed first
    first, then those that are to be made, user by user; what is shown of them by time.
    """
    from itertools import islice

    from engine.cli.tables import say_if_more, show
    from engine.enrollments.calls import by_time, listed
    from engine.versions.store import Versions

    chosen = _filter(**wanted)
    with opened(database) as installation, installation.database().read() as connection:
        fitting = listed(connection, chosen, Versions())
        found = list(islice(fitting, limit + 1))
    rows = [_row(call) for call in by_time(found[:limit])]
    columns = ("user", "journey", "step", "endpoint", "state", "failure", "attempts", "at", "why")
    show(rows, columns, as_json=as_json, as_csv=as_csv, empty="no call fits")
    say_if_more(found, limit)


@calls.command()
@_filters
@click.option("--apply-outputs", is_flag=True, help="Keep what answers give for `user.*`.")
@click.option("--yes", is_flag=True, help="Send them; else they are only counted.")
@json_option
@database_option
def redrive(
    apply_outputs: bool, yes: bool, as_json: bool, database: str | None, **wanted: Any
) -> int:
    """Send failed calls again: the same key and bytes, with a fresh credential.

    Whose they are stays where he is. Without --yes it only says what would be sent; a person is
    asked. Exit code 6 if some failed again.
    """
    from engine.cli.context import actor
    from engine.clock import wall
    from engine.enrollments.calls import listed
    from engine.operations.redrive import mark
    from engine.versions.store import Versions

    chosen = _filter(failed=True, **wanted)
    with opened(database) as installation:
        with installation.database().read() as connection:
            found = list(listed(connection, chosen, Versions()))
        _say_what(found, as_json=as_json)
        if not found or not (yes or _asked(len(found))):
            return 0
        marked = mark(
            installation.database(), found, apply_outputs=apply_outputs, actor=actor(), now=wall()
        )
        return _send(installation, marked, as_json=as_json)


def _filter(**wanted: Any) -> CallFilter:
    from engine.cli.since import instant_of
    from engine.enrollments.calls import CallFilter

    since = wanted.pop("since")
    return CallFilter(since=None if since is None else instant_of(since), **wanted)


def _row(call: ListedCall) -> dict[str, object]:
    from dataclasses import asdict

    from engine.cli.tables import instant

    row = asdict(call) | {"at": instant(call.at), "redrive": call.place[4], "visit": call.place[3]}
    del row["rank"]
    return row


def _say_what(found: Sequence[ListedCall], *, as_json: bool) -> None:
    """How many calls would be sent again, by endpoint, step and failure."""
    from dataclasses import asdict
    from json import dumps

    from engine.cli.show.table import users_in_words
    from engine.operations.redrive import by_failure

    alike = by_failure(found)
    if as_json:
        by = [asdict(each) for each in alike]
        click.echo(dumps({"type": "redrive", "calls": len(found), "by": by}))
        return
    users = users_in_words(len({call.user for call in found}))
    click.echo(f"{_calls(len(found))} failed and can be sent again, of {users}")
    for each in alike[:_MOST_NAMED]:
        place = f"{each.journey}/{each.step} → {each.endpoint}"
        click.echo(f"  {each.calls:,}  {place}  {each.failure}")
    if len(alike) > _MOST_NAMED:
        click.echo(f"  and {len(alike) - _MOST_NAMED} more kinds")


def _asked(count: int) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        click.echo("nothing was sent: --yes sends them", err=True)
        return False
    return click.confirm(f"send {_calls(count)} again?", err=True)


def _send(installation: Installation, marked: int, *, as_json: bool) -> int:
    """Send them, or leave it to the worker that runs."""
    from json import dumps

    from engine.cli.outcome import CHECK_FAILED
    from engine.enrollments.buckets import AnotherWorker
    from engine.processes.redriving import work_redriven

    try:
        done = work_redriven(installation.database(), installation.vault(), installation.settings)
    except AnotherWorker:
        click.echo(f"{_calls(marked)} marked: the worker that runs sends them", err=True)
        return 0
    failed = sum(done.failures.values())
    if as_json:
        came = {"succeeded": done.succeeded, "failed": failed, "failures": done.failures}
        click.echo(dumps({"type": "redriven", **came}))
    else:
        kinds = ", ".join(f"{code} {n:,}" for code, n in sorted(done.failures.items()))
        click.echo(
            f"succeeded {done.succeeded:,}, failed {failed:,}" + (f": {kinds}" if kinds else "")
        )
    if done.interrupted is not None:
        return 128 + done.interrupted
    return CHECK_FAILED if failed else 0


def _calls(count: int) -> str:
    return f"{count:,} call" + ("" if count == 1 else "s")
