"""``journey schema``: what an editor is pointed to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.cli.commands import Journey

ENDPOINTS = """\
endpoints:
  crm: {base_url: "https://crm.example.com/v2", title: The CRM}
  mail: {base_url: "https://mail.example.com"}
"""


def endpoint(schema: str) -> Any:
    return json.loads(schema)["definitions"]["CallApiStep"]["properties"]["endpoint"]


def test_the_schema_of_journeys_is_printed_with_every_time_zone(journey: Journey) -> None:
    ended = journey("schema")
    assert (ended.code, ended.err) == (0, "")
    schema = json.loads(ended.out)
    assert schema["title"] == "journey"
    assert "Europe/Istanbul" in schema["properties"]["timezone"]["enum"]
    assert "enum" not in endpoint(ended.out)
    assert journey.files == set()


def test_the_schema_of_scenarios_is_another(journey: Journey) -> None:
    assert set(json.loads(journey("schema", "--scenarios").out)["properties"]) == {
        "journey",
        "scenarios",
    }


def test_the_schema_of_apply_files_is_a_third(journey: Journey) -> None:
    schema = json.loads(journey("schema", "--apply").out)
    assert set(schema["properties"]) >= {"auth_profiles", "endpoints", "contact_policy"}
    refused = journey("schema", "--apply", "--scenarios")
    assert (refused.code, refused.out) == (2, "")
    assert "--apply" in refused.err


def test_it_is_written_to_a_file(journey: Journey) -> None:
    assert journey("schema", "--output", "journey.schema.json").out == ""
    written = (journey.folder / "journey.schema.json").read_text(encoding="utf-8")
    assert written == journey("schema").out
    assert journey("schema", "-o", "no/where.json").err.startswith("error: can't write")


def test_endpoints_of_a_file_are_completed(journey: Journey) -> None:
    journey.write("endpoints.yaml", ENDPOINTS)
    named = endpoint(journey("schema", "--endpoints", "endpoints.yaml").out)
    assert named["enum"] == ["crm", "mail"]
    assert named["enumDescriptions"] == [
        "The CRM: https://crm.example.com/v2",
        "https://mail.example.com",
    ]


def test_endpoints_of_the_installation_are_completed(journey: Journey) -> None:
    journey.write("endpoints.yaml", ENDPOINTS.replace("mail:", "post:"))
    assert journey("apply", "endpoints.yaml").code == 0
    assert endpoint(journey("schema", "--endpoints").out)["enum"] == ["crm", "post"]
    assert endpoint(journey("schema", "--endpoints", "-o", "-").out)["enum"] == ["crm", "post"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--endpoints", "none.yaml"), 2, "none.yaml"),
        (("--endpoints", "bad.yaml"), 3, "key.unknown"),
        (("--endpoints",), 5, "database"),
    ],
)
def test_endpoints_that_cant_be_read_are_an_error_of_one_line(
    journey: Journey, arguments: tuple[str, ...], code: int, said: str
) -> None:
    journey.write("bad.yaml", "endpoint: {}\n")
    ended = journey("schema", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert "Traceback" not in ended.err
