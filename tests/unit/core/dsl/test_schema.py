"""What editors are given: a schema that takes what the loader takes and refuses as it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from engine.core.dsl.load import read_journey
from engine.core.dsl.schema import journey_schema, scenarios_schema
from engine.core.dsl.source import compose
from engine.errors import DefinitionError
from tests.house.source import DOCS, ROOT
from tests.unit.core.dsl.bad_journeys import all_bad
from tests.unit.core.dsl.good_journeys import GOOD

JOURNEYS = jsonschema.Draft7Validator(journey_schema())
SCENARIOS = jsonschema.Draft7Validator(scenarios_schema())

BEYOND_A_SCHEMA = re.compile(
    r"yaml\.|expression\.|var\.|flow\.|secret\.|trigger\.inputs|condition\.|file\."
    r"|(step|input|goal|endpoint|name)\.(same_id|unknown|unreachable|twice)|split\.same_name"
    r"|zone\.unknown|value\.invalid|path\.invalid|timeout\.too_long|duration\.zero"
    r"|text\.(title|invalid)|reentry\.invalid|journey\.(shape|too_many)"
)
"""Codes of what only the loader sees: what expressions say, what stands elsewhere in the file."""


def data_of(text: str) -> Any:
    return compose(text.encode(), "x.yaml").root.data


def blocks() -> Iterator[tuple[str, str]]:
    """Every file of YAML and every block of it in the docs, with its name."""
    for path in sorted((ROOT / "journeys").glob("*.yaml")):
        yield path.name, path.read_text(encoding="utf-8")
    for page in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for number, block in enumerate(re.findall(r"(?ms)^```yaml\n(.*?)^```$", text)):
            yield f"{page.name}:{number}", block
    yield from GOOD.items()


WHOLE = [block for block in blocks() if re.search(r"^(dsl: 1|scenarios:)", block[1], re.MULTILINE)]


@pytest.mark.parametrize("schema", [journey_schema(), scenarios_schema()])
def test_it_is_a_schema_of_the_draft_that_every_editor_knows(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("text", [text for _, text in WHOLE], ids=[name for name, _ in WHOLE])
def test_every_sample_and_every_block_of_the_docs_fits(text: str) -> None:
    validator = JOURNEYS if re.search(r"^dsl: 1", text, re.MULTILINE) else SCENARIOS
    assert [error.message for error in validator.iter_errors(data_of(text))] == []


@pytest.mark.parametrize(
    ("text", "codes"),
    [(text, {code for _, code in expected}) for _, text, expected in all_bad()],
    ids=[name for name, _, _ in all_bad()],
)
def test_what_is_wrong_by_its_shape_is_refused(text: str, codes: set[str]) -> None:
    if all(BEYOND_A_SCHEMA.match(code) for code in codes):
        return
    assert not JOURNEYS.is_valid(data_of(text))


@pytest.mark.parametrize(
    "text", [text for _, text, _ in all_bad()], ids=[name for name, _, _ in all_bad()]
)
def test_what_it_refuses_the_loader_refuses(text: str) -> None:
    try:
        _, _, problems = read_journey(text.encode(), "x.yaml")
        data = data_of(text)
    except DefinitionError:
        return
    assert JOURNEYS.is_valid(data) or problems


def test_an_error_is_that_of_the_step_that_is_meant() -> None:
    broken = GOOD["welcome"].replace("type: wait, for: P2D", "type: wait, fr: P2D")
    (error, *more) = JOURNEYS.iter_errors(data_of(broken))
    assert not more or {list(each.path)[:2] == ["steps", 1] for each in more} == {True}
    assert "oneOf" not in error.schema_path
    assert list(error.path) == ["steps", 1]


def test_a_credentials_header_is_refused_however_it_is_written() -> None:
    for header in ("Authorization", "X-API-KEY", "x_api_key", "Content-Type"):
        call = f"{{id: a, type: call_api, endpoint: e, headers: {{{header}: x}}}}"
        assert not JOURNEYS.is_valid(data_of(f"dsl: 1\njourney: j\nsteps: [{call}]\n"))
    for header in ("Accept", "X-Trace", "x-api-keys"):
        call = f"{{id: a, type: call_api, endpoint: e, headers: {{{header}: x}}}}"
        assert JOURNEYS.is_valid(data_of(f"dsl: 1\njourney: j\nsteps: [{call}]\n"))


def test_endpoints_that_exist_are_the_ones_a_call_may_name() -> None:
    schema = journey_schema({"crm": "https://crm.example", "mail": "Mail: https://m.example"})
    endpoint = schema["definitions"]["CallApiStep"]["properties"]["endpoint"]
    assert endpoint["enum"] == ["crm", "mail"]
    assert endpoint["enumDescriptions"] == ["https://crm.example", "Mail: https://m.example"]
    validator = jsonschema.Draft7Validator(schema)
    assert not validator.is_valid(data_of(GOOD["welcome"]))
    assert validator.is_valid(data_of(GOOD["welcome"].replace("messenger", "mail")))
    answers = scenarios_schema({"crm": "c"})["definitions"]["Scenario"]["properties"]["answers"]
    assert (list(answers["properties"]), answers["additionalProperties"]) == (["crm"], False)


def test_without_any_endpoint_a_call_may_name_whatever_it_likes() -> None:
    assert journey_schema({}) == journey_schema(None)


def test_time_zones_are_completed_from_those_given() -> None:
    schema = journey_schema(zones=["Europe/Berlin", "Asia/Tokyo"])
    assert schema["properties"]["timezone"]["enum"] == ["Asia/Tokyo", "Europe/Berlin"]


def test_no_default_is_one_that_an_editor_should_not_write() -> None:
    def defaults(node: object) -> Iterator[object]:
        if isinstance(node, dict):
            if "default" in node:
                yield node["default"]
            for below in node.values():
                yield from defaults(below)

    assert [d for d in defaults(JOURNEYS.schema) if isinstance(d, dict) or not d] == [False] * 2
    assert "P365D" in list(defaults(JOURNEYS.schema))


@pytest.mark.parametrize(
    ("step", "right"),
    [
        ("type: wait, until: {date: user.x, missing: exit}", True),
        ("type: wait, until: {date: user.x}", False),
        ("type: wait, until: {date: user.x, missing: exit, days: 3}", False),
        ("type: wait, until: {days: 3}", True),
        ("type: wait, until: {days: 3, offset: P1D}", False),
        ("type: wait, until: {timezone: Europe/Berlin}", False),
        ("type: wait, for: 2d, until: {days: 3}", False),
        ("type: wait", False),
        ("type: call_api, endpoint: e, body: null", False),
        ("type: call_api, endpoint: e, query: {a: null}", True),
        ("type: call_api, endpoint: e, form: {a: 1}, text: a", False),
        ("type: call_api, endpoint: e, content_type: text/csv", False),
        ("type: call_api, endpoint: e, retry: {when: [429, 429]}", True),
        ("type: call_api, endpoint: e, success: {status: [2xx, 404], when: true}", False),
        ("type: call_api, endpoint: e, success: {status: [2XX, 404, 300-399]}", True),
        ("type: set, values: {user.id: 5}", False),
        ("type: set, values: {}", False),
        ("type: branch, paths: [{name: p, when: 1, next: a, steps: [{id: b, type: exit}]}]", False),
        ("type: split, arms: [{name: p, weight: 0}, {name: q, weight: 1}]", True),
        ("type: wait_for, within: 1d, any: [{when: user.x, where: event.y}]", False),
        ("type: wait_for, within: 1d, any: [{event: e, when: user.x}]", False),
    ],
)  # fmt: skip
def test_keys_that_exclude_or_need_each_other_do_so_in_both(step: str, *, right: bool) -> None:
    text = f"dsl: 1\njourney: j\nsteps: [{{id: a, {step}}}]\n"
    _, journey, problems = read_journey(text.encode(), "x.yaml")
    assert (journey is not None and not problems) is right
    assert JOURNEYS.is_valid(data_of(text)) is right
