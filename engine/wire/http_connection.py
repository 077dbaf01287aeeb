"""One HTTP/1.1 connection of a client: one request at a time, and what became of it."""

from __future__ import annotations

import asyncio
import fcntl
import math
import select
import ssl
import termios
from collections.abc import Callable
from typing import cast

from engine.clock import stopwatch
from engine.core.message import Answer
from engine.wire.http_answer import AnswerReader, Refused

SLICE = 64 * 1024
"""Larger bodies are written in pieces of this size, each when the ones before it are gone."""

UNREACHABLE, BAD, TIMED_OUT = "call.unreachable", "call.bad_response", "call.timed_out"


class Connection(asyncio.Protocol):
    """A connection that ``give_back`` takes when it can serve another request.

    ``lost`` is called once, when it is closed. ``idle_until`` is whoever keeps it's to set.
    """

    __slots__ = (
        "_alarm",
        "_alarm_at",
        "_deadline",
        "_due",
        "_give_back",
        "_loop",
        "_lost",
        "_paused",
        "_reader",
        "_rest",
        "_started",
        "_transport",
        "_used",
        "_waiter",
        "idle_until",
        "open",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        give_back: Callable[[Connection, float], None],
        lost: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._give_back = give_back
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._reader = AnswerReader()
        self._waiter: asyncio.Future[Answer] | None = None
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
        self._reader.expect(bodyless=bodyless, limit=limit)
        self._started = started
        self._deadline = deadline
        self._due = due = started + deadline
        if due < self._alarm_at:
            self._set_alarm(due)
        transport = self._transport
        assert transport is not None  # noqa: S101 - for the type checker
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
            self.abort()

    def is_usable(self) -> bool:
        """Whether another request can be written, as far as this side knows."""
        return self.open and self._transport is not None and not self._transport.is_closing()

    def abort(self) -> None:
        """Close at once; a request on it has failed."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()

    def _write_rest(self) -> None:
        """The next piece, in each turn of the loop one. Not while there is something to read: who
        refuses a request early answers and closes, and writing to that would lose what he said.
        """
        transport = self._transport
        if not self._rest or self._paused or transport is None or transport.is_closing():
            return
        if not _has_something_to_read(transport):
            piece, self._rest = self._rest[:SLICE], self._rest[SLICE:]
            transport.write(piece)
        self._loop.call_soon(self._write_rest)

    def _all_written(self) -> bool:
        rest, self._rest = self._rest, None
        transport = cast(asyncio.Transport, self._transport)
        return not rest and transport.get_write_buffer_size() == 0

    # --- its end -------------------------------------------------------------------------------

    def _finish(self) -> None:
        """The whole answer is here."""
        waiter, self._waiter = self._waiter, None
        self._used = True
        reader, now = self._reader, stopwatch()
        if reader.reusable and self.open and (self._rest is None or self._all_written()):
            self._give_back(self, now)
        else:
            self.abort()
        if waiter is not None and not waiter.done():
            elapsed_us = int((now - self._started) * 1_000_000)
            waiter.set_result(
                Answer(reader.status, reader.headers, reader.body, elapsed_us=elapsed_us)
            )

    def _cut_off(self) -> None:
        """The server has closed before the answer's end."""
        in_body = self._reader.in_body
        text = "closed in the middle of the answer" if in_body else "closed before an answer"
        stale = self._used and self._reader.received == 0 and not self._has_arrived()
        self._fail(UNREACHABLE, text, stale=stale)

    def _has_arrived(self) -> bool:
        """Whether the server's machine has taken all of the request. One that had closed the kept
        connection before never does; one that read the request and then closed has.
        """
        transport = cast(asyncio.Transport, self._transport)
        return self._all_written() and _is_acknowledged(transport)

    def _fail(self, code: str, text: str, *, stale: bool = False) -> None:
        """The request came to nothing, and the connection with it."""
        waiter, self._waiter = self._waiter, None
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
        try:
            complete = self._reader.feed(data)
        except Refused as refused:
            self._fail(BAD, str(refused))
            return
        if complete:
            self._finish()

    def eof_received(self) -> None:
        """The server will send no more: the end of an answer that has no other one."""
        self.open = False
        if self._waiter is None:
            return
        if self._reader.end() and self._ended_well():
            self._finish()
        else:
            self._cut_off()

    def connection_lost(self, _: Exception | None) -> None:
        """Closed, by whomever."""
        self.open = False
        if self._waiter is not None:
            self._cut_off()
        if self._alarm is not None:
            self._alarm.cancel()
        self._reader.release()
        self._transport = None
        self._lost(self)

    def _ended_well(self) -> bool:
        """Over TLS only its own goodbye is an end; anybody on the way can cut a connection."""
        tls = cast(asyncio.Transport, self._transport).get_extra_info("ssl_object")
        if tls is None:
            return True
        # Not every event loop tells the two apart, but to read on does: nothing, or not yet.
        try:
            return not tls.read(1)
        except ssl.SSLError:
            return False

    def pause_writing(self) -> None:
        """Enough is waiting to be sent."""
        self._paused = True

    def resume_writing(self) -> None:
        """It is gone."""
        self._paused = False
        self._write_rest()


def _is_acknowledged(transport: asyncio.Transport) -> bool:
    """Whether TCP knows that all bytes written came to the other side; False where it can't say."""
    socket = transport.get_extra_info("socket")
    if socket is None:  # TLS lets go of it before it says so
        return False
    try:
        return not any(fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, bytes(4)))
    except (OSError, ValueError):
        return False


def _has_something_to_read(transport: asyncio.Transport) -> bool:
    look = select.poll()
    look.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(look.poll(0))
