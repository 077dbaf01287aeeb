from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.steps.base import Call
from engine.endpoints import request
from engine.endpoints.model import Endpoint
from engine.endpoints.request import RequestTemplate, build
from engine.endpoints.targets import target_problem
from engine.errors import CallFailure
from engine.wire.origin import origin_of
from engine.wire.transport import check_request


def endpoint(base_url: str = "https://crm.example.com/v2", **fields: object) -> Endpoint:
    return Endpoint.model_validate({"name": "crm", "base_url": base_url} | fields)


def call(target: str, method: str = "POST", **fields: object) -> Call:
    return Call(endpoint="crm", method=method, target=target, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("base", "target", "url"),
    [
        ("https://h.example", "/", "https://h.example"),
        ("https://h.example/", "/a", "https://h.example/a"),
        ("https://h.example/v2", "/a/b?c=1&d=%2F", "https://h.example/v2/a/b?c=1&d=%2F"),
        ("https://h.example/v2/", "/a/", "https://h.example/v2/a/"),
        ("https://h.example/hook/T0", "/", "https://h.example/hook/T0"),
        ("https://h.example/hook/T0", "/?q=1", "https://h.example/hook/T0?q=1"),
        ("http://[::1]:8080", "/users/@me", "http://[::1]:8080/users/@me"),
    ],
)
def test_the_target_goes_behind_the_base_path(base: str, target: str, url: str) -> None:
    assert build(endpoint(base), call(target), "K").url == url


@pytest.mark.parametrize(
    "target",
    [
        "",
        "a",
        "@evil.example/",
        "//evil.example/",
        "/a//b",
        "/\\evil.example",
        "/..",
        "/../admin",
        "/a/../../b",
        "/a/./b",
        "/a/%2e%2e/b",
        "/a/.%2E/b",
        "/a/%2E",
        "/a\r\nHost: evil.example",
        "/a b",
        "/a\tb",
        "/a#b",
        "/é",
        "/a?b=\n",
        "https://evil.example/",
    ],
)
def test_a_target_that_could_leave_the_endpoint_is_blocked(target: str) -> None:
    with pytest.raises(CallFailure) as caught:
        build(endpoint(), call(target), "K")
    assert caught.value.code == "call.blocked"


@given(st.text(max_size=40) | st.text("/.%2eE\\@?#:a", max_size=12))
def test_no_target_whatever_changes_host_or_base_path(target: str) -> None:
    try:
        url = build(endpoint(), call(target), "K").url
    except CallFailure as failure:
        assert failure.code == "call.blocked"
        return
    assert origin_of(url) == origin_of("https://crm.example.com")
    assert urlsplit(url).hostname == "crm.example.com"
    assert url.startswith("https://crm.example.com/v2")
    assert ".." not in [part.lower().replace("%2e", ".") for part in urlsplit(url).path.split("/")]


def test_of_a_header_named_twice_the_nearest_to_the_step_stands_and_the_key_above_all() -> None:
    template = RequestTemplate.of(endpoint(headers={"X-A": "endpoint", "User-Agent": "us"}))
    request = template.build(
        call(
            "/",
            headers=(("x-a", "step"), ("idempotency-key", "forged")),
            body=b"{}",
            content_type="application/json",
        ),
        "K1",
    )
    assert dict(request.headers) == {
        "user-agent": "us",
        "x-a": "step",
        "content-type": "application/json",
        "idempotency-key": "K1",
    }
    assert len(request.headers) == 4
    assert request.body == b"{}"
    check_request(request)


def test_an_endpoint_may_say_which_json_it_takes() -> None:
    special = endpoint(headers={"Content-Type": "application/vnd.api+json"})
    request = build(special, call("/", content_type="application/json", body=b"{}"), "K")
    assert dict(request.headers)["content-type"] == "application/vnd.api+json"
    request = build(special, call("/", content_type="text/plain", body=b"hi"), "K")
    assert dict(request.headers)["content-type"] == "text/plain"


def test_the_idempotency_header_can_be_renamed_and_left_out() -> None:
    renamed = dict(build(endpoint(idempotency_header="X-Request-Id"), call("/"), "K").headers)
    assert renamed["x-request-id"] == "K"
    assert "idempotency-key" not in renamed
    without = dict(build(endpoint(idempotency_header=False), call("/"), "K").headers)
    assert list(without) == ["user-agent"]


@pytest.mark.parametrize(
    ("rule", "method", "target", "allowed"),
    [
        ("POST /users/*/score", "POST", "/users/u1/score", True),
        ("POST /users/*/score", "POST", "/users/u1/score?x=/", True),
        ("POST /users/*/score", "GET", "/users/u1/score", False),
        ("POST /users/*/score", "POST", "/users/u1/x/score", False),
        ("POST /users/*/score", "POST", "/users/u1%2Fx/score", True),
        ("GET /reports/**", "GET", "/reports/a/b", True),
        ("GET /reports/**", "GET", "/reports", False),
        ("* /health", "HEAD", "/health", True),
        ("* /health", "HEAD", "/health/x", False),
        ("* /a.b", "GET", "/axb", False),
    ],
)
def test_only_what_allow_covers_is_sent(rule: str, method: str, target: str, allowed: bool) -> None:
    limited = endpoint(allow=[rule])
    if allowed:
        assert build(limited, call(target, method), "K").method == method
        return
    with pytest.raises(CallFailure, match="`allow` doesn't cover"):
        build(limited, call(target, method), "K")


def test_a_problem_never_repeats_the_path() -> None:
    for target in ("/secret path", "/secret//x", "/secret/../x", "secret"):
        assert "secret" not in (target_problem(target) or "secret")


def test_more_targets_than_are_kept_are_each_checked_and_answered_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request, "MOST_KNOWN", 3)
    template = RequestTemplate.of(endpoint("https://h.example", allow=["POST /a/*"]))
    for number in (1, 2, 3, 4, 1, 2, 5, 1):
        assert template.build(call(f"/a/{number}"), "K").url == f"https://h.example/a/{number}"
        assert len(template.known) <= 3
    for _ in range(2):
        with pytest.raises(CallFailure, match="`allow`"):
            template.build(call("/b/1"), "K")
        with pytest.raises(CallFailure, match="`allow`"):
            template.build(call("/a/1", "PUT"), "K")
