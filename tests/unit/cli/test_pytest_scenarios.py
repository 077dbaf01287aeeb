"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import pytest

# Loaded here, or each inner pytest would load PyYAML's C part anew, which it doesn't take.
import engine.cli.scenario_files  # noqa: F401
from tests.unit.cli.test_run_scenarios import GOES_WELL, GOES_WRONG, NUDGE

pytest_plugins = ["pytester"]


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with a journey, where pytest knows this plugin only."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.path.joinpath("nudge.yaml").write_text(NUDGE, encoding="utf-8")
    return pytester


def run(inner: pytest.Pytester, scenarios: str) -> pytest.RunResult:
    inner.path.joinpath("nudge.scenarios.yaml").write_text(scenarios, encoding="utf-8")
    return inner.runpytest_inprocess("-p", "engine.cli.pytest_scenarios", "-p", "no:cacheprovider")


def test_each_scenario_is_a_test(inner: pytest.Pytester) -> None:
    more = GOES_WRONG.partition("scenarios:\n")[2].replace("greeted", "wins")
    result = run(inner, GOES_WELL + more)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*nudge.scenarios.yaml:8: wins", "  outcome", "    - goal:bought", "    + completed at *"]
    )
    result.stdout.fnmatch_lines(["*⏸ settle*", "*■ completed*"])


def test_a_wrong_file_is_an_error_that_names_its_problems(inner: pytest.Pytester) -> None:
    result = run(inner, GOES_WELL.replace("{greet:", "{gret:"))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*nudge.scenarios.yaml:7:22: error: the journey has no step `gret`*"]
    )


def test_other_files_are_left_alone(inner: pytest.Pytester) -> None:
    inner.path.joinpath("other.yaml").write_text("x: 1", encoding="utf-8")
    run(inner, GOES_WELL).assert_outcomes(passed=1)
