"""One slip in a right file: schema and loader say no together, but for what expressions say."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import jsonschema
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from engine.core.dsl.journey import Journey
from engine.core.dsl.scenario import ScenarioFile
from engine.core.dsl.schema import journey_schema, scenarios_schema
from engine.core.dsl.source import compose
from engine.core.expressions.calendar import find_zone
from engine.core.expressions.durations import DurationError, duration_pattern, parse_duration
from tests.unit.core.dsl.good_journeys import GOOD

SAMPLES = Path(__file__).resolve().parents[2] / "journeys"
ZONES = [name for name in available_timezones() if find_zone(name) is not None]
WRONG = [
    *(5, -1, 1.5, True, None, [], {}, ["a"], {"a": 1}),
    *("", "x y", "?", "2d", "{{ user.id }}", "/a", "2026-11-22T09:00:00Z", "09:00"),
]
THE_LOADERS_ALONE = {"expression.invalid", "value.invalid", "duration.zero", "timeout.too_long"}
THE_LOADERS_ALONE |= {"scenario.no_entry", "scenario.ends_first", "split.same_name"}

Checker = tuple[jsonschema.Draft7Validator, type[BaseModel]]
OF_JOURNEYS: Checker = (jsonschema.Draft7Validator(journey_schema(None, ZONES)), Journey)
OF_SCENARIOS: Checker = (jsonschema.Draft7Validator(scenarios_schema(None, ZONES)), ScenarioFile)
FILES: list[tuple[Checker, Any]] = [
    *((OF_JOURNEYS, compose(text.encode(), "x").root.data) for text in GOOD.values()),
    *(
        (OF_SCENARIOS, compose(path.read_bytes(), "x").root.data)
        for path in sorted(SAMPLES.glob("*.scenarios.yaml"))
    ),
]


def _paths(data: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(data, dict | list):
        for key in data if isinstance(data, dict) else range(len(data)):
            yield from _paths(data[key], (*path, key))


PATHS = [list(_paths(data)) for _, data in FILES]


@given(data=st.data())
def test_one_slip_is_refused_by_both_or_by_none(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(FILES) - 1))
    (validator, model), right = FILES[number]
    path = data.draw(st.sampled_from(PATHS[number]))
    slipped = copy.deepcopy(right)
    _slip(data, slipped, path)
    try:
        model.model_validate(slipped)
        codes = set()
    except ValidationError as error:
        codes = {each["type"] for each in error.errors()} - THE_LOADERS_ALONE
        if not codes:
            return
    refusals = [error.message[:200] for error in validator.iter_errors(slipped)]
    assert bool(codes) == bool(refusals), (path, codes, refusals)


def _slip(data: st.DataObject, whole: Any, path: tuple[Any, ...]) -> None:
    """One thing wrong at ``path``: a key too many, gone or misspelt, or another value."""
    holder = whole
    for key in path[:-1]:
        holder = holder[key]
    here = holder[path[-1]] if path else whole
    kinds = ["value"] if path else []
    if isinstance(here, dict):
        kinds += ["added", "auth", *(["gone", "misspelt"] if here else [])]
    kind = data.draw(st.sampled_from(kinds or ["value"]))
    if kind == "value":
        holder[path[-1]] = data.draw(st.sampled_from(WRONG))
    elif kind in ("added", "auth"):
        here["zzz" if kind == "added" else "auth"] = "x"
    else:
        key = data.draw(st.sampled_from(sorted(here)))
        taken = here.pop(key)
        if kind == "misspelt":
            here[f"{key}x"] = taken


PIECES = st.sampled_from(["P", "T", "1", "20", ".5", "Y", "M", "W", "D", "H", "S", "d", "m", "ms"])


@given(
    text=st.lists(st.one_of(PIECES, st.sampled_from(list(" -+hs")))).map("".join),
    signed=st.booleans(),
)
def test_editors_take_the_durations_that_the_loader_takes(text: str, *, signed: bool) -> None:
    shape = {"type": "string", "pattern": duration_pattern(signed=signed)}
    fits = jsonschema.Draft7Validator(shape).is_valid(text)
    try:
        parse_duration(text, signed=signed)
        assert fits
    except DurationError as error:
        assert not fits or "months" in error.message or "longer" in error.message
