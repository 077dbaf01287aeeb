"""What the pages show as YAML can be used as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.core.dsl.check import load_and_check
from engine.core.dsl.program import compile_journey
from engine.core.dsl.scenarios import check_scenarios, read_scenarios
from engine.core.interpreter.scenario import run_scenario
from engine.endpoints.file import read_file
from engine.errors import DefinitionError
from tests.journeys.walking import ROOT

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "journeys").glob("*.md")),
    ROOT / "engine" / "docs" / "events.md",
    ROOT / "engine" / "docs" / "scenarios.md",
]
BLOCKS = [
    (page, text)
    for page in PAGES
    for text in re.findall(
        r"^```yaml\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
]


def test_the_readme_shows_a_journey_in_twenty_lines_and_an_apply_file() -> None:
    journeys = [text for page, text in BLOCKS if page.name == "README.md" and "dsl: 1" in text]
    assert [len(text.splitlines()) <= 20 for text in journeys] == [True]
    assert len([text for _, text in BLOCKS if "auth_profiles:" in text]) == 1


@pytest.mark.parametrize(("page", "text"), BLOCKS)
def test_a_yaml_block_has_no_error_and_no_warning(page: Path, text: str) -> None:
    try:
        if "dsl: 1" in text:
            assert load_and_check(text.encode(), page.name).warnings == ()
        elif "scenarios:" in text:
            (beside,) = (other for of, other in BLOCKS if of == page and "dsl: 1" in other)
            program = compile_journey(load_and_check(beside.encode(), page.name).journey)
            scenarios = read_scenarios(text.encode(), page.name)
            check_scenarios(scenarios, program.journey)
            assert [run_scenario(program, one, {}) for one in scenarios.file.scenarios] == [()]
        else:
            read_file(text.encode(), page.name)
    except DefinitionError as error:
        pytest.fail(f"{page.name}: {error.problems}")


def test_the_readmes_picture_is_whole_in_itself() -> None:
    picture = (ROOT / "engine" / "docs" / "demo.svg").read_text(encoding="utf-8")
    assert "](engine/docs/demo.svg)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "Every claim held" in picture.replace("&#160;", " ")
    # An address that is fetched, as opposed to a namespace: pages may not load foreign fonts.
    assert re.findall(r"(?:url\(|href=)[\"']?https?:", picture) == []
