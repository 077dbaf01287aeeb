"""A connection writes as fast as the other side reads, and serves one request at a time."""

from __future__ import annotations

import asyncio
import socket
import weakref
from typing import Any, cast

import pytest

from engine.clock import stopwatch
from engine.core.message import Answer
from engine.wire.http_connection import SLICE, Connection

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Wire:
    """What a connection sees of the event loop's transport."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.unsent = 0
        self.aborted = False
        self.ends = socket.socketpair()
        weakref.finalize(self, _close, self.ends)  # before they are collected with it

    def get_extra_info(self, _: str) -> socket.socket:
        return self.ends[0]

    def write(self, data: bytes) -> None:
        self.written.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


def _close(ends: tuple[socket.socket, ...]) -> None:
    for end in ends:
        end.close()


class Kept:
    """A connection on a wire of the test's own, and who gets it back."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.given_back = 0
        loop = asyncio.get_running_loop()
        self.connection = Connection(loop, self._count, lambda _: None)
        self.connection.connection_made(cast(Any, self.wire))

    def _count(self, _: Connection, _now: float) -> None:
        self.given_back += 1

    def ask(self, body: bytes = b"{}") -> asyncio.Future[Answer]:
        return self.connection.ask(
            b"POST / HTTP/1.1\r\n\r\n",
            body,
            bodyless=False,
            limit=1000,
            started=stopwatch(),
            deadline=5.0,
        )


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def test_nothing_more_of_a_body_is_written_while_there_is_something_to_read() -> None:
    async def scenario() -> None:
        kept = Kept()
        kept.wire.ends[1].send(b"H")
        answer = kept.ask(bytes(3 * SLICE))
        await turns(5)
        assert len(kept.wire.written) == 1
        kept.wire.ends[0].recv(1)
        await turns(5)
        assert len(b"".join(kept.wire.written)) == 19 + 3 * SLICE
        kept.connection.data_received(OK)
        assert (await answer).status == 200

    asyncio.run(scenario())


def test_a_small_request_is_one_write() -> None:
    async def scenario() -> None:
        kept = Kept()
        answer = kept.ask(b"body")
        assert kept.wire.written == [b"POST / HTTP/1.1\r\n\r\nbody"]
        kept.connection.data_received(OK)
        assert (await answer).body == b"ok"
        assert (kept.given_back, kept.wire.aborted) == (1, False)

    asyncio.run(scenario())


def test_a_large_body_waits_until_what_was_written_is_gone() -> None:
    async def scenario() -> None:
        kept = Kept()
        body = bytes(SLICE) + b"1" * SLICE + b"2" * SLICE + b"3"
        kept.connection.pause_writing()
        answer = kept.ask(body)
        assert len(b"".join(kept.wire.written)) < SLICE
        kept.connection.resume_writing()
        await turns(5)
        assert b"".join(kept.wire.written).endswith(b"\r\n\r\n" + body)
        assert max(map(len, kept.wire.written)) <= SLICE
        kept.connection.data_received(OK)
        assert (await answer).status == 200
        assert kept.given_back == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(("paused", "unsent"), [(True, 0), (False, 1)])
def test_an_answer_before_the_body_is_out_ends_the_connection(paused: bool, unsent: int) -> None:
    async def scenario() -> None:
        kept = Kept()
        if paused:
            kept.connection.pause_writing()
        kept.wire.unsent = unsent
        answer = kept.ask(bytes(3 * SLICE))
        await turns(5)
        kept.connection.data_received(OK)
        assert (await answer).status == 200
        assert (kept.given_back, kept.wire.aborted) == (0, True)
        kept.connection.resume_writing()
        assert len(b"".join(kept.wire.written)) in (19, 19 + 3 * SLICE)

    asyncio.run(scenario())


def test_what_arrives_after_the_caller_gave_up_is_nobodys() -> None:
    async def scenario() -> None:
        kept = Kept()
        kept.connection.give_up(kept.ask())
        kept.connection.data_received(OK)
        assert (kept.given_back, kept.wire.aborted) == (0, True)

    asyncio.run(scenario())


def test_giving_up_an_answer_that_is_there_leaves_the_next_call_alone() -> None:
    async def scenario() -> None:
        kept = Kept()
        first = kept.ask()
        kept.connection.data_received(OK)
        second = kept.ask()
        kept.connection.give_up(first)
        kept.connection.data_received(OK)
        assert (await second).body == b"ok"
        assert kept.wire.aborted is False

    asyncio.run(scenario())


def lost_after(*, used: bool, arrived: bool, begun: bytes = b"", ended: bool = False) -> Answer:
    async def scenario() -> Answer:
        kept = Kept()
        if used:
            kept.ask()
            kept.connection.data_received(OK)
        answer = kept.ask()
        if not arrived:
            kept.wire.ends[0].send(b"nobody reads this")
        if begun:
            kept.connection.data_received(begun)
        if ended:
            kept.connection.eof_received()
        kept.connection.connection_lost(None)
        return await answer

    return asyncio.run(scenario())


@pytest.mark.parametrize("ended", [False, True])
def test_a_lost_connection_is_stale_only_if_it_was_used_and_nothing_came(ended: bool) -> None:
    assert lost_after(used=True, arrived=False, ended=ended).stale_connection is True
    assert lost_after(used=False, arrived=False, ended=ended).stale_connection is False
    assert lost_after(used=True, arrived=False, begun=b"HTT", ended=ended).stale_connection is False


@pytest.mark.parametrize("ended", [False, True])
def test_a_connection_lost_behind_a_request_that_arrived_is_not_stale(ended: bool) -> None:
    answer = lost_after(used=True, arrived=True, ended=ended)
    assert (answer.stale_connection, answer.may_have_been_sent) == (False, True)
