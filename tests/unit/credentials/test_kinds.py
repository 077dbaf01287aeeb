from __future__ import annotations

from typing import Any

import pytest

from engine.core.expressions.durations import SECOND
from engine.core.message import Answer
from engine.credentials.kinds.oauth2 import OAuth2
from engine.credentials.kinds.registry import (
    KINDS,
    profile_name_problem,
    read_profile,
    stored_profile,
)
from engine.wire.egress import Egress
from tests.unit.credentials.installation import profile

ENV = {"env": "A_SECRET"}
OAUTH: dict[str, Any] = {
    "kind": "oauth2",
    "token_url": "https://id.example.com/token",
    "client_id": "crm",
    "client_secret": ENV,
}


def problems(**written: Any) -> str:
    found = read_profile(written)
    assert isinstance(found, tuple), found
    return "\n".join(map(str, found))


def test_every_problem_of_a_profile_is_named_with_its_field() -> None:
    found = read_profile({"kind": "basic", "usernam": "bot", "password": "hunter2"})
    assert isinstance(found, tuple)
    text = "\n".join(map(str, found))
    assert "username is missing" in text
    assert "'usernam' is no field of this kind; did you mean username?" in text
    assert "password: a secret may not stand in a file: write {seal_from_env: NAME}" in text
    assert "hunter2" not in text


def test_a_literal_secret_is_never_shown_wherever_it_stands() -> None:
    for written in (
        {"kind": "bearer", "token": "c4n4ry-secret"},
        {"kind": "api_key", "pairs": [{"name": "X-Key", "value": {"plain": "c4n4ry-secret"}}]},
        {**OAUTH, "client_secret": ["c4n4ry-secret"]},
        {**OAUTH, "grant": "c4n4ry-secret"},
        {**OAUTH, "default_ttl": "c4n4ry-secret"},
        {"kind": "c4n4ry-secret"},
    ):
        assert "c4n4ry-secret" not in problems(**written)


def test_an_unknown_kind_is_answered_with_the_known_ones() -> None:
    assert "none, basic, bearer, api_key, oauth2" in problems(kind="kerberos")
    assert "kind is missing" in problems(username="bot")


@pytest.mark.parametrize("name", ["none", "", "a b", "-a", "a/b", "x" * 101, "é"])
def test_a_profile_name_is_plain(name: str) -> None:
    assert profile_name_problem(name)
    assert profile_name_problem("crm-oauth_2.live") is None


def test_basic_refuses_a_colon_and_control_characters_in_the_user() -> None:
    assert "can't hold a ':'" in problems(kind="basic", username="a:b", password=ENV)
    assert "username" in problems(kind="basic", username="a\nb", password=ENV)
    assert profile(kind="basic", username=ENV, password=ENV).problem_with("username", "a:b")


@pytest.mark.parametrize("value", ["", "a b\r\n", "tökén", " spaced", "x\x00", "☃"])
def test_a_token_that_no_header_can_carry_is_a_problem(value: str) -> None:
    found = profile(kind="bearer", token=ENV).problem_with("token", value)
    assert found
    assert value == "" or value not in found


def test_an_api_key_goes_where_its_pairs_say() -> None:
    kind = profile(
        kind="api_key",
        pairs=[
            {"name": "X-Api-Key", "in": "header", "value": ENV, "prefix": "Key"},
            {"name": "app_id", "in": "query", "value": "shop-7"},
            {"name": "secret", "in": "body", "value": {"file": "messenger.key"}},
        ],
    )
    assert set(kind.sources()) == {"X-Api-Key", "secret"}
    placed = kind.placement({"X-Api-Key": "k", "secret": "s"})
    assert placed.headers == (("x-api-key", "Key k"),)
    assert placed.query == (("app_id", "shop-7"),)
    assert placed.body == (("secret", "s"),)
    assert "shop" not in repr(placed)


