"""``journey test [FILE...]``: scenarios are run, and where they go another way is shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.context import json_option

if TYPE_CHECKING:
    from engine.cli.scenario_files import ScenarioSet
    from engine.cli.show.terminal import Paint
    from engine.core.dsl.scenario import Scenario
    from engine.core.interpreter.scenario import Difference


@click.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--endpoints",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The endpoints' timeouts, retries and rules of success"
    " (default: endpoints.yaml beside the journey, if there is one).",
)
@json_option
def test(files: tuple[Path, ...], endpoints: Path | None, as_json: bool) -> int:
    """Run scenarios: tests of journeys, on a virtual clock and without a network.

    FILE is a file of scenarios, a journey with one beside it, or a folder; without any, all below
    journeys/, or here. Exits with 6 if a scenario goes another way than expected, with 3 if a file
    is wrong.
    """
    from engine.cli.outcome import CHECK_FAILED, INVALID_FILE, tell
    from engine.cli.scenario_files import find_scenarios, load_scenarios
    from engine.errors import DefinitionError

    found = find_scenarios(files)
    if not found:
        raise click.UsageError("no *.scenarios.yaml here; name the files")
    report, wrong = _Report(as_json), 0
    for file in found:
        try:
            loaded = load_scenarios(file, endpoints)
        except DefinitionError as error:
            tell(error)
            wrong += 1
            continue
        for line, scenario in loaded.each():
            report.ran(loaded, line, scenario, loaded.run(scenario))
    report.summary(len(found) - wrong, wrong)
    if wrong:
        return INVALID_FILE
    return CHECK_FAILED if report.failed else 0


class _Report:
    """What is printed, as it comes."""

    def __init__(self, as_json: bool) -> None:
        import sys

        from engine.cli.show.terminal import Paint
        from engine.settings import environment

        self._json = as_json
        self._paint: Paint = Paint.of(sys.stdout, environment())
        self.scenarios = 0
        self.failed = 0

    def ran(
        self, of: ScenarioSet, line: int, scenario: Scenario, differences: tuple[Difference, ...]
    ) -> None:
        """One scenario."""
        self.scenarios += 1
        self.failed += bool(differences)
        if self._json:
            self._json_line(of.file, line, scenario, differences)
            return
        mark = self._paint("✗", "red") if differences else self._paint("✓", "green")
        click.echo(f"{mark} {of.file}:{line}  {scenario.name}")
        if not differences:
            return
        for one in differences:
            click.echo(f"    {one.what}")
            click.echo(self._paint(f"      - {_shown(one.expected)}", "green"))
            click.echo(self._paint(f"      + {_shown(one.taken)}", "red"))
        for told in of.way(scenario):
            click.echo(self._paint(f"    {told}", "dim"))

    def summary(self, files: int, wrong: int) -> None:
        """The balance of so many files, beside those that are ``wrong`` and weren't run."""
        if self._json:
            from json import dumps

            balance = {"type": "summary", "scenarios": self.scenarios, "failed": self.failed}
            click.echo(dumps(balance))
            return
        text = f"{_many(self.scenarios, 'scenario')} in {_many(files, 'file')}, "
        text += f"{self.failed} failed" if self.failed else "all as expected"
        if wrong:
            text = f"{text if files else 'nothing was run'}; {_many(wrong, 'file')} can't be run"
        click.echo(self._paint(text, "red" if self.failed or wrong else "green"))

    def _json_line(
        self, file: Path, line: int, scenario: Scenario, differences: tuple[Difference, ...]
    ) -> None:
        from dataclasses import asdict
        from json import dumps

        said = {
            "type": "scenario",
            "file": str(file),
            "line": line,
            "scenario": scenario.name,
            "ok": not differences,
            "differences": [asdict(one) for one in differences],
        }
        click.echo(dumps(said, ensure_ascii=False))


def _shown(text: str) -> str:
    from engine.cli.show.terminal import plain

    return plain(text, 500)


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
