"""What happens to the users of a simulation: events from a file, or the first scenario's."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from engine.core.dsl.trigger import by_the_clock, never_end
from engine.operations.zone import installation_zone
from engine.users.row import UserRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.cli.invocation import Invocation
    from engine.core.dsl.check import LoadedAndChecked
    from engine.core.dsl.scenario import Scenario
    from engine.settings import Settings
    from engine.users.events import EventsFile


def enters_by_trigger(invocation: Invocation, loaded: LoadedAndChecked) -> bool:
    """Whether users enter when the journey's triggers let them in, and not all at the beginning:
    where ``--events`` says what happens, or a schedule or a date has its time by ``--for``.

    Raises click.UsageError where that would never end.
    """
    triggers = loaded.journey.entry.triggers
    if not triggers or (invocation.live and invocation.events is None):
        return False
    if invocation.events is None and not (by_the_clock(triggers) and invocation.span is not None):
        return False
    if invocation.span is None and never_end(triggers):
        raise click.UsageError(
            "a schedule of the journey lets users in for ever: say how far, as in --for P90D"
        )
    return True


def first_scenario(invocation: Invocation, loaded: LoadedAndChecked) -> Scenario | None:
    """The first scenario beside the journey, if nobody is named to be simulated."""
    if invocation.live or not invocation.names_nobody:
        return None
    from engine.cli.scenario_files import LARGEST, scenarios_beside

    file = scenarios_beside(invocation.file)
    if file is None:
        return None
    from engine.cli.journey_file import read_bounded
    from engine.core.dsl.scenarios import check_scenarios, read_scenarios

    scenarios = read_scenarios(read_bounded(file, LARGEST), str(file))
    check_scenarios(scenarios, loaded.journey)
    scenario = scenarios.file.scenarios[0]
    if not invocation.quiet:
        click.echo(f"{file}:{scenarios.line(0)}: {scenario.name}", err=True)
    return scenario


def traveller(scenario: Scenario) -> UserRow:
    """The user of a scenario."""
    user = scenario.user
    inputs = dict(scenario.enter.inputs) if scenario.enter is not None else {}
    return UserRow(0, user.id, user.timezone, dict(user.attributes), inputs)


@contextmanager
def opened_events(
    invocation: Invocation, loaded: LoadedAndChecked, settings: Settings
) -> Iterator[EventsFile | None]:
    """The events of ``--events``, checked. Raises EventsFileError."""
    if invocation.events is None:
        yield None
        return
    from engine.users.events import EventsFileError, open_events

    if not loaded.journey.entry.triggers and invocation.users is None and invocation.user is None:
        raise click.UsageError(
            "the journey has no triggers: say who enters, with --users or --user"
        )
    stdin = sys.stdin.buffer if invocation.events == "-" else None
    try:
        events = open_events(invocation.events, installation_zone(settings), stdin)
    except EventsFileError as error:
        for line in error.others:
            click.echo(line, err=True)
        raise
    with events:
        yield events
