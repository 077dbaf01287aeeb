from __future__ import annotations

import json
from base64 import b64decode
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.message import Request
from engine.credentials.access_tokens.request import revocation_request, token_request
from engine.credentials.kinds.oauth2 import OAuth2
from tests.unit.credentials.installation import profile

ENV = {"env": "S"}
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


def request(values: dict[str, str], refresh: str | None = None, **written: Any) -> Request:
    base = {"token_url": "https://id.example.com/t", "client_id": "crm", "client_secret": ENV}
    model = profile(kind="oauth2", **{**base, **written})
    assert isinstance(model, OAuth2)
    assert model.token_url is not None
    return token_request(model, model.token_url, values, refresh)


def test_the_fields_may_travel_in_the_query_and_then_there_is_no_body() -> None:
    sent = request(
        {"client_secret": "s3 cret"}, client_auth="post", body="query", parameters={"audience": "x"}
    )
    query = parse_qsl(sent.url.partition("?")[2])
    assert query == [
        ("grant_type", "client_credentials"),
        ("client_id", "crm"),
        ("client_secret", "s3 cret"),
        ("audience", "x"),
    ]
    assert (sent.method, sent.body) == ("POST", b"")
    assert "content-type" not in dict(sent.headers)


@pytest.mark.parametrize("auth", ["basic", "post"])
def test_a_token_is_revoked_by_the_client_that_got_it(auth: str) -> None:
    model = profile(
        kind="oauth2",
        token_url="https://id.example.com/t",
        client_id="crm",
        client_secret=ENV,
        client_auth=auth,
    )
    assert isinstance(model, OAuth2)
    secrets = {"client_secret": "s3cret"}
    sent = revocation_request(model, "https://id.example.com/r", secrets, "at/1", "access_token")
    assert sent.url == "https://id.example.com/r"
    fields = dict(form(sent))
    assert (fields["token"], fields["token_type_hint"]) == ("at/1", "access_token")
    if auth == "basic":
        assert basic(sent) == ("crm", "s3cret")
    else:
        assert (fields["client_id"], fields["client_secret"]) == ("crm", "s3cret")


def form(sent: Request) -> list[tuple[str, str]]:
    assert dict(sent.headers)["content-type"] == "application/x-www-form-urlencoded"
    return parse_qsl(sent.body.decode(), keep_blank_values=True)


def basic(sent: Request) -> tuple[str, str]:
    scheme, _, pair = dict(sent.headers)["authorization"].partition(" ")
    assert scheme == "Basic"
    client, _, secret = b64decode(pair).decode().partition(":")
    return client, secret


@given(client=TEXTS, secret=TEXTS)
def test_a_client_in_basic_is_form_encoded_first(client: str, secret: str) -> None:
    sent = request({"client_secret": secret}, client_id=client)
    user, password = basic(sent)
    assert (unquote_plus(user), unquote_plus(password)) == (client, secret)
    assert form(sent) == [("grant_type", "client_credentials")]


def test_a_server_that_does_not_decode_gets_it_raw() -> None:
    sent = request({"client_secret": "s/+ =%:"}, basic_encoding="raw")
    assert basic(sent) == ("crm", "s/+ =%:")


@given(secret=TEXTS, scope=TEXTS)
def test_a_client_in_the_body_arrives_as_it_is(secret: str, scope: str) -> None:
    for body in ("form", "json"):
        sent = request({"client_secret": secret}, client_auth="post", body=body, scope=scope)
        fields = dict(form(sent)) if body == "form" else json.loads(sent.body)
        assert fields == {
            "grant_type": "client_credentials",
            "scope": scope,
            "client_id": "crm",
            "client_secret": secret,
        }
        assert "authorization" not in dict(sent.headers)


def test_the_password_grant_and_its_refresh_token() -> None:
    written: dict[str, Any] = {
        "grant": "password",
        "username": "bot",
        "password": ENV,
        "client_auth": "post",
    }
    values = {"client_secret": "s", "password": "p&w"}
    assert dict(form(request(values, **written))) == {
        "grant_type": "password",
        "username": "bot",
        "password": "p&w",
        "client_id": "crm",
        "client_secret": "s",
    }
    assert dict(form(request(values, "rt", **written))) == {
        "grant_type": "refresh_token",
        "refresh_token": "rt",
        "client_id": "crm",
        "client_secret": "s",
    }


def test_a_public_client_says_only_who_it_is() -> None:
    sent = request(
        {"password": "p"},
        grant="password",
        username="bot",
        password=ENV,
        client_auth="none",
        client_secret=None,
    )
    assert "authorization" not in dict(sent.headers)
    assert ("client_id", "crm") in form(sent)


def test_parameters_go_where_they_are_wanted_and_may_repeat() -> None:
    sent = request(
        {"client_secret": "s", "parameters.key": "k&y"},
        token_url="https://id.example.com/t?tenant=1",
        parameters=[
            {"name": "resource", "value": "a"},
            {"name": "resource", "value": "b"},
            {"name": "X-Tenant", "in": "header", "value": "shop"},
            {"name": "key", "in": "query", "value": ENV},
        ],
    )
    assert [each for each in form(sent) if each[0] == "resource"] == [
        ("resource", "a"),
        ("resource", "b"),
    ]
    assert dict(sent.headers)["x-tenant"] == "shop"
    assert sent.url == "https://id.example.com/t?tenant=1&key=k%26y"


def test_a_repeated_parameter_in_json_is_a_list() -> None:
    sent = request(
        {"client_secret": "s"}, body="json", parameters={"resource": ["a", "b", "c"], "one": "1"}
    )
    assert json.loads(sent.body)["resource"] == ["a", "b", "c"]
    assert json.loads(sent.body)["one"] == "1"


@pytest.mark.parametrize("name", ["accept", "Accept"])
def test_a_parameter_replaces_a_header_of_ours(name: str) -> None:
    sent = request(
        {"client_secret": "s"}, parameters=[{"name": name, "in": "header", "value": "*/*"}]
    )
    assert [value for header, value in sent.headers if header == "accept"] == ["*/*"]
