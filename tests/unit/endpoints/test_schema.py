"""What editors are given of files for `journey apply`: it never refuses what the loader takes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from engine.core.dsl.source import compose
from engine.endpoints.file import read_file
from engine.endpoints.schema import apply_schema
from engine.errors import DefinitionError
from tests.house.blocks import PAGES, blocks_of
from tests.house.source import ROOT

SCHEMA = jsonschema.Draft7Validator(apply_schema())
SAMPLE = (ROOT / "journeys" / "endpoints.yaml").read_text(encoding="utf-8")
BLOCKS = [
    pytest.param(block.text, id=block.place)
    for page in PAGES
    for block in blocks_of(page)
    if block.kind == "yaml" and block.holds == "endpoints"
]
OAUTH2 = "kind: oauth2, token_url: 'https://a.example', client_id: c, client_secret: {env: A}"
WRONG: list[Any] = [5, True, None, "x", "10s", [], {}, ["a"], {"env": "A"}]


def data_of(text: str) -> Any:
    return compose(text.encode(), "x.yaml").root.data


@pytest.mark.parametrize("text", [pytest.param(SAMPLE, id="the sample"), *BLOCKS])
def test_every_file_that_is_shown_fits(text: str) -> None:
    assert [error.message for error in SCHEMA.iter_errors(data_of(text))] == []


def _slips(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The file with one thing wrong: a key too many, gone or misspelt, or another value."""
    here = _at(data, path)
    for value in WRONG if path else ():
        slipped = copy.deepcopy(data)
        _at(slipped, path[:-1])[path[-1]] = value
        yield f"{path}: {value!r}", slipped
    for key in here if isinstance(here, dict) else ():
        for new in ("zzz", None):
            slipped = copy.deepcopy(data)
            taken = _at(slipped, path).pop(key)
            _at(slipped, path).update({} if new is None else {new: taken})
            yield f"{path}: {key} -> {new}", slipped
    for key in (
        here if isinstance(here, dict) else range(len(here) if isinstance(here, list) else 0)
    ):
        yield from _slips(data, (*path, key))


def _at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


def _refused(text: str) -> bool:
    try:
        read_file(text.encode(), "x.yaml")
    except DefinitionError:
        return True
    return False


def test_what_it_refuses_the_loader_refuses() -> None:
    refused = 0
    for name, slipped in _slips(data_of(SAMPLE)):
        if SCHEMA.is_valid(slipped):
            continue
        refused += 1
        assert _refused(json.dumps(slipped)), name
    assert refused > 200


@pytest.mark.parametrize(
    "text",
    [
        "endpoints: {a: {}}",
        "endpoints: {a: {base_url: 'https://a.example', baseurl: x}}",
        "endpoints: {a: {base_url: 'https://a.example', auth: {kind: bearer}}}",
        "endpoints: {a: {base_url: 'https://a.example', auth: {kind: bearer, token: literal}}}",
        "endpoints: {a: {base_url: 'https://a.example', timeout: soon}}",
        "auth_profiles: {a: {kind: oauth, token_url: 'https://a.example'}}",
        "auth_profiles: {none: {kind: bearer, token: {env: A}}}",
        "auth_profiles: {a: {kind: basic, username: u, password: {env: A, file: b}}}",
        "contact_policy: {quiet_hours: {from: '22:00'}}",
        "contact_policy: nobody",
        "contact_policy:",
        "endpoint: {}",
        "{}",
    ],
)
def test_slips_are_refused(text: str) -> None:
    assert not SCHEMA.is_valid(data_of(text))
    assert _refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "endpoints: {a: {base_url: 'https://a.example', timeout: 20s}}",
        "endpoints: {a: {base_url: 'https://a.example', timeout: {total: 20s}, auth: none}}",
        "endpoints: {a: {base_url: 'https://a.example', on_auth_failure: continue}}",
        f"auth_profiles: {{a: {{{OAUTH2}, parameters: {{audience: x, resource: [a, b]}}}}}}",
        f"auth_profiles: {{a: {{{OAUTH2}, parameters: [{{name: a, value: b}}], default_ttl: 5m}}}}",
        "{attributes: {plan: text}, events: {bought: {total: number}}}",
        "contact_policy: none",
    ],
)
def test_short_forms_are_taken(text: str) -> None:
    assert [error.message for error in SCHEMA.iter_errors(data_of(text))] == []
    read_file(text.encode(), "x.yaml")
