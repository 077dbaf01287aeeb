"""``run-journey --against VERSION|FILE``: the same users, events and answers, two versions."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.journey_file import load_journey, read_bounded
from engine.cli.show.parting import Ways, difference_data, difference_lines, timeline
from engine.cli.simulation import made_ready
from engine.core.dsl.trigger import never_end
from engine.core.interpreter.compare import KINDS, Kind, Parting, parting, points
from engine.core.steps.call_api import CallApiStep
from engine.enrollments.summary import Tallying
from engine.enrollments.summary_data import summary_data
from engine.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.cli.launch import Launch
    from engine.cli.simulation import Simulation
    from engine.core.dsl.journey import Journey
    from engine.core.dsl.program import Program
    from engine.core.interpreter.simulate import Happened
    from engine.users.row import UserRow

SHOWN = 3
"""So many users are shown with both their ways."""

_VERSION = re.compile(r"[0-9]{1,9}|newest")
_WORDS: dict[Kind, str] = {
    "way": "go another way",
    "request": "are sent something else",
    "time": "go the same way at other times",
}


@dataclass(slots=True)
class _Balance:
    """How many users there were, and how the ways of those who differ do."""

    users: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)

    @property
    def differ(self) -> int:
        return sum(self.kinds.values())

    def add(self, parted: Parting | None) -> None:
        self.users += 1
        if parted is not None:
            self.kinds[parted.kind] += 1
            self.places[parted.at] += 1


def compared(launch: Launch) -> None:
    """Simulate both versions, user by user, and print whose ways differ."""
    name, other = _other(launch)
    steps = (step for _, step in other.all_steps())
    called = [step.endpoint for step in steps if isinstance(step, CallApiStep)]
    if launch.triggered and launch.horizon_us is None and never_end(other.entry.triggers):
        raise click.UsageError(
            f"a schedule of {name} lets users in for ever: say how far, as in --for P90D"
        )
    with made_ready(launch, also_called=called) as simulation:
        here, there = simulation.program(launch.loaded.journey), simulation.program(other)
        _Comparison(launch, simulation, (here, there), name).tell()


class _Comparison:
    """Takes each user through both versions; of one user at a time everything is in memory."""

    def __init__(
        self,
        launch: Launch,
        simulation: Simulation,
        programs: tuple[Program, Program],
        other: str,
    ) -> None:
        self._launch = launch
        self._simulation = simulation
        self._programs = programs
        self._names = launch.invocation.file.name, other
        self._tallies = Tallying(programs[0]), Tallying(programs[1])
        self._balance = _Balance()

    def tell(self) -> None:
        """Compare everybody, and print it as it is found."""
        progress = self._launch.output.progress
        progress.total = self._launch.total
        as_json = self._launch.invocation.as_json
        shown: list[str] = []
        for user in self._launch.population():
            ways = Ways(*(points(self._way(number, user)) for number in (0, 1)))
            parted = parting(ways.one, ways.other)
            self._balance.add(parted)
            progress.add(users=1)
            if parted is None:
                continue
            if as_json:
                progress.clear()
                self._print(difference_data(user.id, parted, ways))
            elif self._balance.differ <= SHOWN:
                told = difference_lines(user, parted, ways, self._names, self._told(user))
                shown += ["", *told]
        progress.clear()
        if as_json:
            self._print(self._summary())
        else:
            for line in [*self._lines(), *shown]:
                click.echo(line)

    def _way(self, number: int, user: UserRow) -> Iterator[Happened]:
        tally = self._tallies[number]
        for event in self._simulation.of(self._programs[number], (user,)):
            tally.add(event)
            yield event

    def _told(self, user: UserRow) -> tuple[list[str], list[str]]:
        """Both ways of a user as timelines, simulated once more."""
        zone, one, other = self._launch.settings.timezone, *self._programs
        of = self._simulation.of
        return timeline(of(one, (user,)), zone), timeline(of(other, (user,)), zone)

    def _lines(self) -> Iterator[str]:
        balance, (here, there) = self._balance, self._names
        journey = self._programs[0].journey.journey
        yield f"{journey} · {here} against {there} · {self._simulation.about}"
        yield f"  same      {balance.users - balance.differ:,}"
        ways = [f"{balance.kinds[k]:,} {_WORDS[k]}" for k in KINDS if balance.kinds[k]]
        how = f"   ({', '.join(ways)})" if ways else ""
        yield f"  differ    {balance.differ:,}{how}"
        if balance.places:
            width = max(10, *(len(place) for place in balance.places))
            yield "  first at"
            for place, n in balance.places.most_common():
                yield f"    {place:<{width}}  {n:,}"

    def _summary(self) -> dict[str, object]:
        balance = self._balance
        return {
            "type": "summary",
            "journey": self._programs[0].journey.journey,
            "file": str(self._launch.invocation.file),
            "against": self._names[1],
            "users": balance.users,
            "same": balance.users - balance.differ,
            "differ": balance.differ,
            "kinds": {kind: balance.kinds[kind] for kind in KINDS},
            "first_at": dict(balance.places.most_common()),
            "this": summary_data(self._tallies[0].summary()),
            "other": summary_data(self._tallies[1].summary()),
        }

    def _print(self, data: dict[str, object]) -> None:
        click.echo(json.dumps(data, ensure_ascii=False, separators=(",", ":")))


def _other(launch: Launch) -> tuple[str, Journey]:
    """The version to compare with, and what it is called."""
    named = launch.invocation.against
    assert named is not None  # noqa: S101 - for the type checker
    journey = launch.loaded.journey.journey
    if _VERSION.fullmatch(named):
        return _published(launch, named, journey)
    file = Path(named)
    other = load_journey(file, read_bounded(file)).journey
    if other.journey != journey:
        launch.output.note(
            f"{named} is the journey {other.journey}, not {journey}: lots fall differently there"
        )
    return str(file), other


def _published(launch: Launch, named: str, journey: str) -> tuple[str, Journey]:
    from engine.cli.context import opened
    from engine.versions.store import Versions, find, newest

    with opened(launch.invocation.database) as here, here.database().read() as connection:
        latest = newest(connection, journey)
        if latest is None:
            raise NotFound(f"the journey {journey} was never published")
        number = latest.number if named == "newest" else int(named)
        found = find(connection, journey, number)
        if found is None:
            raise NotFound(f"{journey} has no version {number}: the newest is {latest.number}")
        version = Versions().get(connection, found)
    return f"version {version.number}", version.program.journey
