"""One connection, bounded in time and size.

Uvicorn's own bounds begin when a request has come whole; whoever sends one byte a minute, headers
without end, or never reads his answer, would be kept for ever.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from engine.api.problems import CONTENT_TYPE
from engine.clock import stopwatch
from engine.core import guarded_json

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST_HEAD = 32 * 1024
"""Bytes of a request's line and headers; and of what may stand between and behind the pieces of its
body, which nobody here reads."""
HEAD_S, BODY_S, ANSWER_S = 10.0, 60.0, 60.0
"""How long a request's head may take from its first byte (or the connection), its end, and each
piece of an answer that nobody reads."""
MOST = 1_000
"""Connections at once."""


class Connection(HttpToolsProtocol):
    """HTTP/1.1 over one connection. :meth:`is_overdue` is asked each second."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, unless there are too many."""
        super().connection_made(transport)
        self._since: float | None = stopwatch()
        self._idle_since: float | None = None
        self._stuck_since: float | None = None
        self._in_head = True
        self._told = 0
        self._offer = b""
        if len(self.connections) > MOST and not _make_room(self.connections, self):
            self._refuse(503, "request.too_many", "too many connections", b"retry-after: 1\r\n")

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self.transport.is_closing():
            return
        if self._since is None:
            self._since, self._idle_since = stopwatch(), None
        if self._in_head and not self._told and _is_large_head(data):
            self._refuse_head()
            return
        self._told += len(data)
        try:
            self._unset_keepalive_if_required()
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response("")
            return
        if self._told > LARGEST_HEAD:
            self._refuse_head()

    def _feed(self, data: bytes) -> None:
        """Parse the next bytes. After an offer of another protocol the parser would take the rest
        for that one; a server may take such a request for HTTP/1.1 (RFC 9110 7.8). Clients that
        know HTTP/2 offer it with their first request, whatever that is.
        """
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                head, self._offer = self._offer, b""
                if not head:  # of CONNECT, which is no offer
                    raise httptools.HttpParserError from None
                data = head + data[upgrade.args[0] :]

    def eof_received(self) -> bool:  # type: ignore[override]
        """The other side will send no more. Whoever has sent a whole request is still answered."""
        if self._since is not None or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head has come."""
        self._told = 0
        if self.parser.should_upgrade():
            if self.parser.get_method() != b"CONNECT":
                self._offer = self._head_without_offer()
            return
        self._in_head = False
        super().on_headers_complete()
        # Fields behind a chunked body are none of the head's (RFC 9110 6.5.1): what a proxy looked
        # at there, and let pass, isn't changed by them.
        self.headers = []

    def _head_without_offer(self) -> bytes:
        lines = [b"%s: %s" % pair for pair in self.headers if pair[0] != b"upgrade"]
        version = self.parser.get_http_version().encode()
        first = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)
        return b"\r\n".join([first, *lines, b"", b""])

    def on_body(self, body: bytes) -> None:
        """A piece of its body has come."""
        self._told = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It has come whole."""
        self._told = 0
        if self._offer or self.parser.should_upgrade():
            return
        self._since = None
        self._in_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered."""
        if self._since is None and not self.pipeline:
            self._idle_since = stopwatch()
        super().on_response_complete()

    def waits_since(self) -> float | None:
        """Since when nothing is there to do but wait for the other side; None: there is."""
        return self._idle_since if self._since is None else self._since

    def pause_writing(self) -> None:
        """Nobody reads the answer just now."""
        self._stuck_since = stopwatch()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It is read again."""
        self._stuck_since = None
        super().resume_writing()

    def is_overdue(self, now: float) -> bool:
        """Whether it has kept us waiting for too long at ``now`` (the stopwatch's seconds)."""
        if self.transport.is_closing() and self._stuck_since is None:
            self._stuck_since = now
        if self._stuck_since is not None:
            return now - self._stuck_since > ANSWER_S
        return self._since is not None and now - self._since > (HEAD_S if self._in_head else BODY_S)

    def send_400_response(self, msg: str) -> None:
        """What came isn't HTTP/1.1."""
        self._refuse(400, "request.not_http", "the request isn't HTTP/1.1")

    def _refuse_head(self) -> None:
        self._refuse(431, "request.head", "the request's headers are too large")

    def _refuse(self, status: int, code: str, detail: str, header: bytes = b"") -> None:
        """Say no before there is a request, and hang up."""
        said = {"type": "about:blank", "status": status, "detail": detail, "code": code}
        body = guarded_json.dumps(said)
        self.transport.write(
            b"HTTP/1.1 %d \r\ncontent-type: %s\r\ncontent-length: %d\r\n%sconnection: close\r\n\r\n"
            % (status, CONTENT_TYPE.encode(), len(body), header)
            + body
        )
        self.transport.close()


def _is_large_head(data: bytes) -> bool:
    """Whether what a request begins with is more of a head than it may have."""
    return len(data) > LARGEST_HEAD and data.find(b"\r\n\r\n", 0, LARGEST_HEAD) < 0


def _make_room(connections: Iterable[Any], newest: Connection) -> bool:
    """End the connection whose other side has kept us waiting for the longest: whoever opens many
    and says nothing loses his own, and others are served. Whether there was one.
    """
    waiting = [
        (since, id(each), each)
        for each in connections
        if each is not newest and (since := each.waits_since()) is not None
    ]
    if not waiting:
        return False
    min(waiting)[2].transport.abort()
    return True


def hang_up_on_the_overdue(connections: Iterable[Any], now: float) -> None:
    """End every connection that keeps us waiting for too long."""
    for each in tuple(connections):
        if each.is_overdue(now):
            each.transport.abort()
