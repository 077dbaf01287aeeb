"""Servers that refuse a large request early and close: what they said is an answer."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.wire.transport import Network
from tests.contract.test_transport_tls import AUTHORITY
from tests.contract.wire_servers import TRANSPORTS, Kind, a_request, opened, run

REFUSAL = b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
TRIES = 20


def _refuse(accepted: socket.socket, tls: ssl.SSLContext | None) -> None:
    """Answer as soon as the head is there; what is still coming is met with a reset."""
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = tls.wrap_socket(accepted, server_side=True) if tls else accepted
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(4096)
    connection.sendall(REFUSAL)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextlib.contextmanager
def refusing(tls: ssl.SSLContext | None) -> Iterator[str]:
    """Such a server in a thread of its own: it doesn't wait until the client has written."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = listening.accept()
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    _refuse(accepted, tls)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        scheme = "https" if tls else "http"
        yield f"{scheme}://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@pytest.mark.parametrize("kind", TRANSPORTS)
@pytest.mark.parametrize(("secured", "most_lost"), [(False, 5), (True, 15)], ids=["plain", "tls"])
def test_an_early_refusal_is_read_though_the_request_is_met_with_a_reset(
    kind: Kind, secured: bool, most_lost: int, tmp_path: Path
) -> None:
    """Nearly always over plain TCP. Over TLS a piece may already be on its way into the reset."""
    tls = None
    if secured:
        (tmp_path / "server.pem").write_text(AUTHORITY.leaf("service.test"))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(tmp_path / "server.pem")

    async def scenario() -> None:
        body = bytes(8_000_000)
        with refusing(tls) as url:
            async with opened(kind) as transport:
                network = Network(verify=False)
                answers = [
                    await transport.send(a_request(url, body=body), 2.0, network=network)
                    for _ in range(TRIES)
                ]
        lost = [answer for answer in answers if answer.status != 413]
        assert len(lost) <= most_lost, lost
        # What is lost is lost in the one way that says it: nobody knows what the server did.
        assert {(each.failure, each.may_have_been_sent) for each in lost} <= {
            ("call.unreachable", True)
        }

    run(kind, scenario())
