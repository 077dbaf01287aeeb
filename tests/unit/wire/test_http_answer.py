"""An answer is read the same however its bytes arrive, and nothing of it reaches the next one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.wire.http_answer import MAX_FIELDS, MAX_HEAD, AnswerReader, Refused

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def reading(*, bodyless: bool = False, limit: int = 1000) -> AnswerReader:
    reader = AnswerReader()
    reader.expect(bodyless=bodyless, limit=limit)
    return reader


def test_an_answer_is_its_status_headers_and_body() -> None:
    reader = reading()
    assert reader.feed(OK) is True
    assert (reader.status, reader.headers, reader.body) == (200, {"content-length": "2"}, b"ok")
    assert reader.reusable is True


def test_space_around_a_value_is_not_part_of_it() -> None:
    reader = reading()
    assert reader.feed(b"HTTP/1.1 204 No\r\nX-A: \t b c \t \r\nX-B:\r\n\r\n")
    assert reader.headers == {"x-a": "b c", "x-b": ""}


def test_trailers_are_not_taken_for_this_answer_or_the_next() -> None:
    reader = reading()
    assert reader.feed(CHUNKED + b"2\r\nok\r\n0\r\nX-Trailer: evil\r\n\r\n")
    assert reader.headers == {"transfer-encoding": "chunked"}
    assert reader.reusable is True
    reader.expect(bodyless=False, limit=1000)
    assert reader.feed(OK)
    assert reader.headers == {"content-length": "2"}


def test_an_interim_answers_headers_are_not_the_answers() -> None:
    reader = reading()
    assert reader.feed(b"HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n") is False
    assert reader.feed(OK) is True
    assert reader.headers == {"content-length": "2"}


@pytest.mark.parametrize("more", [b"x", OK, OK[:9], b"HTTP/1.1 100 Continue\r\n\r\n", b"\x00"])
def test_an_answer_with_more_behind_it_stands_and_ends_the_connection(more: bytes) -> None:
    reader = reading()
    assert reader.feed(OK + more) is True
    assert (reader.status, reader.body) == (200, b"ok")
    assert reader.reusable is False


@pytest.mark.parametrize("more", [b"", b"body", OK])
def test_head_ends_with_the_head_and_whatever_follows_ends_the_connection(more: bytes) -> None:
    reader = reading(bodyless=True)
    assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + more) is True
    assert reader.body == b""
    assert reader.reusable is (more == b"")
    if reader.reusable:
        reader.expect(bodyless=False, limit=1000)
        assert reader.feed(OK) is True
        assert reader.body == b"ok"


@pytest.mark.parametrize(
    ("head", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, close\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n", True),
        (b"HTTP/1.1 204 No\r\n", True),
        (b"HTTP/1.1 304 No\r\nContent-Length: 5000\r\n", True),
    ],
)
def test_the_server_says_whether_its_connection_goes_on(head: bytes, reusable: bool) -> None:
    reader = reading()
    assert reader.feed(head + b"\r\n") is True
    assert reader.reusable is reusable


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "the answer is not HTTP"),
        (b"\r\n" + OK, "the answer is not HTTP"),
        (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/2.0 200 OK\r\nConnection: keep-alive\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "the answer is not HTTP"),
        *(
            (b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\nok", "the answer is not HTTP")
            for head in (
                b"Content-Length: 2, 2",
                b"Content-Length: 2\r\nContent-Length: 2",
                b"Content-Length: 2\r\nContent-Length: 3",
                b"Content-Length: +2",
                b"Content-Length: 0x2",
                b"Content-Length: 2 2",
                b"Content-Length: \xb2",
                b"Content-Length: 18446744073709551618",
                b"Content-Length:",
                b"Content-Length : 2",
                b" Content-Length: 2",
                b"Transfer-Encoding : chunked",
                b"Transfer-Encoding: \x0bchunked",
                b"Transfer-Encoding:\r\n chunked",
                b"Transfer-Encoding:\r\nContent-Length: 2",
                b"X: a\nContent-Length: 2",
                b"X: a\rContent-Length: 2",
                b"X: a\r\r\nContent-Length: 2",
                b"X: a\x00b\r\nContent-Length: 2",
                b"X Y: 1\r\nContent-Length: 2",
                b"No colon\r\nContent-Length: 2",
                b"Content-Length: 2\r\n\nok",
            )
        ),
        *(
            (line + b"\r\nContent-Length: 2\r\n\r\nok", "the answer is not HTTP")
            for line in (
                b"HTTP/1.1 20 OK",
                b"HTTP/1.1 2000 OK",
                b"HTTP/1.1 099 OK",
                b"HTTP/1.1 -200 OK",
                b"HTTP/1.1  200 OK",
                b"HTTP/1.10 200 OK",
                b"HTTP/1.1 200 O\rK",
            )
        ),
        *(
            (CHUNKED + body, "the answer's body is not valid HTTP")
            for body in (
                b" 2\r\nok\r\n0\r\n\r\n",
                b"2 \r\nok\r\n0\r\n\r\n",
                b"0x2\r\nok\r\n0\r\n\r\n",
                b"+2\r\nok\r\n0\r\n\r\n",
                b"2\nok\r\n0\r\n\r\n",
                b"2\r\nok\n0\r\n\r\n",
                b"2\r\nok\r\n0\n\r\n",
                b"2\r\nok0\r\n\r\n",
                b"2;a\x00\r\nok\r\n0\r\n\r\n",
                b'2;a="\r\n"\r\nok\r\n0\r\n\r\n',
                b"2\r\nok\r\n0\r\nContent-Length: 9\r\n\r\n",
                b"2\r\nok\r\n0\r\nX: a\nY: b\r\n\r\n",
            )
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            "the answer is not HTTP",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
            "the answer is not HTTP",
        ),
        *(
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + coding + b"\r\n\r\n2\r\nok",
                "the answer's body is not valid HTTP",
            )
            for coding in (
                b"gzip, chunked",
                b"identity",
                b"chunked\r\nTransfer-Encoding: identity",
                b"chunked\r\nTransfer-Encoding: chunked",
                b"\xe9",
            )
        ),
        (
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok",
            "the answer's body is not valid HTTP",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: \xe9\r\nContent-Length: 0\r\n\r\n",
            "the answer is compressed, unasked",
        ),
        (CHUNKED + b"2;x\ny\r\nok", "the answer's body is not valid HTTP"),
        (CHUNKED + b"2\r\nokk", "the answer's body is not valid HTTP"),
        (CHUNKED + b"-2\r\nok", "the answer's body is not valid HTTP"),
        (CHUNKED + b"fffffffffffffffff\r\n", "the answer's body is not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", "the answer is over 1000 bytes"),
        (CHUNKED + b"3e9\r\n" + bytes(1001), "the answer is over 1000 bytes"),
        (b"HTTP/1.1 101 Up\r\n\r\n", "the server switched protocols (101)"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(Refused) as refused:
        reading().feed(data)
    assert str(refused.value) == why


def endless(reader: AnswerReader, start: bytes, more: bytes) -> int:
    """How many bytes it takes until they are refused."""
    reader.feed(start)
    for fed in range(0, 10 * MAX_HEAD, len(more)):
        try:
            assert reader.feed(more) is False
        except Refused:
            return fed
    raise AssertionError("never refused")


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 50),
        (b"HTTP/1.1 200 ", b"O" * 50),
        (b"HTTP/1.1 100 Go\r\n\r\n", b"HTTP/1.1 100 Go\r\n\r\n"),
        (CHUNKED, b"0" * 16),
        (CHUNKED + b"1;", b"y" * 50),
        (CHUNKED + b"1\r\nx\r\n0\r\nX: ", b"y" * 50),
        (CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n"),
    ],
    ids=["header", "reason", "interim", "size", "extension", "trailer", "trailers"],
)
def test_what_never_ends_is_not_read_for_ever(start: bytes, more: bytes) -> None:
    assert endless(reading(), start, more) <= MAX_HEAD + len(more)


@pytest.mark.parametrize("fields", [MAX_FIELDS, MAX_FIELDS + 1])
def test_the_number_of_header_fields_is_bounded(fields: int) -> None:
    data = b"HTTP/1.1 204 No\r\n" + b"x: y\r\n" * fields + b"\r\n"
    if fields == MAX_FIELDS:
        assert reading().feed(data) is True
    else:
        with pytest.raises(Refused, match="head is too large"):
            reading().feed(data)


@pytest.mark.parametrize("fields", [MAX_FIELDS, MAX_FIELDS + 1])
def test_the_number_of_trailer_fields_is_bounded(fields: int) -> None:
    data = CHUNKED + b"2\r\nok\r\n0\r\n" + b"x: y\r\n" * fields + b"\r\n"
    if fields == MAX_FIELDS:
        assert reading().feed(data) is True
    else:
        with pytest.raises(Refused, match="head is too large"):
            reading().feed(data)


@pytest.mark.parametrize(("size", "taken"), [(MAX_HEAD - 1, True), (MAX_HEAD, False)])
def test_a_head_is_bounded_also_if_it_comes_at_once(size: int, taken: bool) -> None:
    data = b"HTTP/1.1 204 No\r\nx:" + b"y" * size + b"\r\n\r\n"
    if taken:
        assert reading().feed(data) is True
    else:
        with pytest.raises(Refused, match="head is too large"):
            reading().feed(data)


def outcome(pieces: list[bytes], bodyless: bool) -> object:
    """What these pieces are: an answer, a refusal, or not all of it yet."""
    reader = reading(bodyless=bodyless, limit=20)
    for piece in pieces:
        try:
            if reader.feed(piece):
                return reader.status, reader.headers, reader.body
        except Refused as refused:
            return str(refused)
    return (reader.status, reader.headers, reader.body) if reader.end() else "unfinished"


heads = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 204 No\r\n",
        b"HTTP/1.0 500 \r\n",
        b"HTTP/1.1 100 C\r\n",
    ]
)
fields = st.sampled_from(
    [
        b"Content-Length: 3\r\n",
        b"Content-Length: 30\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"transfer-encoding: x\r\n",
        b"Connection: close\r\n",
        b"Content-Encoding: gzip\r\n",
        b"X-A: b\r\n",
        b"x-a:\t c \r\n",
        b"X-A: \xff\r\n",
        b"\x00: 1\r\n",
    ]
)
bodies = st.sampled_from(
    [b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"1;e\r\na\r\n0\r\nT: u\r\n\r\n", b"z\r\n", b"a" * 40, b""]
)
answers = st.builds(
    lambda interim, head, these, body: interim + head + b"".join(these) + b"\r\n" + body,
    st.sampled_from([b"", b"HTTP/1.1 103 E\r\nL: m\r\n\r\n"]),
    heads,
    st.lists(fields, max_size=4),
    bodies,
)
texts = st.one_of(answers, st.binary(max_size=60), st.builds(bytes.__add__, answers, st.binary()))


@given(texts, st.data(), st.booleans())
def test_where_the_bytes_are_cut_makes_no_difference(
    data: bytes, draw: st.DataObject, bodyless: bool
) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if data[a:b]]
    assert outcome(pieces, bodyless) == outcome([data] if data else [], bodyless)
