from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import guarded_json
from engine.core.message import Answer, Request
from engine.credentials.attach import attach, origin_text, rejected
from engine.credentials.credential import Credential, Pairs, Placement
from engine.errors import CallFailure, CredentialFailure

API = "https://api.example.com:443"
FORM = (("content-type", "application/x-www-form-urlencoded"),)


def credential(
    headers: Pairs = (), query: Pairs = (), body: Pairs = (), kind: str = "api_key"
) -> Credential:
    placement = Placement(headers, query, body)
    return Credential(1, "messenger", kind, 3, frozenset({API}), placement, "f")


def post(body: bytes = b"{}", headers: Pairs = (), url: str = f"{API}/send") -> Request:
    return Request("POST", url, headers, body)


def test_what_a_profile_sets_wins_over_the_same_name() -> None:
    sent = attach(
        post(b'{"key":"theirs","to":"ann"}', (("x-key", "theirs"), ("x-other", "1"))),
        credential((("x-key", "ours"),), (), (("key", "ours"),)),
    )
    assert ("x-key", "theirs") not in sent.headers
    assert sent.headers[:2] == (("x-other", "1"), ("x-key", "ours"))
    assert guarded_json.parse(sent.body) == {"key": "ours", "to": "ann"}


@given(value=st.text(min_size=1), name=st.text(min_size=1, max_size=20))
def test_a_query_value_arrives_as_it_is(value: str, name: str) -> None:
    url = f"{API}/send?a=1&b=%26"
    sent = attach(post(url=url), credential(query=((name, value),)))
    parts = urlsplit(sent.url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    assert (name, value) in pairs
    assert ("b", "&") in pairs or name == "b"
    assert sent.url.startswith(f"{API}/send?")
    assert sent.url.isascii()


def test_a_query_parameter_of_the_same_name_is_replaced_however_it_is_written() -> None:
    sent = attach(
        post(url=f"{API}/send?a=1&k%65y=theirs&key=theirs"), credential(query=(("key", "ours"),))
    )
    assert sent.url == f"{API}/send?a=1&key=ours"


def test_a_form_gets_a_field_and_a_json_object_a_member() -> None:
    sent = attach(post(b"to=ann&key=theirs", FORM), credential(body=(("key", "o&rs"),)))
    assert parse_qsl(sent.body.decode()) == [("to", "ann"), ("key", "o&rs")]
    sent = attach(post(b""), credential(body=(("key", "ours"),)))
    assert sent.body == b'{"key":"ours"}'
    assert ("content-type", "application/json") in sent.headers


@pytest.mark.parametrize(
    "request_",
    [
        post(b"[1]"),
        post(b"not json"),
        post(b"<a/>", (("content-type", "text/xml"),)),
        post(b"\xff", FORM),
        Request("GET", f"{API}/send"),
    ],
)
def test_a_body_that_can_take_no_field_is_unfillable(request_: Request) -> None:
    with pytest.raises(CallFailure) as failure:
        attach(request_, credential(body=(("key", "ours"),)))
    assert failure.value.code == "call.unfillable"
    assert "ours" not in str(failure.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/send",
        "http://api.example.com:443/send",
        "https://api.example.com:444/send",
        "https://api.example.com.evil.com/send",
        "https://api.example.com:80@evil.com/send",
        "https://api.example.com\\@evil.com/send",
        "//evil.com/send",
        "https://API.example.com./send",
    ],
)
def test_nothing_secret_goes_to_a_host_the_profile_is_not_bound_to(url: str) -> None:
    with pytest.raises((CredentialFailure, CallFailure)) as failure:
        attach(post(url=url), credential((("x-key", "0urs"),)))
    assert failure.value.code in ("credential.host_not_allowed", "call.blocked")
    assert "0urs" not in str(failure.value)


@pytest.mark.parametrize("url", ["https://API.example.com/x", "HTTPS://api.example.com:443/x"])
def test_a_host_is_the_same_however_it_is_written(url: str) -> None:
    assert attach(post(url=url), credential((("x-key", "ours"),))).headers
    assert origin_text(url) == API


def test_a_profile_bound_to_nothing_is_sent_nowhere() -> None:
    unbound = Credential(
        1, "m", "bearer", 1, frozenset(), Placement(headers=(("authorization", "x"),)), "f"
    )
    with pytest.raises(CredentialFailure, match="applying the endpoint"):
        attach(post(), unbound)


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "tökén", "a\x00b", "\x7f"])
def test_a_value_that_no_header_can_carry_is_refused_before_one_is_built(value: str) -> None:
    with pytest.raises(CredentialFailure) as failure:
        attach(post(), credential((("x-key", value),)))
    assert failure.value.code == "credential.unreadable"
    assert value not in str(failure.value)


def test_nothing_to_attach_leaves_the_request_alone() -> None:
    request = post(url="https://anywhere.example/")
    assert attach(request, credential(kind="none")) is request


def test_a_rejection_is_the_kinds_own() -> None:
    assert rejected(Answer(401), credential())
    assert not rejected(Answer(200), credential())
    assert not rejected(Answer(401), credential(kind="none"))
    assert not rejected(Answer(failure="call.timed_out"), credential())


def test_a_credential_shows_nothing_secret() -> None:
    secret = credential((("x-key", "c4n4ry"),), (("k", "c4n4ry"),), (("k", "c4n4ry"),))
    for shown in (repr(secret), str(secret), f"{secret}", repr([secret]), repr(secret.placement)):
        assert "c4n4ry" not in shown
