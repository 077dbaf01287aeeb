"""Scenario files: found, read, and put together with the journey they stand beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.endpoint_terms import Beside, terms_beside
from engine.cli.journey_file import UnreadableFile, load_journey, read_bounded
from engine.core.dsl.scenarios import Scenarios, check_scenarios, no_journey, read_scenarios

if TYPE_CHECKING:
    from engine.core.dsl.program import Program
    from engine.core.dsl.scenario import Scenario
    from engine.core.interpreter.scenario import Difference

SUFFIX = ".scenarios.yaml"
LARGEST = 8 * 1024 * 1024
"""Bytes a file of scenarios may have."""


@dataclass(frozen=True, slots=True)
class ScenarioSet:
    """The scenarios of one file, ready to run."""

    file: Path
    scenarios: Scenarios
    program: Program
    beside: Beside

    def each(self) -> Iterator[tuple[int, Scenario]]:
        """Every scenario with its line."""
        for number, scenario in enumerate(self.scenarios.file.scenarios):
            yield self.scenarios.line(number), scenario

    def run(self, scenario: Scenario) -> tuple[Difference, ...]:
        """Where the way taken differs from the one expected."""
        from engine.core.interpreter.scenario import run_scenario

        return run_scenario(self.program, scenario, self.beside.terms, self.beside.contact_policy)

    def way(self, scenario: Scenario) -> list[str]:
        """The way taken, as a person reads it."""
        from engine.cli.show.terminal import Paint
        from engine.cli.show.timeline import Timeline
        from engine.core.interpreter.scenario import take

        timeline = Timeline("simulated", "UTC", Paint())
        beside = self.beside
        events = take(self.program, scenario, beside.terms, policy=beside.contact_policy)
        return [line for event in events for line in timeline.lines(event)]


def load_scenarios(file: Path, endpoints: Path | None = None) -> ScenarioSet:
    """A file of scenarios with its journey and its endpoints' terms.

    Raises DefinitionError for whatever is wrong with any of the three files, and UnreadableFile.
    """
    from engine.core.dsl.program import compile_journey

    scenarios = read_scenarios(read_bounded(file, LARGEST), str(file))
    journey = journey_of(file)
    try:
        source = read_bounded(journey)
    except UnreadableFile as error:
        raise no_journey(scenarios, journey.name, error.message) from None
    loaded = load_journey(journey, source)
    check_scenarios(scenarios, loaded.journey)
    beside = terms_beside(journey, endpoints)
    return ScenarioSet(file, scenarios, compile_journey(loaded.journey), beside)


def journey_of(file: Path) -> Path:
    """The journey's file that belongs to a file of scenarios."""
    return file.with_name(f"{file.name.removesuffix(SUFFIX)}.yaml")


def scenarios_beside(journey: Path) -> Path | None:
    """The file of scenarios beside a journey, if there is one."""
    file = journey.with_name(f"{journey.stem}{SUFFIX}")
    return file if file.is_file() else None


def find_scenarios(named: Iterable[Path]) -> list[Path]:
    """The scenario files that are meant: files of scenarios as they are, a journey's for a journey,
    all below for a folder; without any, those below ``journeys/``, or here. Raises UnreadableFile
    for a journey that has none.
    """
    given = list(named) or [Path("journeys") if Path("journeys").is_dir() else Path()]
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            found += sorted(path.rglob(f"*{SUFFIX}"))
        elif path.name.endswith(SUFFIX) or not path.exists():
            found.append(path)
        elif (beside := scenarios_beside(path)) is not None:
            found.append(beside)
        else:
            raise UnreadableFile(
                f"there are no scenarios beside {path}: write them to {path.stem}{SUFFIX}, as"
                " `journey new` does"
            )
    return list(dict.fromkeys(found))
