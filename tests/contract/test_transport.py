"""What every transport makes of servers that behave, misbehave, and die at each moment."""

from __future__ import annotations

import asyncio
import gzip
import socket

import pytest

from engine.clock import stopwatch
from engine.core.message import Request
from engine.wire.transport import Network
from tests.contract.wire_servers import (
    OK,
    TRANSPORTS,
    Behaviour,
    Connection,
    Kind,
    a_request,
    answering,
    assert_failed,
    hanging,
    keeping_alive,
    opened,
    resolving,
    run,
    serving,
)

pytestmark = pytest.mark.parametrize("kind", TRANSPORTS)

UNREACHABLE, BAD, TIMED_OUT = "call.unreachable", "call.bad_response", "call.timed_out"
CLOSED = "closed before an answer"
HALF = "closed in the middle of the answer"
NOT_HTTP = "the answer is not HTTP"


async def closing_on_accept(_: Connection) -> None: ...


async def resetting_on_accept(connection: Connection) -> None:
    connection.reset()


BOMB = gzip.compress(bytes(4 * 1024 * 1024))
MANY = b"".join(b"X-%d: y\r\n" % number for number in range(2000))

FAILURES: list[tuple[str, Behaviour, str, str]] = [
    ("closed on accept", closing_on_accept, UNREACHABLE, CLOSED),
    ("reset on accept", resetting_on_accept, UNREACHABLE, CLOSED),
    ("closed after the request was read", answering(b""), UNREACHABLE, CLOSED),
    ("reset after the request was read", answering(b"", then_reset=True), UNREACHABLE, CLOSED),
    ("half a status line", answering(b"HTTP/1."), UNREACHABLE, CLOSED),
    ("half of the headers", answering(b"HTTP/1.1 200 OK\r\nX: y\r\n"), UNREACHABLE, CLOSED),
    (
        "half a body",
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        UNREACHABLE,
        HALF,
    ),
    (
        "a chunk cut short",
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"),
        UNREACHABLE,
        HALF,
    ),
    (
        "no last chunk",
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        UNREACHABLE,
        HALF,
    ),
    (
        "a chunk without a size",
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf"),
        BAD,
        "the answer's body is not valid HTTP",
    ),
    ("garbage", answering(b"\x00\xff\x01 garbage\r\n\r\n"), BAD, NOT_HTTP),
    ("HTTP/0.9", answering(b"<html>hello</html>\r\n\r\n"), BAD, NOT_HTTP),
    ("a status below 100", answering(b"HTTP/1.1 099 No\r\n\r\n"), BAD, NOT_HTTP),
    (
        "two lengths",
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        BAD,
        NOT_HTTP,
    ),
    (
        "2,000 headers",
        answering(b"HTTP/1.1 200 OK\r\n" + MANY + b"\r\n"),
        BAD,
        "the answer's head is too large",
    ),
    (
        "a header of a megabyte",
        answering(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n"),
        BAD,
        "the answer's head is too large",
    ),
    (
        "another protocol",
        answering(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        BAD,
        "the server switched protocols (101)",
    ),
    (
        "a gzip bomb",
        answering(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB)
            + BOMB
        ),
        BAD,
        "the answer is compressed, unasked",
    ),
]


@pytest.mark.parametrize(
    ("behave", "code", "text"), [case[1:] for case in FAILURES], ids=[case[0] for case in FAILURES]
)
def test_a_broken_answer_is_a_failure_that_may_have_been_sent(
    kind: Kind, behave: Behaviour, code: str, text: str
) -> None:
    async def scenario() -> None:
        async with serving(behave) as server, opened(kind) as transport:
            answer = await transport.send(a_request(server.url()), 2.0)
            assert_failed(answer, code, text, sent=True)
            assert answer.stale_connection is False
            assert server.connections == 1

    run(kind, scenario())


def test_a_refused_connection_was_never_sent(kind: Kind) -> None:
    async def scenario() -> None:
        async with serving(hanging) as gone:
            pass
        async with opened(kind) as transport:
            answer = await transport.send(a_request(gone.url()), 2.0)
            assert_failed(answer, UNREACHABLE, "connection refused", sent=False)

    run(kind, scenario())


def test_a_refused_ipv6_connection_was_never_sent(kind: Kind) -> None:
    async def scenario() -> None:
        async with opened(kind) as transport:
            answer = await transport.send(a_request("http://[::1]:9/"), 2.0)
            assert answer.failure == UNREACHABLE
            assert answer.may_have_been_sent is False

    run(kind, scenario())


def test_a_connection_that_is_never_accepted_was_never_sent(kind: Kind) -> None:
    async def scenario() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            url = f"http://127.0.0.1:{full.getsockname()[1]}/"
            waiting = [socket.socket() for _ in range(4)]
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(full.getsockname())
            async with opened(kind) as transport:
                network = Network(connect_timeout_s=0.2)
                answer = await transport.send(a_request(url), 2.0, network=network)
                assert_failed(answer, UNREACHABLE, "no connection within 0.2 s", sent=False)
                # A deadline under the connect timeout must not blur 'never connected'.
                answer = await transport.send(a_request(url), 0.2)
                assert_failed(answer, UNREACHABLE, "no connection within 0.2 s", sent=False)
            for each in waiting:
                each.close()

    run(kind, scenario())


def test_a_server_that_never_answers_costs_the_deadline_and_no_more(kind: Kind) -> None:
    async def scenario() -> None:
        async with serving(hanging) as server, opened(kind) as transport:
            begun = stopwatch()
            answer = await transport.send(a_request(server.url()), 0.3)
            assert_failed(answer, TIMED_OUT, "no complete answer within 0.3 s", sent=True)
            assert 0.25 < stopwatch() - begun < 0.9
            assert 250_000 < answer.elapsed_us < 900_000

    run(kind, scenario())


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"])
def test_a_server_that_drips_costs_the_deadline_and_no_more(kind: Kind, head: bytes) -> None:
    async def drip(connection: Connection) -> None:
        await connection.request()
        await connection.write(head)
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100:
            await connection.write(bytes([byte]))
            await asyncio.sleep(0.02)

    async def scenario() -> None:
        async with serving(drip) as server, opened(kind) as transport:
            begun = stopwatch()
            answer = await transport.send(a_request(server.url()), 0.3)
            assert_failed(answer, TIMED_OUT, "no complete answer within 0.3 s", sent=True)
            assert stopwatch() - begun < 0.9

    run(kind, scenario())


async def answering_for_ever(connection: Connection) -> None:
    await connection.request()
    await connection.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await connection.write(b"10000\r\n" + bytes(65536) + b"\r\n")


@pytest.mark.parametrize(
    "behave",
    [
        answering_for_ever,
        keeping_alive(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + bytes(1001)),
    ],
    ids=["endless", "declared"],
)
def test_a_body_over_the_limit_is_not_read_on(kind: Kind, behave: Behaviour) -> None:
    async def scenario() -> None:
        async with serving(behave) as server, opened(kind) as transport:
            network = Network(max_response=1000)
            answer = await transport.send(a_request(server.url()), 2.0, network=network)
            assert_failed(answer, BAD, "the answer is over 1000 bytes", sent=True)

    run(kind, scenario())


def test_a_body_of_just_the_limit_is_an_answer(kind: Kind) -> None:
    async def scenario() -> None:
        data = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(1000)
        async with serving(keeping_alive(data)) as server, opened(kind) as transport:
            network = Network(max_response=1000)
            answer = await transport.send(a_request(server.url()), 2.0, network=network)
            assert (answer.status, answer.body) == (200, bytes(1000))

    run(kind, scenario())


ANSWERS = [
    ("plain", OK, 200, b"ok"),
    ("100 first", b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok"),
    ("103 first", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 200, b"ok"),
    ("no content", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    ("not modified", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
    ("not found", b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 404, b"no"),
    ("server error", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 503, b""),
    ("an unknown status", b"HTTP/1.1 799 Odd\r\nContent-Length: 0\r\n\r\n", 799, b""),
    ("ended by closing", b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nold", 200, b"old"),
    (
        "chunks",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        200,
        b"abc",
    ),
    (
        "identity",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
    ),
    (
        "letters beyond ASCII",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + "žluť".encode(),
        200,
        "žluť".encode(),
    ),
]


@pytest.mark.parametrize(
    ("data", "status", "body"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS]
)
def test_every_status_is_an_answer(kind: Kind, data: bytes, status: int, body: bytes) -> None:
    async def scenario() -> None:
        async with serving(answering(data)) as server, opened(kind) as transport:
            answer = await transport.send(a_request(server.url()), 2.0)
            assert (answer.failure, answer.status, answer.body) == (None, status, body)
            assert answer.elapsed_us > 0

    run(kind, scenario())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_never_followed(kind: Kind, status: int) -> None:
    async def scenario() -> None:
        async with serving(keeping_alive()) as other, opened(kind) as transport:
            head = f"HTTP/1.1 {status} Go\r\nLocation: {other.url()}\r\nContent-Length: 0\r\n\r\n"
            async with serving(keeping_alive(head.encode())) as server:
                answer = await transport.send(a_request(server.url()), 2.0)
            assert answer.status == status
            assert answer.headers["location"] == other.url()
            assert other.connections == 0

    run(kind, scenario())


def test_head_has_headers_and_no_body(kind: Kind) -> None:
    async def scenario() -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"
        async with serving(keeping_alive(head)) as server, opened(kind) as transport:
            answer = await transport.send(a_request(server.url(), "HEAD", b""), 2.0)
            assert (answer.status, answer.body) == (200, b"")
            assert answer.headers == {"content-length": "99999999"}

    run(kind, scenario())


def test_names_are_lower_case_and_the_first_value_stands(kind: Kind) -> None:
    async def scenario() -> None:
        data = (
            b"HTTP/1.1 200 OK\r\nX-Twice: first\r\nx-twice: second\r\nX-Odd: caf\xe9\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        async with serving(keeping_alive(data)) as server, opened(kind) as transport:
            answer = await transport.send(a_request(server.url()), 2.0)
            assert answer.status == 200
            assert answer.headers["x-twice"] == "first"
            assert answer.headers["content-length"] == "0"

    run(kind, scenario())


def test_one_connection_serves_one_call_after_another(kind: Kind) -> None:
    async def scenario() -> None:
        async with serving(keeping_alive()) as server, opened(kind) as transport:
            for _ in range(10):
                assert (await transport.send(a_request(server.url()), 2.0)).status == 200
            assert (server.connections, len(server.seen)) == (1, 10)

    run(kind, scenario())


def test_a_connection_the_server_ends_is_not_used_again(kind: Kind) -> None:
    async def scenario() -> None:
        data = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
        async with serving(answering(data)) as server, opened(kind) as transport:
            for _ in range(3):
                assert (await transport.send(a_request(server.url()), 2.0)).status == 200
            assert server.connections == 3

    run(kind, scenario())


def test_a_reused_connection_that_ends_behind_the_request_is_a_failure_like_any(kind: Kind) -> None:
    """Its server has the request: made again behind everybody's back, it would be there twice."""

    async def once(connection: Connection) -> None:
        await connection.request()
        await connection.write(OK)
        await connection.request()

    async def scenario() -> None:
        async with serving(once) as server, opened(kind) as transport:
            for _ in range(20):
                assert (await transport.send(a_request(server.url()), 2.0)).status == 200
                answer = await transport.send(a_request(server.url()), 2.0)
                assert_failed(answer, UNREACHABLE, CLOSED, sent=True)
                assert answer.stale_connection is False
            assert len(server.seen) == 40

    run(kind, scenario())


def test_a_reused_connection_that_had_ended_before_the_request_is_told_apart(kind: Kind) -> None:
    """The keep-alive race: whoever may repeat the request does so at once."""

    async def silent(connection: Connection) -> None:
        await connection.request()
        await connection.write(OK)

    async def scenario() -> None:
        async with serving(silent) as server, opened(kind) as transport:
            stale = 0
            for _ in range(200):
                answer = await transport.send(a_request(server.url()), 2.0)
                if answer.failure is not None:
                    assert_failed(answer, UNREACHABLE, CLOSED, sent=True)
                    assert answer.stale_connection is True
                    stale += 1
            assert len(server.seen) == 200 - stale

    run(kind, scenario())


def test_what_is_sent_anew_takes_no_kept_connection(kind: Kind) -> None:
    async def scenario() -> None:
        async with serving(keeping_alive()) as server, opened(kind) as transport:
            for anew in (False, True, False):
                answer = await transport.send(a_request(server.url()), 2.0, anew=anew)
                assert answer.status == 200
            assert server.connections == 2

    run(kind, scenario())


def test_a_large_body_arrives_whole(kind: Kind) -> None:
    async def scenario() -> None:
        body = bytes(range(256)) * 4096
        async with serving(keeping_alive()) as server, opened(kind) as transport:
            assert (await transport.send(a_request(server.url(), body=body), 2.0)).status == 200
            assert server.seen[0].endswith(b"\r\n\r\n" + body)

    run(kind, scenario())


def test_an_answer_before_the_body_was_read_is_an_answer(kind: Kind) -> None:
    async def early(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        await connection.write(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n")
        while await connection.reader.read(65536):
            pass

    async def scenario() -> None:
        async with serving(early) as server, opened(kind) as transport:
            answer = await transport.send(a_request(server.url(), body=bytes(4_000_000)), 2.0)
            assert answer.status == 413

    run(kind, scenario())


def test_a_hundred_calls_at_once_get_each_its_own_answer(kind: Kind) -> None:
    async def echo(connection: Connection) -> None:
        while True:
            body = (await connection.request()).partition(b"\r\n\r\n")[2]
            await connection.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )

    async def scenario() -> None:
        async with serving(echo) as server, opened(kind) as transport:
            bodies = [b"call %d" % number for number in range(100)]
            calls = (transport.send(a_request(server.url(), body=body), 3.0) for body in bodies)
            assert [answer.body for answer in await asyncio.gather(*calls)] == bodies

    run(kind, scenario())


def test_what_is_sent_is_what_was_asked_and_nothing_personal(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    async def scenario() -> None:
        data = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
        async with serving(keeping_alive(data)) as server, opened(kind) as transport:
            request = Request("PUT", server.url(), (("x-one", "1"), ("x-one", "2")), b"body")
            for _ in range(2):
                await transport.send(request, 2.0)
            first, second = server.seen
            assert first == second
            head, _, body = first.partition(b"\r\n\r\n")
            line, *fields = head.lower().split(b"\r\n")
            assert line.startswith(b"put /path-")
            assert body == b"body"
            assert sorted(fields) == sorted(
                [
                    b"x-one: 1",
                    b"x-one: 2",
                    b"content-length: 4",
                    b"host: 127.0.0.1:%d" % server.port,
                    b"accept: */*",
                    b"accept-encoding: identity",
                    b"user-agent: journey-engine",
                ]
            )

    run(kind, scenario())


@pytest.mark.parametrize(("method", "declared"), [("POST", True), ("PATCH", True), ("GET", False)])
def test_a_post_without_a_body_says_so(kind: Kind, method: str, declared: bool) -> None:
    async def scenario() -> None:
        async with serving(keeping_alive()) as server, opened(kind) as transport:
            await transport.send(a_request(server.url(), method, b""), 2.0)
            assert (b"content-length: 0\r\n" in server.seen[0].lower()) is declared

    run(kind, scenario())


def test_a_url_beyond_ascii_is_percent_encoded_utf_8(kind: Kind) -> None:
    async def scenario() -> None:
        async with serving(keeping_alive()) as server, opened(kind) as transport:
            await transport.send(Request("GET", f"http://127.0.0.1:{server.port}/ž?q=ů"), 2.0)
            assert server.seen[0].startswith(b"GET /%C5%BE?q=%C5%AF HTTP/1.1\r\n")

    run(kind, scenario())


UNSENDABLE = [
    Request("POST", "", (("x-a", "b\r\nx-evil: 1"),)),
    Request("POST", "", (("x-a", "b\nx-evil: 1"),)),
    Request("POST", "", (("x-a", "b\x00"),)),
    Request("POST", "", (("x-a", "žluť"),)),
    Request("POST", "", (("x-a\r\nx-evil", "b"),)),
    Request("POST", "", (("x a", "b"),)),
    Request("POST", "", (("X-Upper", "b"),)),
    Request("POST", "", (("", "b"),)),
    Request("POST", "", (("content-length", "3"),)),
    Request("POST", "", (("transfer-encoding", "chunked"),)),
    Request("POST", "", (("host", "elsewhere.example"),)),
    Request("POST", "", (("accept-encoding", "gzip"),)),
    Request("POST", "", (("x-a", "b\ud800"),)),
    Request("POST\r\nx-evil: 1", ""),
    Request("CONNECT", ""),
    Request("post", ""),
]


@pytest.mark.parametrize("wrong", UNSENDABLE, ids=lambda wrong: repr((wrong.method, wrong.headers)))
def test_what_could_split_a_request_never_gets_out(kind: Kind, wrong: Request) -> None:
    async def scenario() -> None:
        async with serving(keeping_alive()) as server, opened(kind) as transport:
            request = Request(wrong.method, server.url(), wrong.headers)
            answer = await transport.send(request, 2.0)
            assert answer.failure == "call.unfillable"
            assert answer.may_have_been_sent is False
            assert "\r" not in answer.text
            assert "evil" not in answer.text
            assert server.connections == 0

    run(kind, scenario())


def test_the_next_address_is_tried_where_nothing_was_sent(kind: Kind) -> None:
    async def scenario() -> None:
        lookup = resolving(service="127.0.0.2 127.0.0.1")
        async with serving(keeping_alive()) as server, opened(kind, lookup=lookup) as transport:
            for _ in range(3):
                answer = await transport.send(a_request(server.url("service.test")), 2.0)
                assert answer.status == 200
            assert server.connections == 1

    run(kind, scenario())


def test_a_service_down_at_every_address_was_never_sent(kind: Kind) -> None:
    async def scenario() -> None:
        async with serving(hanging) as gone:
            pass
        async with opened(kind, lookup=resolving(service="127.0.0.2 127.0.0.3")) as transport:
            request = a_request(gone.url("service.test"))
            answers = await asyncio.gather(*(transport.send(request, 2.0) for _ in range(50)))
            for answer in answers:
                assert_failed(answer, UNREACHABLE, "connection refused", sent=False)

    run(kind, scenario())


def test_a_closed_transport_sends_nothing(kind: Kind) -> None:
    async def scenario() -> None:
        async with serving(keeping_alive()) as server, opened(kind) as transport:
            await transport.send(a_request(server.url()), 2.0)
            await transport.close()
            answer = await transport.send(a_request(server.url()), 2.0)
            assert_failed(answer, UNREACHABLE, "the transport is closed", sent=False)
            assert len(server.seen) == 1

    run(kind, scenario())


def test_closing_ends_the_calls_in_flight(kind: Kind) -> None:
    async def scenario() -> None:
        async with serving(hanging) as server, opened(kind) as transport:
            call = asyncio.create_task(transport.send(a_request(server.url()), 3.0))
            await server.arrived.wait()
            await transport.close()
            answer = await call
            assert answer.failure == UNREACHABLE
            assert answer.may_have_been_sent is True

    run(kind, scenario())


def test_cancelling_passes_through(kind: Kind) -> None:
    async def scenario() -> None:
        async with serving(hanging) as server, opened(kind) as transport:
            call = asyncio.create_task(transport.send(a_request(server.url()), 3.0))
            await server.arrived.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    run(kind, scenario())
