"""The pytest plugin: every ``*.scenarios.yaml`` is a test module, every scenario in it a test.

It comes with the extra ``testing`` and is found by pytest itself::

    pip install 'journey-engine[testing]'
    pytest journeys
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.cli.scenario_files import ScenarioSet
    from engine.core.dsl.scenario import Scenario
    from engine.core.interpreter.scenario import Difference

SUFFIX = ".scenarios.yaml"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The hook of pytest: takes the files of scenarios."""
    if not file_path.name.endswith(SUFFIX):
        return None
    collected: pytest.Collector = ScenarioModule.from_parent(parent, path=file_path)
    return collected


class ScenarioModule(pytest.File):
    """A file of scenarios."""

    def collect(self) -> Iterator[pytest.Item]:
        """A test for each scenario; a file that is wrong is an error that names every problem."""
        from engine.cli.scenario_files import load_scenarios
        from engine.core.dsl.problems import render
        from engine.errors import DefinitionError, OperatorError

        try:
            loaded = load_scenarios(self.path)
        except DefinitionError as error:
            shown = "\n".join(render(problem, error.file) for problem in error.problems)
            raise self.CollectError(shown) from None
        except OperatorError as error:
            raise self.CollectError(error.message) from None
        for line, scenario in loaded.each():
            yield ScenarioTest.from_parent(
                self, name=scenario.name, loaded=loaded, scenario=scenario, line=line
            )


class Differs(Exception):
    """A scenario went another way."""

    def __init__(self, differences: tuple[Difference, ...]) -> None:
        super().__init__(f"{len(differences)} differences")
        self.differences = differences


class ScenarioTest(pytest.Item):
    """One scenario."""

    def __init__(self, *, loaded: ScenarioSet, scenario: Scenario, line: int, **more: Any) -> None:
        super().__init__(**more)
        self._loaded = loaded
        self._scenario = scenario
        self._line = line

    def runtest(self) -> None:
        """Run it. Raises Differs."""
        differences = self._loaded.run(self._scenario)
        if differences:
            raise Differs(differences)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What was expected, what was taken, and the whole way."""
        if not isinstance(excinfo.value, Differs):
            return super().repr_failure(excinfo, style)
        lines = [f"{self.path}:{self._line}: {self._scenario.name}"]
        for one in excinfo.value.differences:
            lines += [f"  {one.what}", f"    - {one.expected}", f"    + {one.taken}"]
        return "\n".join([*lines, *(f"  {line}" for line in self._loaded.way(self._scenario))])

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands."""
        return self.path, self._line - 1, self._scenario.name