def test_pairs_need_names_that_differ_and_one_secret() -> None:
    twice = [{"name": "key", "value": ENV}, {"name": "KEY", "in": "query", "value": ENV}]
    assert "the same name" in problems(kind="api_key", pairs=twice)
    assert "no pair is secret" in problems(kind="api_key", pairs=[{"name": "a", "value": "b"}])
    assert "at least one" in problems(kind="api_key", pairs=[])
    for name in ("Host", "Content-Length", "a b", "Transfer-Encoding"):
        assert "name" in problems(kind="api_key", pairs=[{"name": name, "value": ENV}])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"token_url": "http://id.example.com/t"}, "must be https"),
        ({"token_url": "ftp://id.example.com/t"}, "http"),
        ({"token_url": "https://a:b@id.example.com/t"}, "user or password"),
        ({"grant": "authorization_code"}, "not supported by this version"),
        ({"client_auth": "private_key_jwt"}, "not supported by this version"),
        ({"grant": "password"}, "needs username and password"),
        ({"username": "bot"}, "belong to grant: password"),
        ({"client_secret": None, "client_auth": "basic"}, "client_secret"),
        ({"client_auth": "none"}, "client_secret"),
        ({"parameters": {"scope": "x"}}, "is a field of the profile itself"),
        ({"parameters": [{"name": "Host", "in": "header", "value": "x"}]}, "name"),
        ({"default_ttl": "PT0S"}, "between one second"),
        ({"default_ttl": 300}, "duration"),
        ({"body": "xml"}, "'form', 'json' or 'query'"),
        ({"issuer": "https://id.example.com"}, "exclude each other"),
        ({"token_url": None}, "token_url is missing"),
        ({"token_url": None, "issuer": "https://id.example.com/?a=b"}, "no query"),
        ({"token_url": None, "issuer": "http://id.example.com"}, "must be https"),
        ({"revocation_url": "http://id.example.com/r"}, "must be https"),
        ({"expiry_unit": "hours"}, "'seconds', 'milliseconds' or 'minutes'"),
        ({"secret_expires": "next year"}, "a date such as 2027-03-31"),
        ({"token_expired_when": {"status": 200}}, "needs a header or json"),
        ({"token_expired_when": {"status": 99}}, "token_expired_when.status"),
        ({"token_expired_when": {"header": {"name": "a b", "holds": "x"}}}, "no header name"),
    ],
)
def test_an_oauth_profile_is_checked_whole(change: dict[str, Any], said: str) -> None:
    assert said in problems(**{**OAUTH, **change})


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:1", "10.1.2.3", "id:80"])
def test_plain_http_is_for_loopback_and_what_egress_opens(host: str) -> None:
    egress = Egress.parse("10.0.0.0/8,id:80")
    written = {**OAUTH, "token_url": f"http://{host}/t"}
    assert isinstance(read_profile(written, egress=egress), OAuth2)
    if not host.startswith(("127", "localhost", "[")):
        assert "JOURNEY_EGRESS_ALLOW" in problems(**written)


def test_parameters_may_be_short_and_repeated() -> None:
    short = profile(**OAUTH, parameters={"audience": "x", "resource": ["a", "b"]})
    assert isinstance(short, OAuth2)
    assert [(each.name, each.value) for each in short.parameters] == [
        ("audience", "x"),
        ("resource", "a"),
        ("resource", "b"),
    ]


def test_a_stored_profile_is_what_was_written_with_its_sealed_fields_marked() -> None:
    written = profile(
        **{**OAUTH, "client_secret": {"seal_from_env": "X"}}, default_ttl="PT10M", title="CRM"
    )
    stored = written.stored_settings()
    assert stored["client_secret"] == {"sealed": True}
    again = stored_profile("oauth2", stored)
    assert isinstance(again, OAuth2)
    assert again.default_ttl == 600 * SECOND
    assert again.stored_settings() == stored


def test_what_a_401_and_a_403_say_depends_on_the_kind() -> None:
    challenge = {"www-authenticate": 'Bearer error="insufficient_scope"'}
    named = {"www-authenticate": 'Bearer error="invalid_token"'}
    said = {kind: model.rejected(Answer(401)) for kind, model in KINDS.items()}
    assert said == {"none": False, "basic": True, "bearer": True, "api_key": True, "oauth2": True}
    assert not OAuth2.rejected(Answer(403))
    assert not OAuth2.rejected(Answer(403, challenge))
    assert not OAuth2.rejected(Answer(401, challenge))
    assert OAuth2.rejected(Answer(403, named))
