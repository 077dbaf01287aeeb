"""The journeys of engine/docs/patterns.md do what the page says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.dsl.check import load_and_check
from engine.core.dsl.program import compile_journey
from engine.core.dsl.scenarios import check_scenarios, read_scenarios
from engine.core.interpreter.scenario import run_scenario
from tests.house.blocks import Block, blocks_of
from tests.house.source import DOCS

# Not called *.scenarios.yaml: their journeys stand on the page and not beside them.
SCENARIOS = Path(__file__).parent / "patterns"
JOURNEYS = {
    block.journey: block
    for block in blocks_of(DOCS / "patterns.md")
    if block.kind == "yaml" and block.journey != "layout"  # that one shows where things stand
}


def test_every_pattern_has_scenarios_and_no_name_stands_twice() -> None:
    shown = [block.journey for block in blocks_of(DOCS / "patterns.md") if block.kind == "yaml"]
    assert len(shown) == len(set(shown))
    files = {path.stem for path in SCENARIOS.iterdir()}
    assert files == set(JOURNEYS)


@pytest.mark.parametrize("block", [pytest.param(one, id=name) for name, one in JOURNEYS.items()])
def test_a_pattern_goes_as_its_scenarios_say(block: Block) -> None:
    program = compile_journey(load_and_check(block.text.encode(), block.file).journey)
    file = SCENARIOS / f"{block.journey}.yaml"
    scenarios = read_scenarios(file.read_bytes(), file.name)
    check_scenarios(scenarios, program.journey)
    went = {one.name: run_scenario(program, one, {}) for one in scenarios.file.scenarios}
    assert {name: ways for name, ways in went.items() if ways} == {}, block.place
