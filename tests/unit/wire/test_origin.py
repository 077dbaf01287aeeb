"""A URL is read one way only, and other parsers read it the same way."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import CallFailure
from engine.wire.origin import Origin, origin_of, prefix_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://a.example", Origin("http", "a.example", 80)),
        ("https://a.example/", Origin("https", "a.example", 443)),
        ("HTTPS://A.Example:8443/Path?q=@x", Origin("https", "a.example", 8443)),
        ("http://a.example?q=http://b.example", Origin("http", "a.example", 80)),
        ("http://127.0.0.1:08080/", Origin("http", "127.0.0.1", 8080)),
        ("http://[0:0::1]:1/", Origin("http", "::1", 1)),
        ("http://xn--bcher-kva.example/", Origin("http", "xn--bcher-kva.example", 80)),
        ("http://a_b.example/", Origin("http", "a_b.example", 80)),
    ],
)
def test_scheme_host_and_port_are_read(url: str, origin: Origin) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://a.example/", "not absolute with http or https"),
        ("a.example/path", "not absolute with http or https"),
        ("https://u:p@a.example/", "a user or password"),
        ("https://bücher.example/", "xn-- form"),
        ("https://a.example./", "ends in a dot"),
        ("https://2130706433/", "four decimal numbers"),
        ("https://1.2.3.0x4/", "four decimal numbers"),
        ("https://a..example/", "not a valid name"),
        ("https://-a.example/", "not a valid name"),
        ("https://" + "a" * 64 + ".example/", "not a valid name"),
        ("https://[::g]/", "can't be read"),
        ("https://[1:2]/", "not an IPv6 address"),
        ("https://a.example:/", "can't be read"),
        ("https://a.example:70000/", "port"),
        ("https://a.example:0/", "port"),
        ("https://a.example/a b", "space"),
        ("https://a.example\\b", "backslash"),
        ("https://a.example#b", "'#'"),
    ],
)
def test_what_could_be_read_otherwise_is_refused_with_a_reason(url: str, why: str) -> None:
    with pytest.raises(CallFailure, match=why) as raised:
        origin_of(url)
    assert raised.value.code == "call.blocked"
    assert "a.example" not in raised.value.message


def test_the_prefix_is_what_decides_who_is_dialled() -> None:
    assert prefix_of("https://a.example:8443/path?q") == "https://a.example:8443"


@given(
    st.text(alphabet="hHtTpPsS:/\\@#?%[].-_x0127faAž \t\n", max_size=24).map("http://".__add__)
    | st.text(max_size=24)
    | st.from_regex(r"https?://[a-z0-9.-]{1,12}(:[0-9]{1,5})?[/?#\\@:.a-z0-9]{0,8}", fullmatch=True)
)
@example("http://a%41.example/")
@example("http://1.2.3.4.5/")
@example("http://0.0x/")
def test_other_parsers_agree_on_every_url_that_is_accepted(url: str) -> None:
    try:
        origin = origin_of(url)
    except CallFailure:
        return
    theirs = urlsplit(url)
    assert (theirs.scheme, theirs.hostname) == (origin.scheme, written_host(origin, url))
    assert theirs.port in (origin.port, None)
    assert theirs.username is None
    try:
        other = httpx.URL(url)
    except httpx.InvalidURL:
        return
    port = other.port or {"http": 80, "https": 443}[other.scheme]
    assert (other.scheme, other.raw_host.decode(), port) == (
        origin.scheme,
        origin.host,
        origin.port,
    )


def written_host(origin: Origin, url: str) -> str:
    """The standard library leaves an IPv6 address as it was written."""
    return prefix_of(url).lower().partition("[")[2].partition("]")[0] or origin.host
