"""From a command line to a run: what both modes have in common."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from engine.cli.invocation import ONE_USER
from engine.cli.journey_file import load_journey, read_bounded
from engine.cli.show.output import Form, Mode, Output
from engine.core.dsl.problems import render
from engine.settings import environment, load_settings
from engine.users.files import UsersFile, UsersFileError, one_user, open_users
from engine.users.row import UserRow
from engine.versions.runnable import refuse_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.cli.invocation import Invocation
    from engine.core.dsl.check import LoadedAndChecked
    from engine.settings import Settings


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything that was read and found right before anybody enters.

    ``users`` is a checked file, or the one user of the command line. ``start`` is ``--now`` in
    microseconds UTC and ``horizon_us`` the span ``--for`` from there, both None where not given.
    """

    invocation: Invocation
    settings: Settings
    environment: Mapping[str, str]
    source: bytes
    loaded: LoadedAndChecked
    users: UsersFile | UserRow
    output: Output
    start: int | None
    horizon_us: int | None

    @property
    def total(self) -> int:
        """How many users there are."""
        return 1 if isinstance(self.users, UserRow) else self.users.count


@contextmanager
def prepared(invocation: Invocation) -> Iterator[Launch]:
    """Everything that a run needs, read and found right.

    Raises what :mod:`engine.cli.outcome` translates.
    """
    seen = environment()
    settings = load_settings(seen)
    start, horizon = invocation.start(settings), invocation.horizon()
    source = read_bounded(invocation.file)
    loaded = load_journey(invocation.file, source)
    refuse_events(loaded.checked, str(invocation.file))
    mode: Mode = "live" if invocation.live else "simulated"
    with _users(invocation, loaded) as users:
        form = _form(invocation, users)
        output = Output(form, mode, settings.timezone, seen, quiet=invocation.quiet)
        launch = Launch(invocation, settings, seen, source, loaded, users, output, start, horizon)
        _say_what_is_odd(launch)
        yield launch


@contextmanager
def _users(invocation: Invocation, loaded: LoadedAndChecked) -> Iterator[UsersFile | UserRow]:
    declared = loaded.journey.entry.inputs
    if invocation.users is None:
        user = ONE_USER if invocation.user is None else invocation.user
        yield one_user(user, invocation.attributes, invocation.inputs, declared)
        return
    stdin = sys.stdin.buffer if invocation.users == "-" else None
    try:
        users = open_users(
            invocation.users, inputs=declared, skip_bad=invocation.skip_bad, stdin=stdin
        )
    except UsersFileError as error:
        for problem in error.problems[1:]:
            remedy = f"; {problem.remedy}" if problem.remedy else ""
            click.echo(f"{invocation.users}:{problem.line}: {problem.message}{remedy}", err=True)
        raise
    with users:
        yield users


def _form(invocation: Invocation, users: UsersFile | UserRow) -> Form:
    if invocation.as_json:
        return "json"
    return "timeline" if isinstance(users, UserRow) or users.count == 1 else "table"


def _say_what_is_odd(launch: Launch) -> None:
    if launch.invocation.quiet:
        return
    for warning in launch.loaded.warnings:
        click.echo(render(warning, str(launch.invocation.file)), err=True)
    if isinstance(launch.users, UsersFile) and launch.users.skipped:
        first = launch.users.problems[0]
        rows = "1 bad row" if launch.users.skipped == 1 else f"{launch.users.skipped:,} bad rows"
        launch.output.note(f"{rows} left out; the first on line {first.line}: {first.message}")
