from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.core.steps.terms import DEFAULT_TERMS
from engine.endpoints.gate import Breaker, GatePolicy
from engine.endpoints.model import Endpoint, gate_policy, network, terms
from engine.endpoints.store import settings_of

HERE: dict[str, Any] = {"name": "crm", "base_url": "https://crm.example.com/v2"}


def problem_of(**fields: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Endpoint.model_validate(HERE | fields)
    assert len(caught.value.errors()) == 1
    return caught.value.errors()[0]["msg"]


def test_an_endpoint_that_says_only_where_has_the_defaults() -> None:
    endpoint = Endpoint(**HERE)
    assert terms(endpoint) == DEFAULT_TERMS
    assert network(endpoint).connect_timeout_s == 3
    assert network(endpoint).max_response == 1024 * 1024
    assert endpoint.profile is None
    assert endpoint.concurrency == 100


def test_what_is_written_reaches_terms_and_network() -> None:
    endpoint = Endpoint(
        **HERE,
        timeout={"connect": "1s", "total": "PT20S"},
        retry={"attempts": 2},
        delivery="at_most_once",
        network={"max_response": "64 KiB"},
    )
    assert terms(endpoint).timeout_us == 20_000_000
    assert terms(endpoint).retry.attempts == 2
    assert terms(endpoint).delivery == "at_most_once"
    assert network(endpoint).connect_timeout_s == 1
    assert network(endpoint).max_response == 65_536


def test_a_timeout_alone_is_the_total() -> None:
    assert terms(Endpoint(**HERE, timeout="500ms")).timeout_us == 500_000


@pytest.mark.parametrize(
    "url",
    [
        "crm.example.com",
        "ftp://crm.example.com",
        "https://bot:pass@crm.example.com",
        "https://crm.example.com@evil.example",
        "https://crm.example.com\\@evil.example",
        "https://{{ user.host }}",
        "https://crm.example.com?x=1",
        "https://crm.example.com#x",
        "https://crm.example.com/../v2",
        "https://crm.example.com/%2e%2e/v2",
        "https://crm.example.com//v2",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://crm.example.com./",
        "https://crm.example.com:99999/",
        "https://crm example.com/",
        "https://crm.example.com/\r\nHost: evil.example",
        "https://пример.example/",
        "//crm.example.com",
        "",
    ],
)
def test_a_base_url_that_could_mean_another_host_is_refused(url: str) -> None:
    assert problem_of(base_url=url)


def test_a_header_that_looks_like_a_credential_is_refused_with_advice() -> None:
    for headers in (
        {"Authorization": "x"},
        {"X-Api-Key": "x"},
        {"X-Note": "Bearer abcdefghijklmnopqrstuvwx"},
    ):
        with pytest.raises(ValidationError) as caught:
            Endpoint(**HERE, headers=headers)
        error = caught.value.errors(include_input=False)[0]
        assert "looks like a credential" in error["msg"]
        assert "auth profile" in error["ctx"]["remedy"]
        assert "abcdefghijklmnop" not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "x"},
        {"Content-Length": "1"},
        {"X A": "1"},
        {"X": "a\r\nb"},
        {"X": "é"},
        {"X": None},
    ],
)
def test_a_header_that_cannot_be_sent_is_refused(headers: dict[str, object]) -> None:
    assert problem_of(headers=headers)


def test_a_client_certificate_stands_in_the_profile() -> None:
    said = problem_of(network={"client_certificate": "x"})
    assert "belongs to the endpoint's auth profile" in said


@pytest.mark.parametrize(
    "fields",
    [
        {"timeout": "3m"},
        {"timeout": "0s"},
        {"timeout": 10},
        {"concurrency": 0},
        {"circuit_breaker": {"per": "1m"}},
        {"circuit_breaker": {"failures": 0}},
        {"circuit_breaker": {"failures": 3, "open_for": "P1M"}},
        {"on_auth_failure": "wait"},
        {"on_auth_failure": {"hold": "0s"}},
        {"on_auth_failure": {"hold": {"most": "1h"}}},
        {"rate_limit": {"count": 0, "per": "1s"}},
        {"rate_limit": {"count": 1, "per": "0s"}},
        {"allow": ["users"]},
        {"allow": ["get /x"]},
        {"allow": ["GET /a*b*c"]},
        {"allow": ["GET /**/x"]},
        {"allow": ["GET /x?y"]},
        {"name": "a/b"},
        {"auth": None},
        {"autth": "x"},
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    assert problem_of(**fields)


def test_what_is_stored_reads_back_the_same() -> None:
    endpoint = Endpoint(
        **HERE,
        headers={"X-Version": "2"},
        auth="crm-oauth",
        allow=["POST /users/*"],
        timeout="5s",
        retry={"attempts": 5, "when": ["5xx", 429, "timeout"], "within": "1h"},
        success={"when": "response.body.ok"},
        rate_limit={"count": 10, "per": "1m"},
        idempotency_header=False,
        contact=True,
    )
    stored = settings_of(endpoint)
    again = Endpoint(name="crm", auth="crm-oauth", **stored)
    assert settings_of(again) == stored
    assert again.idempotency_header == ""
    assert stored["retry"]["when"] == ["429", "5xx", "timeout"]


@pytest.mark.parametrize(
    "written", ["hold", {"hold": {}}, {"hold": "24h"}, {"hold": {"max": "P1D"}}]
)
def test_a_hold_is_written_short_or_long_and_lasts_a_day_unless_said(written: object) -> None:
    endpoint = Endpoint.model_validate(
        {"name": "a", "base_url": "https://a.example", "on_auth_failure": written}
    )
    assert endpoint.hold == 86_400_000_000
    assert terms(endpoint).hold == endpoint.hold
    assert gate_policy(endpoint) == GatePolicy(None, endpoint.hold)
    again = Endpoint.model_validate(settings_of(endpoint) | {"name": "a"})
    assert again.hold == endpoint.hold


def test_a_circuit_breaker_says_how_many_and_has_defaults_for_the_rest() -> None:
    written = {"name": "a", "base_url": "https://a.example", "circuit_breaker": {"failures": 5}}
    policy = gate_policy(Endpoint.model_validate(written))
    assert policy == GatePolicy(Breaker(5, 60_000_000, 30_000_000), None)
