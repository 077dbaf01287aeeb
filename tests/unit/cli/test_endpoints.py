from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.cli.commands import Journey
from tests.unit.cli.test_auth import publish

SET = ("endpoints", "set", "api")


def shown(journey: Journey, name: str = "api") -> Any:
    return json.loads(journey("endpoints", "show", name, "--json").out)


def test_an_endpoint_is_made_and_one_field_of_it_changed(journey: Journey) -> None:
    assert journey(*SET, "--url", "https://a.example/v2", "--timeout", "5s").out == (
        "endpoint api created\n"
    )
    changed = journey(*SET, "--concurrency", "7", "--rate", "5/1s", "--header", "X-A=1")
    assert changed.out == "endpoint api changed: headers, rate_limit, concurrency\n"
    endpoint = shown(journey)
    assert endpoint["base_url"] == "https://a.example/v2"
    assert endpoint["timeout"]["total"] == "5s"
    assert endpoint["rate_limit"] == {"count": 5, "per": "1s"}
    assert journey(*SET, "--rate", "none").out == "endpoint api changed: rate_limit\n"
    assert journey(*SET, "--set", "retry={attempts: 5}").out == "endpoint api changed: retry\n"
    assert journey(*SET, "--set", "retry={attempts: 5}").out == "endpoint api unchanged\n"


def test_a_profile_is_assigned_bound_and_taken_away(journey: Journey) -> None:
    journey("auth", "set", "t", "--kind", "bearer", stdin="token-canary-012345")
    made = journey(*SET, "--url", "https://a.example", "--auth", "t")
    assert "auth profile t may now be sent to https://a.example:443" in made.out
    assert shown(journey)["auth"] == "t"
    for named in ((), ("--auth", "t")):
        refused = journey(*SET, "--url", "https://b.example", *named)
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert "no value for token of auth profile t, since endpoint api moves" in refused.err
    wrong = journey(*SET, "--url", "https://b.example", stdin="not-the-token")
    assert wrong.code == 2
    assert "changing base_url demands token of auth profile t again" in wrong.err
    assert "not-the-token" not in wrong.out + wrong.err
    assert shown(journey)["base_url"] == "https://a.example"
    assert journey(*SET, "--url", "https://a.example/v3").code == 0
    move = (*SET, "--url", "https://b.example", "--from-env", "token=T")
    moved = journey(*move, T="token-canary-012345")
    assert "may now be sent to https://b.example:443" in moved.out
    assert journey(*SET, "--auth", "none").out == "endpoint api changed: auth\n"
    assert shown(journey)["auth"] == "none"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--timeout", "5s"),
        ("--url", "ftp://a.example"),
        ("--url", "https://u:p@a.example"),
        ("--url", "https://a.example", "--auth", "nobody"),
        ("--url", "https://a.example", "--header", "Authorization=x"),
        ("--url", "https://a.example", "--timeout", "5m"),
        ("--url", "https://a.example", "--rate", "fast"),
        ("--url", "https://a.example", "--set", "on_auth_failure=wait"),
        ("--url", "https://a.example", "--set", "tiemout=5s"),
    ],
)
def test_what_is_wrong_is_one_line_and_stores_nothing(
    journey: Journey, arguments: tuple[str, ...]
) -> None:
    ended = journey(*SET, *arguments)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "api" not in journey("endpoints", "list").out


def test_a_used_endpoint_is_not_deleted_unless_by_force(journey: Journey) -> None:
    journey(*SET, "--url", "https://a.example")
    publish(journey, "api", 1)
    refused = journey("endpoints", "delete", "api")
    assert refused.code == 2
    assert "journey welcome (version 1, newest) → step greet → 1 user inside now" in refused.err
    assert journey("endpoints", "usage", "api").out.strip() in refused.err
    forced = journey("endpoints", "delete", "api", "--force")
    assert (forced.code, forced.out) == (0, "endpoint api deleted\n")
    assert journey("endpoints", "show", "api").code == 2


def test_an_endpoints_own_profile_goes_with_it(journey: Journey) -> None:
    text = (
        "endpoints: {own: {base_url: 'https://a.example', auth: {kind: bearer, token: {env: T}}}}"
    )
    journey("apply", journey.write("e.yaml", text))
    assert "own" in journey("auth", "list").out
    assert journey("endpoints", "delete", "own").code == 0
    assert journey("auth", "list").out == ""


def test_another_endpoints_own_profile_is_not_borrowed(journey: Journey) -> None:
    text = (
        "endpoints: {own: {base_url: 'https://a.example', auth: {kind: bearer, token: {env: T}}}}"
    )
    journey("apply", journey.write("e.yaml", text))
    ended = journey(*SET, "--url", "https://b.example", "--auth", "own")
    assert (ended.code, "own authentication" in ended.err) == (2, True)
