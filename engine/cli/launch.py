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
from engine.cli.what_happens import (
    enters_by_trigger,
    first_scenario,
    opened_events,
    traveller,
)
from engine.core.dsl.problems import render
from engine.settings import environment, load_settings
from engine.users.row import UserRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.cli.invocation import Invocation
    from engine.core.dsl.check import LoadedAndChecked
    from engine.core.dsl.scenario import Scenario
    from engine.settings import Settings
    from engine.users.events import EventsFile
    from engine.users.files import UsersFile


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything that was read and found right before anybody enters.

    ``users`` is a checked file, or the one user of the command line or of a scenario; None: those
    whom the events are about. ``start`` is ``--now`` in microseconds UTC and ``horizon_us`` the
    span ``--for`` from there, both None where not given. ``triggered``: users enter when the
    journey's triggers let them in.
    """

    invocation: Invocation
    settings: Settings
    environment: Mapping[str, str]
    source: bytes
    loaded: LoadedAndChecked
    users: UsersFile | UserRow | None
    output: Output
    start: int | None
    horizon_us: int | None
    events: EventsFile | None = None
    scenario: Scenario | None = None
    triggered: bool = False

    @property
    def total(self) -> int:
        """How many users there are."""
        if self.users is None:
            return self.events.count if self.events is not None else 0
        return 1 if isinstance(self.users, UserRow) else self.users.count

    def population(self) -> Iterator[UserRow]:
        """Everybody who is to be simulated."""
        if isinstance(self.users, UserRow):
            return iter((self.users,))
        if self.users is not None:
            return self.users.rows()
        return self.events.rows() if self.events is not None else iter(())


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
    scenario = first_scenario(invocation, loaded)
    triggered = scenario is None and enters_by_trigger(invocation, loaded)
    mode: Mode = "live" if invocation.live else "simulated"
    with (
        opened_events(invocation, loaded, settings) as events,
        _users(invocation, loaded, events, scenario, triggered) as users,
    ):
        form = _form(invocation, users)
        output = Output(form, mode, settings.timezone, seen, quiet=invocation.quiet)
        read = (invocation, settings, seen, source, loaded, users)
        launch = Launch(*read, output, start, horizon, events, scenario, triggered)
        _say_what_is_odd(launch)
        yield launch


@contextmanager
def _users(
    invocation: Invocation,
    loaded: LoadedAndChecked,
    events: EventsFile | None,
    scenario: Scenario | None,
    triggered: bool,
) -> Iterator[UsersFile | UserRow | None]:
    # Whom a trigger lets in, it brings the inputs; everybody else brings them himself.
    declared = {} if triggered else loaded.journey.entry.inputs
    if scenario is not None:
        yield traveller(scenario)
    elif invocation.users is not None:
        with _users_file(invocation, declared) as users:
            yield users
    elif invocation.user is None and events is not None:
        yield None
    else:
        from engine.users.files import one_user

        user = ONE_USER if invocation.user is None else invocation.user
        yield one_user(user, invocation.attributes, invocation.inputs, declared)


def _users_file(invocation: Invocation, declared: Mapping[str, str]) -> UsersFile:
    from engine.users.files import UsersFileError, open_users

    assert invocation.users is not None  # noqa: S101 - for the type checker
    stdin = sys.stdin.buffer if invocation.users == "-" else None
    try:
        return open_users(
            invocation.users, inputs=declared, skip_bad=invocation.skip_bad, stdin=stdin
        )
    except UsersFileError as error:
        for line in error.others:
            click.echo(line, err=True)
        raise


def _form(invocation: Invocation, users: UsersFile | UserRow | None) -> Form:
    if invocation.as_json:
        return "json"
    one = isinstance(users, UserRow) or (users is not None and users.count == 1)
    return "timeline" if one else "table"


def _say_what_is_odd(launch: Launch) -> None:
    if launch.invocation.quiet:
        return
    for warning in launch.loaded.warnings:
        click.echo(render(warning, str(launch.invocation.file)), err=True)
    users = launch.users
    if users is not None and not isinstance(users, UserRow) and users.skipped:
        first = users.problems[0]
        rows = "1 bad row" if users.skipped == 1 else f"{users.skipped:,} bad rows"
        launch.output.note(f"{rows} left out; the first on line {first.line}: {first.message}")
