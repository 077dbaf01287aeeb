"""What is written is one request: its line, its headers in order, and nothing that splits it."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.message import Request
from engine.errors import CallFailure
from engine.wire.http_request import authority_of, write_head
from engine.wire.origin import origin_of, prefix_of
from engine.wire.transport import OWNED_HEADERS


def head(request: Request) -> bytes:
    return write_head(request, prefix_of(request.url), authority_of(origin_of(request.url)))


def test_a_head_is_line_host_headers_in_order_and_length() -> None:
    request = Request("POST", "http://a.test/x?y=1", (("x-b", "2"), ("x-a", "1")), b"body")
    assert head(request) == (
        b"POST /x?y=1 HTTP/1.1\r\nhost: a.test\r\nx-b: 2\r\nx-a: 1\r\naccept: */*\r\n"
        b"user-agent: journey-engine\r\naccept-encoding: identity\r\ncontent-length: 4\r\n\r\n"
    )


def test_what_is_given_takes_the_place_of_what_is_usual() -> None:
    given = (("accept", "application/json"), ("user-agent", "us"))
    written = head(Request("GET", "http://a.test/", given))
    assert (written.count(b"accept: "), written.count(b"user-agent: ")) == (1, 1)
    assert b"accept: application/json\r\nuser-agent: us\r\n" in written


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://a.test", b"/"),
        ("http://a.test?q", b"/?q"),
        ("http://a.test/a/../b//c;d=e", b"/a/../b//c;d=e"),
        ("http://a.test/%2F%zz", b"/%2F%zz"),
        ("http://a.test/ž?q=ů", b"/%C5%BE?q=%C5%AF"),
        ('http://a.test/"<>^`{}', b"/%22%3C%3E%5E%60%7B%7D"),
    ],
)
def test_a_target_stays_as_written_but_for_what_it_cannot_hold(url: str, target: bytes) -> None:
    assert head(Request("GET", url)).startswith(b"GET " + target + b" HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://A.test:80/", "a.test"),
        ("https://a.test:443/", "a.test"),
        ("https://a.test:80/", "a.test:80"),
        ("http://[::1]:8080/", "[::1]:8080"),
        ("http://[::1]/", "[::1]"),
    ],
)
def test_the_port_is_named_where_it_is_not_the_schemes_own(url: str, authority: str) -> None:
    assert authority_of(origin_of(url)) == authority


def test_a_url_with_half_a_character_cannot_be_written() -> None:
    with pytest.raises(CallFailure) as raised:
        head(Request("GET", "http://a.test/\ud800"))
    assert raised.value.code == "call.unfillable"


@pytest.mark.parametrize("rest", ["/a b", "/a\r\nx: y", "/a#b", "/a\\b", "/\x7f"])
def test_a_prefix_that_was_checked_says_nothing_about_the_rest(rest: str) -> None:
    with pytest.raises(CallFailure) as raised:
        write_head(Request("GET", "http://a.test" + rest), "http://a.test", "a.test")
    assert raised.value.code == "call.blocked"


names = st.from_regex(r"[!#$%&'*+.^_`|~0-9a-z-]{1,9}", fullmatch=True).filter(
    lambda name: name not in OWNED_HEADERS
)
values = st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.just("\t"), max_size=9)


@given(
    st.lists(st.tuples(names, values), max_size=6),
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.binary(max_size=20),
)
def test_a_server_reads_exactly_what_was_asked(
    headers: list[tuple[str, str]], path: str, body: bytes
) -> None:
    request = Request("POST", "http://a.test/" + path, tuple(headers), body)
    try:
        written = head(request)
    except CallFailure as refused:
        assert refused.code == "call.blocked"
        return
    server = Server()
    server.parser.feed_data(written + body)
    assert server.complete == 1
    assert server.body == body
    seen = [(name.decode(), value.decode().strip(" \t")) for name, value in server.headers]
    sent = [(name, value.strip(" \t")) for name, value in headers]
    assert [pair for pair in seen[1:] if pair in sent][: len(sent)] == sent
    assert len(seen) == 3 + len(sent) + sum(
        name not in dict(sent) for name in ("accept", "user-agent")
    )


class Server:
    """Another parser's view of what was written."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete += 1
