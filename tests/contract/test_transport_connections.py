"""Connections of every transport: kept, given up, and never mixed up, whatever the world does."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import pytest

from engine.clock import stopwatch
from engine.core.message import Answer
from engine.wire.transport import Transport
from tests.contract.wire_servers import (
    OK,
    TRANSPORTS,
    Behaviour,
    Connection,
    Kind,
    Server,
    a_request,
    answering,
    assert_failed,
    hanging,
    keeping_alive,
    opened,
    run,
    serving,
)

pytestmark = pytest.mark.parametrize("kind", TRANSPORTS)

UNREACHABLE = "call.unreachable"
CLOSED = "closed before an answer"


async def echo(connection: Connection) -> None:
    """Answer every request with its body."""
    while True:
        await write_echo(connection, await body_of(connection))


async def body_of(connection: Connection) -> bytes:
    return (await connection.request()).partition(b"\r\n\r\n")[2]


async def write_echo(connection: Connection, body: bytes) -> None:
    await connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


async def settled(server: Server, transport: Transport) -> Answer:
    """One more call, when what was written before has arrived."""
    for _ in range(5):
        await asyncio.sleep(0.01)
    return await transport.send(a_request(server.url(), body=b"last"), 2.0)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("more", [b"x", OK, b"\r\n", b"HTTP/1.1 408 Timeout\r\n\r\n"])
def test_bytes_nobody_asked_for_never_become_an_answer(kind: Kind, more: bytes, late: bool) -> None:
    answered = asyncio.Event()

    async def talkative(connection: Connection) -> None:
        body = await body_of(connection)
        if late:
            await write_echo(connection, body)
            await answered.wait()
            await connection.write(more)
        else:
            await connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1" + more)
        await echo(connection)

    async def scenario() -> None:
        async with serving(talkative) as server, opened(kind) as transport:
            first = await transport.send(a_request(server.url(), body=b"1"), 2.0)
            assert (first.status, first.body) == (200, b"1")
            answered.set()
            second = await settled(server, transport)
            if server.connections == 1:
                # An empty line right behind an answer is nothing; everything else is too much.
                assert (more, late, second.body) == (b"\r\n", False, b"last")
            else:
                assert (second.status, second.body) == (200, b"1" if not late else b"last")

    run(kind, scenario())


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
    ],
)
def test_a_connection_that_may_not_go_on_is_closed_by_us(kind: Kind, data: bytes) -> None:
    ended = asyncio.Event()

    async def patient(connection: Connection) -> None:
        await connection.request()
        await connection.write(data)
        assert await connection.reader.read() == b""
        ended.set()

    async def scenario() -> None:
        async with serving(patient) as server, opened(kind) as transport:
            assert (await transport.send(a_request(server.url()), 2.0)).body == b"ok"
            await asyncio.wait_for(ended.wait(), 2.0)

    run(kind, scenario())


def test_an_idle_connection_the_server_ended_is_not_used_again(kind: Kind) -> None:
    async def scenario() -> None:
        async with serving(answering(OK)) as server, opened(kind) as transport:
            for count in (1, 2, 3):
                answer = await settled(server, transport)
                assert (answer.status, server.connections) == (200, count)

    run(kind, scenario())


def test_calls_one_after_another_share_what_many_at_once_opened(kind: Kind) -> None:
    async def scenario() -> None:
        async with serving(echo) as server, opened(kind) as transport:
            request = a_request(server.url())
            await asyncio.gather(*(transport.send(request, 2.0) for _ in range(20)))
            opened_at_once = server.connections
            for _ in range(20):
                assert (await transport.send(request, 2.0)).status == 200
            assert server.connections == opened_at_once == 20

    run(kind, scenario())


def test_only_an_answer_without_its_first_byte_is_the_keep_alive_race(kind: Kind) -> None:
    async def begins(connection: Connection) -> None:
        await connection.request()
        await connection.write(OK)
        await connection.request()
        await connection.write(b"H")

    async def scenario() -> None:
        async with serving(begins) as server, opened(kind) as transport:
            assert (await transport.send(a_request(server.url()), 2.0)).status == 200
            answer = await transport.send(a_request(server.url()), 2.0)
            assert_failed(answer, UNREACHABLE, CLOSED, sent=True)
            assert answer.stale_connection is False
            assert server.connections == 1

    run(kind, scenario())


def test_a_cancelled_call_ends_its_connection_and_no_other(kind: Kind) -> None:
    ended = 0
    all_arrived = asyncio.Event()

    async def slow(connection: Connection) -> None:
        nonlocal ended
        try:
            while True:
                body = await body_of(connection)
                if len(connection.server.seen) == 50:
                    all_arrived.set()
                if body == b"slow":
                    await connection.reader.read()
                await write_echo(connection, body)
        finally:
            ended += 1

    async def scenario() -> None:
        async with serving(slow) as server, opened(kind) as transport:
            request = a_request(server.url(), body=b"slow")
            calls = [asyncio.create_task(transport.send(request, 3.0)) for _ in range(50)]
            await asyncio.wait_for(all_arrived.wait(), 3.0)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert all(call.cancelled() for call in calls)
            assert (await settled(server, transport)).body == b"last"
            assert (ended, server.connections) == (50, 51)

    run(kind, scenario())


def test_cancelling_at_any_moment_gives_nobody_anothers_answer(kind: Kind) -> None:
    async def scenario() -> None:
        dice = random.Random(7)
        async with serving(echo) as server, opened(kind) as transport:

            async def some(who: int) -> int:
                good = 0
                for number in range(30):
                    body = b"%d-%d" % (who, number)
                    call = asyncio.create_task(
                        transport.send(a_request(server.url(), body=body), 3.0)
                    )
                    if dice.random() < 0.3:
                        for _ in range(dice.randrange(12)):
                            await asyncio.sleep(0)
                        call.cancel()
                    try:
                        assert (await call).body == body
                        good += 1
                    except asyncio.CancelledError:
                        continue
                return good

            counts = await asyncio.gather(*(some(who) for who in range(40)))
            assert sum(counts) > 600
            assert (await settled(server, transport)).body == b"last"

    run(kind, scenario())


async def closing_at_random(connection: Connection) -> None:
    """Answer, or end the connection before, within or after an answer."""
    dice = random.Random(connection.server.connections)
    while True:
        body = await body_of(connection)
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        fate = dice.random()
        if fate < 0.03:
            return
        if fate < 0.06:
            await connection.write(whole[: dice.randrange(len(whole))])
            return
        await connection.write(whole)
        if fate < 0.12:
            return
        if fate < 0.14:
            connection.reset()
            return


def test_a_server_that_closes_at_random_costs_the_calls_it_closed_on(kind: Kind) -> None:
    calls = 2_000

    async def scenario() -> None:
        async with serving(closing_at_random) as server, opened(kind) as transport:
            left = iter(range(calls))
            failed: list[Answer] = []

            async def some() -> None:
                for number in left:
                    body = b"call %d" % number
                    answer = await transport.send(a_request(server.url(), body=body), 3.0)
                    if answer.failure is None:
                        assert answer.body == body
                    else:
                        assert answer.failure == UNREACHABLE
                        failed.append(answer)

            await asyncio.gather(*(some() for _ in range(20)))
            assert 0 < len(failed) < calls / 4
            # What failed without having been sent, the server hasn't seen.
            certain = sum(not answer.may_have_been_sent for answer in failed)
            assert len(server.seen) <= calls - certain
            assert any(answer.stale_connection for answer in failed)

    run(kind, scenario())


def test_a_large_body_waits_for_a_server_that_reads_slowly(kind: Kind) -> None:
    body = bytes(range(256)) * (4 * 4096)

    async def slowly(connection: Connection) -> None:
        read = b"".join([await connection.reader.read(300_000) for _ in range(3)])
        await asyncio.sleep(0.05)
        while not read.endswith(body[-4096:]) or len(read) < len(body):
            read += await connection.reader.read(1_000_000)
        connection.server.seen.append(read)
        await connection.write(OK)
        await echo(connection)

    async def scenario() -> None:
        async with serving(slowly) as server, opened(kind) as transport:
            answer = await transport.send(a_request(server.url(), body=body), 4.0)
            assert answer.status == 200
            assert server.seen[0].endswith(b"\r\n\r\n" + body)
            assert (await settled(server, transport)).body == b"last"
            assert server.connections == 1

    run(kind, scenario())


def test_a_body_nobody_reads_costs_the_deadline_and_no_more(kind: Kind) -> None:
    async def deaf(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        connection.server.arrived.set()
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with serving(deaf) as server, opened(kind) as transport:
            begun = stopwatch()
            answer = await transport.send(a_request(server.url(), body=bytes(30_000_000)), 0.4)
            assert_failed(answer, "call.timed_out", "no complete answer within 0.4 s", sent=True)
            assert stopwatch() - begun < 1.0

    run(kind, scenario())


def test_an_early_answer_ends_a_connection_whose_request_is_not_out(kind: Kind) -> None:
    async def early(connection: Connection) -> None:
        if connection.server.connections > 1:
            await echo(connection)
        await connection.reader.readuntil(b"\r\n\r\n")
        await connection.write(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with serving(early) as server, opened(kind) as transport:
            answer = await transport.send(a_request(server.url(), body=bytes(30_000_000)), 2.0)
            assert answer.status == 413
            assert (await settled(server, transport)).body == b"last"
            assert server.connections == 2

    run(kind, scenario())


@pytest.mark.parametrize("deadlines", [(0.1, 0.3, 0.2), (2.0, 0.1), (0.2, 0.2, 0.2)])
def test_each_call_on_a_connection_has_its_own_deadline(
    kind: Kind, deadlines: tuple[float, ...]
) -> None:
    async def answering_most(connection: Connection) -> None:
        for _ in deadlines[1:]:
            await connection.request()
            await connection.write(OK)
        await hanging(connection)

    async def scenario() -> None:
        async with serving(answering_most) as server, opened(kind) as transport:
            for deadline in deadlines[:-1]:
                assert (await transport.send(a_request(server.url()), deadline)).status == 200
                await asyncio.sleep(0.03)
            begun = stopwatch()
            answer = await transport.send(a_request(server.url()), deadlines[-1])
            assert answer.failure == "call.timed_out"
            assert -0.01 < stopwatch() - begun - deadlines[-1] < 0.3
            assert server.connections == 1

    run(kind, scenario())


def test_closing_ends_what_is_just_being_connected(kind: Kind) -> None:
    async def silent(_: Connection) -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with serving(silent) as server, opened(kind) as transport:
            url = server.url().replace("http:", "https:")
            call = asyncio.create_task(transport.send(a_request(url), 3.0))
            await server.connected.wait()
            begun = stopwatch()
            await transport.close()
            assert_failed(await call, UNREACHABLE, "the transport is closed", sent=False)
            assert stopwatch() - begun < 0.5

    run(kind, scenario())


def test_cancelling_while_connecting_leaves_nothing_open(kind: Kind) -> None:
    gone = asyncio.Event()

    async def silent(connection: Connection) -> None:
        await connection.reader.read()
        gone.set()

    async def scenario() -> None:
        async with serving(silent) as server, opened(kind) as transport:
            url = server.url().replace("http:", "https:")
            call = asyncio.create_task(transport.send(a_request(url), 3.0))
            await server.connected.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.wait_for(gone.wait(), 2.0)

    run(kind, scenario())


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECES: list[bytes] = [
    OK,
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    CHUNKED + b"1\r\na\r\n1;x=y\r\nb\r\n0\r\nT: u\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-Twice: first\r\nx-twice: second\r\nContent-Length: 0\r\n\r\n",
]


def cut(data: bytes, dice: random.Random) -> list[bytes]:
    """``data`` in pieces of any size."""
    places = sorted({0, len(data), *(dice.randrange(len(data)) for _ in range(4))})
    return [data[a:b] for a, b in pairwise(places)]


@pytest.mark.parametrize("data", PIECES, ids=["plain", "interim", "chunks", "headers"])
def test_an_answer_in_any_pieces_leaves_its_connection_good(kind: Kind, data: bytes) -> None:
    async def in_pieces(connection: Connection) -> None:
        dice = random.Random(1)
        while True:
            await connection.request()
            for piece in cut(data, dice):
                await connection.write(piece)
                await asyncio.sleep(0.001)

    async def scenario() -> None:
        async with (
            serving(in_pieces) as server,
            serving(keeping_alive(data)) as whole,
            opened(kind) as transport,
        ):
            expected = await transport.send(a_request(whole.url()), 2.0)
            for _ in range(20):
                answer = await transport.send(a_request(server.url()), 2.0)
                expected.elapsed_us = answer.elapsed_us
                assert answer == expected
            assert server.connections == 1

    run(kind, scenario())


def test_random_bytes_are_a_failure_within_the_deadline(kind: Kind) -> None:
    dice = random.Random(5)
    parts = [OK, b"HTTP/1.1 ", b"\r\n", b"Content-Length: 9\r\n", b"\x00\xff", b"5\r\n", b"200 OK"]

    def nonsense() -> bytes:
        return b"".join(dice.choice([*parts, dice.randbytes(5)]) for _ in range(dice.randrange(9)))

    def behaving(data: bytes) -> Behaviour:
        async def behave(connection: Connection) -> None:
            await connection.request()
            for piece in cut(data + b"!", dice):
                await connection.write(piece)
                await asyncio.sleep(0)

        return behave

    async def scenario() -> None:
        async with opened(kind) as transport:
            for _ in range(150):
                async with serving(behaving(nonsense())) as server:
                    answer = await transport.send(a_request(server.url()), 0.5)
                    assert answer.status or answer.failure in (UNREACHABLE, "call.bad_response")
                    assert answer.may_have_been_sent is True

    run(kind, scenario())
