"""One HTTP/1.1 connection of a client: one request at a time, its answer or what became of it.

The parser is llhttp (Node's), which refuses what smuggles: a length beside chunks, two lengths,
bare line ends. What it lets pass and we don't take stands in ``_problem``.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from functools import lru_cache
from typing import cast

import httptools

from engine.clock import stopwatch
from engine.core.message import Answer

MAX_HEAD = 64 * 1024
"""Bytes before the end of an answer's header section, interim answers included."""

MAX_FIELDS = 128
"""Header fields of an answer, trailers included."""

SLICE = 64 * 1024
"""Larger bodies are written in pieces of this size, each when the ones before it are gone."""

UNREACHABLE, BAD, TIMED_OUT = "call.unreachable", "call.bad_response", "call.timed_out"

_DECISIVE = frozenset({"content-encoding", "transfer-encoding"})
"""Fields that say how to read the body: one that can't be read is no reason to go on without it."""

_IDLE, _HEAD, _BODY, _DONE, _OVER = range(5)
"""No request · its answer's head · its body · its end came · failed, nothing counts any more."""


class Connection(asyncio.Protocol):
    """A connection that ``give_back`` takes when it can serve another request.

    ``lost`` is called once, when it is closed. ``idle_until`` is whoever keeps it's to set.
    """

    __slots__ = (
        "_alarm",
        "_alarm_at",
        "_body",
        "_bodyless",
        "_deadline",
        "_due",
        "_feed",
        "_give_back",
        "_headers",
        "_limit",
        "_loop",
        "_lost",
        "_pairs",
        "_parser",
        "_paused",
        "_received",
        "_rest",
        "_reusable",
        "_started",
        "_state",
        "_status",
        "_transport",
        "_used",
        "_waiter",
        "idle_until",
        "open",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        give_back: Callable[[Connection], None],
        lost: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._give_back = give_back
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._renew_parser()
        self._waiter: asyncio.Future[Answer] | None = None
        self._state = _IDLE
        self._pairs: list[tuple[bytes, bytes]] = []
        self._rest: memoryview | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = math.inf
        self._used = False
        self._paused = False
        self.open = False
        self.idle_until = 0.0

    # --- one request ---------------------------------------------------------------------------

    def ask(
        self,
        head: bytes,
        body: bytes,
        *,
        bodyless: bool,
        limit: int,
        started: float,
        deadline: float,
    ) -> asyncio.Future[Answer]:
        """Write a request; the future is the answer or the failure, and never raises.

        ``bodyless`` for a request whose answer has no body (HEAD); ``limit`` is the largest body
        that is taken. The attempt began at ``started`` and ends ``deadline`` seconds later.
        """
        self._waiter = waiter = self._loop.create_future()
        self._state = _HEAD
        self._bodyless = bodyless
        self._limit = limit
        self._started = started
        self._deadline = deadline
        self._due = due = started + deadline
        self._received = 0
        self._body: bytes | bytearray = b""
        if due < self._alarm_at:
            self._set_alarm(due)
        transport = cast(asyncio.Transport, self._transport)
        if len(body) <= SLICE:
            transport.write(head + body)
        else:
            transport.write(head)
            self._rest = memoryview(body)
            self._write_rest()
        return waiter

    def give_up(self, waiter: asyncio.Future[Answer]) -> None:
        """Whoever waited for this answer doesn't any more: nobody else must get it."""
        if self._waiter is waiter:
            self._waiter = None
            self._state = _OVER
            self.abort()

    def abort(self) -> None:
        """Close at once; a request on it has failed."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()

    def _write_rest(self) -> None:
        while self._rest and not self._paused:
            piece, self._rest = self._rest[:SLICE], self._rest[SLICE:]
            cast(asyncio.Transport, self._transport).write(piece)

    def _all_written(self) -> bool:
        if self._rest is None:
            return True
        rest, self._rest = self._rest, None
        transport = cast(asyncio.Transport, self._transport)
        return len(rest) == 0 and transport.get_write_buffer_size() == 0

    # --- its end -------------------------------------------------------------------------------

    def _finish(self) -> None:
        """The whole answer is here."""
        waiter, self._waiter = cast("asyncio.Future[Answer]", self._waiter), None
        self._state = _IDLE
        self._used = True
        if self._reusable and self.open and self._all_written():
            self._give_back(self)
        else:
            self.abort()
        if not waiter.done():
            elapsed_us = int((stopwatch() - self._started) * 1_000_000)
            waiter.set_result(
                Answer(self._status, self._headers, bytes(self._body), elapsed_us=elapsed_us)
            )

    def _fail(self, code: str, text: str, *, stale: bool = False) -> None:
        """The request came to nothing, and the connection with it."""
        waiter, self._waiter = self._waiter, None
        self._state = _OVER
        self._rest = None
        self.abort()
        if waiter is not None and not waiter.done():
            waiter.set_result(
                Answer(
                    failure=code,
                    text=text,
                    stale_connection=stale,
                    elapsed_us=int((stopwatch() - self._started) * 1_000_000),
                )
            )

    def _set_alarm(self, due: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = due
        self._alarm = self._loop.call_later(max(0.0, due - stopwatch()), self._ring)

    def _ring(self) -> None:
        """One timer serves request after request: it is set anew only when it rang too early."""
        self._alarm, self._alarm_at = None, math.inf
        if self._waiter is None:
            return
        if stopwatch() < self._due:
            self._set_alarm(self._due)
        else:
            self._fail(TIMED_OUT, f"no complete answer within {self._deadline:g} s")

    # --- what the event loop says --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for the first request."""
        self._transport = cast(asyncio.Transport, transport)
        self.open = True

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer; any that nobody asked for end the connection."""
        if self._waiter is None:
            self.abort()
            return
        self._received += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserUpgrade:
            self._fail(BAD, "the server switched protocols (101)")
        except httptools.HttpParserError:
            self._reusable = False
            if self._state == _HEAD:
                self._fail(BAD, "the answer is not HTTP")
            elif self._state == _BODY:
                self._fail(BAD, "the answer's body is not valid HTTP")
        if self._state == _DONE:
            self._finish()
        elif self._state == _HEAD and self._received > MAX_HEAD:
            self._fail(BAD, "the answer's head is too large")

    def eof_received(self) -> None:
        """The server will send no more: the end of an answer that has no other one."""
        if self._state == _BODY and self._ends_by_closing():
            self._reusable = False
            self._finish()
        self.open = False

    def connection_lost(self, _: Exception | None) -> None:
        """Closed, by whomever."""
        self.open = False
        if self._waiter is not None:
            where = "before an answer" if self._state == _HEAD else "in the middle of the answer"
            stale = self._used and self._received == 0
            self._fail(UNREACHABLE, f"closed {where}", stale=stale)
        if self._alarm is not None:
            self._alarm.cancel()
        # The parser and its callbacks hold each other.
        del self._parser, self._feed
        self._transport = None
        self._lost(self)

    def pause_writing(self) -> None:
        """Enough is waiting to be sent."""
        self._paused = True

    def resume_writing(self) -> None:
        """It is gone."""
        self._paused = False
        self._write_rest()

    # --- what the parser says ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """An answer begins; a second one to the same request was never asked for."""
        if self._state == _DONE:
            self._reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header or trailer field."""
        self._pairs.append((name, value))
        if len(self._pairs) > MAX_FIELDS and self._state in (_HEAD, _BODY):
            self._fail(BAD, "the answer's head is too large")

    def on_headers_complete(self) -> None:
        """An answer's head, or that of an interim one (1xx), which means nothing to us."""
        status = self._parser.get_status_code()
        if self._state != _HEAD or (100 <= status < 200 and status != 101):
            self._pairs.clear()
            return
        self._status = status
        self._headers = headers = _read_fields(self._pairs)
        self._reusable = self._parser.should_keep_alive()
        self._state = _BODY
        problem = self._problem(headers)
        if problem is not None:
            self._fail(BAD, problem)
        elif self._bodyless:
            # llhttp isn't told what was asked, and would wait for the body that HEAD announces.
            self._state = _DONE
            self._renew_parser()
        self._pairs.clear()

    def on_body(self, data: bytes) -> None:
        """A piece of the body; mostly there is one only."""
        if self._state != _BODY:
            self._reusable = False
        elif len(self._body) + len(data) > self._limit:
            self._fail(BAD, f"the answer is over {self._limit} bytes")
        elif not self._body:
            self._body = data
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += data

    def on_message_complete(self) -> None:
        """The end of an answer."""
        if self._state == _BODY:
            self._state = _DONE

    def _problem(self, headers: dict[str, str]) -> str | None:
        """Why an answer with this head is not taken."""
        if self._status < 100 or not self._is_http_1(headers):
            return "the answer is not HTTP"
        if self._status == 101:
            return "the server switched protocols (101)"
        encoding = headers.get("content-encoding")
        if encoding is not None and encoding.strip().lower() != "identity":
            return "the answer is compressed, unasked"
        if "transfer-encoding" in headers and not self._plainly_chunked():
            return "the answer's body is not valid HTTP"
        length = headers.get("content-length")
        if length is not None and int(length) > self._limit and not self._has_no_body():
            return f"the answer is over {self._limit} bytes"
        return None

    def _is_http_1(self, headers: dict[str, str]) -> bool:
        # Asking costs as much as all else here; other versions are reused only if they ask for it.
        if self._reusable and "connection" not in headers:
            return True
        return self._parser.get_http_version() in ("1.1", "1.0")

    def _plainly_chunked(self) -> bool:
        codings = [value for name, value in self._pairs if name.lower() == b"transfer-encoding"]
        plain = len(codings) == 1 and codings[0].strip().lower() == b"chunked"
        return plain and self._parser.get_http_version() == "1.1"

    def _has_no_body(self) -> bool:
        return self._bodyless or self._status in (204, 304)

    def _ends_by_closing(self) -> bool:
        return not {"content-length", "transfer-encoding"} & self._headers.keys()

    def _renew_parser(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._feed = self._parser.feed_data


def _read_fields(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header fields by lower-case name; the first of a name stands, one beyond ASCII does not."""
    headers: dict[str, str] = {}
    for raw, value in pairs:
        name = _name(raw)
        try:
            headers.setdefault(name, value.decode("ascii"))
        except UnicodeDecodeError:
            if name in _DECISIVE:
                headers.setdefault(name, "?")
    return headers


@lru_cache(maxsize=512)
def _name(raw: bytes) -> str:
    return raw.decode("ascii").lower()
