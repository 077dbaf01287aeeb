"""From a command line to a run: what both modes have in common, and the exit code."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from engine.cli.journey_file import load_journey, read_bounded, refuse_events
from engine.cli.outcome import CHECK_FAILED
from engine.cli.run_journey import ONE_USER, Invocation
from engine.cli.show.output import Form, Output
from engine.core.dsl.problems import render
from engine.settings import environment, load_settings
from engine.users.files import UsersFile, UsersFileError, one_user, open_users
from engine.users.row import UserRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.core.dsl.check import LoadedAndChecked
    from engine.enrollments.summary import Summary
    from engine.settings import Settings

ENDED_BY_SIGNAL = 128


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


def launch(invocation: Invocation) -> int:
    """Run what the command line asks for; the exit code.

    Raises what :mod:`engine.cli.outcome` translates.
    """
    seen = environment()
    settings = load_settings(seen)
    start, horizon = invocation.start(settings), invocation.horizon()
    source = read_bounded(invocation.file)
    loaded = load_journey(invocation.file, source)
    refuse_events(loaded, invocation.file)
    with _users(invocation, loaded) as users:
        output = Output(
            _form(invocation, users),
            "live" if invocation.live else "simulated",
            settings.timezone,
            seen,
            quiet=invocation.quiet,
        )
        ready = Launch(invocation, settings, seen, source, loaded, users, output, start, horizon)
        _say_what_is_odd(ready)
        try:
            return _run(ready)
        finally:
            output.progress.clear()


def _run(ready: Launch) -> int:
    if ready.invocation.live:
        from engine.cli.live_run import run

        summaries, interrupted = run(ready)
        if interrupted is not None:
            return ENDED_BY_SIGNAL + interrupted
    else:
        from engine.cli.simulated_run import simulated

        summaries = [simulated(ready)]
    return CHECK_FAILED if _fails(ready.invocation, summaries) else 0


def _fails(invocation: Invocation, summaries: Sequence[Summary]) -> bool:
    """Whether ``--fail-on`` was asked for and it happened."""
    if invocation.fail_on == "step":
        return any(summary.failed for summary in summaries)
    if invocation.fail_on == "journey":
        return any(summary.left_by_failure or summary.stuck for summary in summaries)
    return False


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


def _say_what_is_odd(ready: Launch) -> None:
    if ready.invocation.quiet:
        return
    for warning in ready.loaded.warnings:
        click.echo(render(warning, str(ready.invocation.file)), err=True)
    if isinstance(ready.users, UsersFile) and ready.users.skipped:
        first = ready.users.problems[0]
        rows = "1 bad row" if ready.users.skipped == 1 else f"{ready.users.skipped:,} bad rows"
        ready.output.note(f"{rows} left out; the first on line {first.line}: {first.message}")
