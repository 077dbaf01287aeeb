"""What pages let through of cookies and of where a form came from."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response

from engine.console import safety


def _request(scheme: str = "http", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return Request(
        {
            "type": "http",
            "method": "POST",
            "scheme": scheme,
            "server": ("127.0.0.1", 8420),
            "path": "/",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1:8420"), *raw],
        }
    )


@pytest.mark.parametrize(
    ("headers", "elsewhere"),
    [
        ({}, False),
        ({"sec_fetch_site": "same-origin"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "same-site"}, True),
        ({"sec_fetch_site": "cross-site", "origin": "http://127.0.0.1:8420"}, True),
        ({"origin": "http://127.0.0.1:8420"}, False),
        ({"origin": "http://127.0.0.1:8421"}, True),
        ({"origin": "null"}, True),
    ],
)
def test_a_form_of_another_site_is_known_by_its_headers(
    headers: dict[str, str], elsewhere: bool
) -> None:
    assert safety.is_of_another_site(_request(**headers)) is elsewhere


def test_what_is_said_next_is_said_only_in_the_session_that_it_is_for() -> None:
    response = Response()
    safety.keep_said(_request(), response, "session-1", "Saved “it”", bad=False)
    cookie = response.headers["set-cookie"].partition(";")[0]
    assert safety.take_said(_request(cookie=cookie), "session-1") == ("Saved “it”", False)
    assert safety.take_said(_request(cookie=cookie), "session-2") is None
    assert safety.take_said(_request(cookie="journey_said=x.y"), "session-1") is None
    assert safety.take_said(_request(), "session-1") is None


def test_over_tls_a_session_is_bound_to_its_host() -> None:
    response = Response()
    safety.keep_session(_request("https"), response, "session-1")
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-journey_session=session-1;")
    assert "Secure" in cookie
    plain = Response()
    safety.keep_session(_request(), plain, "session-1")
    assert "Secure" not in plain.headers["set-cookie"]
    protected = Response()
    safety.protect(_request("https"), protected)
    assert protected.headers["strict-transport-security"] == "max-age=31536000"
