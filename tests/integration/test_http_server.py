"""The server itself: hosts, headers, health, bounds in time and size, its end."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from engine.api import connection
from engine.api.asgi import Receive, Scope, Send, send_answer
from engine.errors import OperatorError
from engine.operations.store import Finding
from engine.processes.duties import Post
from tests.integration.serving import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served"), trusted_hosts="journeys.example") as served:
        yield served


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    served.health.clear()
    served.ending = False
    with served.client() as client:
        yield client


def test_every_answer_has_an_id_and_the_headers_that_browsers_heed(client: httpx.Client) -> None:
    for path in ("/healthz", "/nowhere"):
        answer = client.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-request-id"]
        assert "server" not in answer.headers
    assert client.get("/", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    forged = client.get("/", headers={"x-request-id": "no spaces"}).headers["x-request-id"]
    assert forged != "no spaces"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost:x", ""])
def test_a_request_that_calls_another_name_is_refused(client: httpx.Client, host: str) -> None:
    answer = client.get("/nowhere", headers={"host": host})
    assert answer.status_code == 400
    assert "JOURNEY_TRUSTED_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "[::1]:1", "journeys.example:443"])
def test_a_request_that_calls_ours_is_served(client: httpx.Client, host: str) -> None:
    assert client.get("/nowhere", headers={"host": host}).status_code == 404


def test_health_is_told_to_whoever_asks_by_any_name(served: Served, client: httpx.Client) -> None:
    served.health[:] = [Finding("worker", "ok", "runs")]
    answer = client.get("/healthz", headers={"host": "10.0.0.7"})
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    served.health[:] = [Finding("worker", "wrong", "its thread died"), Finding("x", "ok", "")]
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["parts"] == [
        {"part": "worker", "state": "wrong"},
        {"part": "x", "state": "ok"},
    ]


def test_a_process_that_ends_is_not_ready(served: Served, client: httpx.Client) -> None:
    assert client.get("/readyz").status_code == 200
    served.ending = True
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_figures_are_told_to_a_token_that_may_read(served: Served, client: httpx.Client) -> None:
    assert client.get("/metrics").status_code == 401
    served.health[:] = [Finding("worker", "ok", "runs")]
    with served.client("admin") as admin:
        text = admin.get("/metrics").text
    assert 'journey_http_requests_total{route="/healthz",status="200"}' in text
    assert 'journey_health{part="worker"} 1.0' in text


def test_the_access_log_holds_neither_query_nor_path_nor_token(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "engine.api.guard"):
        client.get("/nowhere/canary-1?q=canary-2", headers={"authorization": "Bearer canary-3"})
        client.get("/nowhere")  # the line of a request is written behind its answer
    assert "404" in caplog.text
    assert "canary" not in caplog.text


def _connect(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=20)


def _answered(open_: socket.socket) -> bytes:
    """What comes until the other side hangs up."""
    found = b""
    try:
        while chunk := open_.recv(65_536):
            found += chunk
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTT",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: y",
        b"POST /v1/track HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{",
    ],
    ids=["nothing", "a line's half", "headers' half", "a body's half"],
)
def test_whoever_sends_a_piece_and_then_nothing_is_hung_up_on(
    served: Served, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connection, "HEAD_S", 0.2)
    monkeypatch.setattr(connection, "BODY_S", 0.2)
    with _connect(served) as open_:
        open_.sendall(sent)
        _answered(open_)  # ends


def test_whoever_drips_headers_is_hung_up_on(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_S", 0.3)
    with _connect(served) as open_:
        open_.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n")
        began = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - began < 15:
                open_.sendall(b"x: y\r\n")
                time.sleep(0.05)
        assert time.monotonic() - began < 15


def test_headers_without_end_are_refused(served: Served) -> None:
    for sent in (b"x: " + b"y" * 100_000, b"".join(b"x%d: y\r\n" % n for n in range(20_000))):
        with _connect(served) as open_:
            open_.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n")
            try:
                for start in range(0, len(sent), 8_192):
                    open_.sendall(sent[start : start + 8_192])
                    time.sleep(0.001)
            except OSError:
                pass
            else:
                assert b" 431 " in _answered(open_)[:20]


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /v1/track HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{", b"whole"],
    ids=["nothing", "half a request", "a request, and then nothing"],
)
def test_whoever_keeps_many_connections_keeps_nobody_out(
    served: Served, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connection, "MOST", 8)
    whole = sent == b"whole"
    with ExitStack() as stack:
        for _ in range(20):
            open_ = stack.enter_context(_connect(served))
            open_.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n" if whole else sent)
            if whole:
                assert open_.recv(15) == b"HTTP/1.1 200 OK"
        for _ in range(3):
            with served.client() as client:
                assert client.get("/healthz").status_code == 200


def test_what_is_not_http_is_answered_400_without_repeating_it(served: Served) -> None:
    with _connect(served) as open_:
        open_.sendall(b"canary \x00 nonsense\r\n\r\n")
        answer = _answered(open_)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"canary" not in answer


@pytest.mark.parametrize("at", [None, 90], ids=["whole", "in pieces"])
def test_an_offer_of_http_2_takes_nothing_of_a_request(served: Served, at: int | None) -> None:
    """As Java's client and `curl --http2` make it with their first request."""
    head = (
        b"POST /v1/track HTTP/1.1\r\nhost: localhost\r\n"
        b"authorization: Bearer %s\r\ncontent-length: %d\r\n"
        b"connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    )
    body = b'{"userId": "ada", "event": "x"}'
    sent = head % (served.token("user_data", f"offers{at}").encode(), len(body)) + body
    last = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    with _connect(served) as open_:
        open_.sendall(sent[:at])
        if at is not None:
            time.sleep(0.05)
            open_.sendall(sent[at:])
        open_.sendall(last)
        answer = _answered(open_)
    assert b'{"success":true}' in answer, answer
    assert answer.count(b"HTTP/1.1 200 ") == 2


def test_an_offer_is_taken_for_none_wherever_its_bytes_are_parted(served: Served) -> None:
    token = served.token("user_data", "parted").encode()
    body = b'{"userId": "ada", "event": "x"}'
    sent = (
        b"POST /v1/track HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\n"
        b"content-length: %d\r\nconnection: Upgrade\r\nUpgrade: h2c\r\n\r\n%s"
    ) % (token, len(body), body)
    last = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    with _connect(served) as open_:
        open_.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for each in sent:
            open_.sendall(bytes([each]))
            time.sleep(0.0005)
        open_.sendall(sent + last)  # and one that isn't the first in its piece
        answer = _answered(open_)
    assert answer.count(b'{"success":true}') == 2, answer
    assert answer.count(b"HTTP/1.1 200 ") == 3


def test_fields_behind_a_body_are_none_of_its_head(served: Served) -> None:
    token = served.token("user_data", "trailers").encode()
    body = b'{"userId": "ada", "event": "x"}'
    sent = (
        b"POST /v1/track HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\n"
        b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n%x\r\n%s\r\n0\r\n"
        b"host: elsewhere\r\nauthorization: Bearer other\r\n\r\n"
    ) % (token, len(body), body)
    with _connect(served) as open_:
        open_.sendall(sent)
        assert b'{"success":true}' in _answered(open_)


@pytest.mark.parametrize("beside", [b"1;" + b"e" * 65_536, b"0\r\nx: " + b"v" * 65_536])
def test_what_stands_beside_a_body_is_bounded_as_a_head_is(served: Served, beside: bytes) -> None:
    head = b"POST /v1/track HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
    with _connect(served) as open_:
        open_.sendall(head)
        assert b"HTTP/1.1 401 " in open_.recv(65_536)
        with suppress(OSError):
            for _ in range(100):
                open_.sendall(beside)
                beside = beside[-65_536:]
                time.sleep(0.001)
        open_.settimeout(5)
        with suppress(ConnectionError):  # what it sent meanwhile is never read
            while open_.recv(65_536):
                pass


def test_a_head_that_comes_at_once_is_bounded_too(served: Served) -> None:
    sent = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: " + b"v" * 40_000 + b"\r\n\r\n"
    with _connect(served) as open_:
        open_.sendall(sent)
        assert b"HTTP/1.1 431 " in _answered(open_)


def test_whoever_says_that_he_sends_no_more_is_still_answered(served: Served) -> None:
    head = (
        b"POST /v1/track HTTP/1.1\r\nhost: localhost\r\n"
        b"authorization: Bearer %s\r\ncontent-length: 30\r\n\r\n"
    ) % served.token("user_data", "ends").encode()
    whole = head + b'{"userId": "ada", "event":"x"}'
    with _connect(served) as open_:
        open_.sendall(whole + whole)
        open_.shutdown(socket.SHUT_WR)
        assert _answered(open_).count(b'{"success":true}') == 2
    with _connect(served) as open_:
        open_.sendall(whole[:-1])
        open_.shutdown(socket.SHUT_WR)
        assert _answered(open_) == b""


def test_two_hosts_in_one_request_are_refused(served: Served) -> None:
    with _connect(served) as open_:
        open_.sendall(
            b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n"
            b"connection: close\r\n\r\n"
        )
        assert _answered(open_).startswith(b"HTTP/1.1 400 ")


def test_a_port_that_is_taken_is_said_in_one_line(served: Served, tmp_path: object) -> None:
    from engine.api.server import _listen

    with pytest.raises(OperatorError, match="JOURNEY_PORT"):
        _listen("127.0.0.1", served.port)


class Welcoming:
    """Pages of a process that is reached at ``url``."""

    def __init__(self, url: str) -> None:
        self.greeting = f"pages: {url}/welcome"

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send_answer(send, b"welcome", b"text/plain")


@asynccontextmanager
async def welcoming(_post: Post, _health: object, url: str) -> AsyncIterator[Welcoming]:
    yield Welcoming(url)


def test_pages_are_told_of_when_they_are_reached_and_serve_what_is_left(tmp_path: Path) -> None:
    with serving(tmp_path, pages=welcoming) as served, served.client() as client:
        assert served.said == [f"pages: {served.url}/welcome", f"HTTP API: {served.url}"]
        assert client.get("/welcome").text == "welcome"
        answer = client.post("/v1/tracks", json={})  # SDKs read no pages
        assert (answer.status_code, answer.json()["code"]) == (404, "request.not_found")


def test_requests_that_were_begun_are_served_before_the_end(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    answers: list[int] = []
    with serving(tmp_path_factory.mktemp("ended")) as served:
        token, body = served.token("user_data"), b'{"userId": "ada", "event": "hello"}'
        head = (
            f"POST /v1/track HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        open_ = _connect(served)
        open_.sendall(head.encode() + body[:10])

        def finish() -> None:
            time.sleep(0.3)
            open_.sendall(body[10:])
            answers.append(int(_answered(open_).split(b" ")[1]))

        thread = threading.Thread(target=finish)
        thread.start()
    thread.join()
    open_.close()
    assert answers == [200]


def test_a_large_body_that_comes_at_once_is_no_head(served: Served) -> None:
    body = b"[" * 200_000
    head = b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body)
    with _connect(served) as open_:
        for _ in range(2):
            open_.sendall(head + body)
            answer = b""
            while b"\r\n\r\n{" not in answer:
                answer += open_.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 404 ")
