"""A way to an HTTP server on which now and then a request, or its answer, gets lost."""

from __future__ import annotations

import http.client
import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

BEFORE, BUSY, BEHIND = "cut before", "503", "cut behind"
_FAULTS = (BEFORE, BUSY, BEHIND)


class Unreliable(ThreadingHTTPServer):
    """Passes POSTs on to a port of this machine. Every third one is a fault: the connection is cut
    before it is passed on, it is answered 503 instead, or the connection is cut behind it, when the
    server has done what was asked. ``faults`` counts each.
    """

    daemon_threads = True

    def __init__(self, to: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.to = to
        self.faults: Counter[str] = Counter()
        self._count = itertools.count(1)

    def next_fault(self) -> str:
        """What becomes of the next request; '' if nothing does."""
        count = next(self._count)
        if count % 3:
            return ""
        fault = _FAULTS[count // 3 % 3]
        self.faults[fault] += 1
        return fault

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Unreliable

    def do_POST(self) -> None:
        """Pass it on, or don't."""
        body = self.rfile.read(int(self.headers["content-length"]))
        fault = self.server.next_fault()
        if fault == BUSY:
            self._answer(503, b"{}")
            return
        if fault != BEFORE:
            upstream = http.client.HTTPConnection("127.0.0.1", self.server.to, timeout=60)
            headers = {key: value for key, value in self.headers.items() if key.lower() != "host"}
            upstream.request("POST", self.path, body, headers)
            answer = upstream.getresponse()
            status, said = answer.status, answer.read()
            upstream.close()
        if fault:
            self.close_connection = True
        else:
            self._answer(status, said)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Say nothing."""


@contextmanager
def unreliable(to: int) -> Iterator[Unreliable]:
    """Such a way, while the block lasts."""
    with Unreliable(to) as way:
        Thread(target=way.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield way
        way.shutdown()
