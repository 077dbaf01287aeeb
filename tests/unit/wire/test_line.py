"""Idle connections: the last used goes first, the stale ones are closed, none is kept for ever."""

from __future__ import annotations

import asyncio
from typing import cast

from engine.clock import stopwatch
from engine.wire.http_connection import Connection
from engine.wire.line import IDLE_S, MAX_IDLE, Line
from engine.wire.origin import origin_of
from engine.wire.transport import DEFAULT_NETWORK


class IdleConnection:
    """What a line sees of a connection."""

    def __init__(self) -> None:
        self.usable = True
        self.idle_until = 0.0

    def is_usable(self) -> bool:
        return self.usable

    def abort(self) -> None:
        self.usable = False


def a_line() -> Line:
    return Line(origin_of("http://a.test/"), "127.0.0.1", DEFAULT_NETWORK, None)


def given_back(line: Line, how_many: int) -> list[Connection]:
    connections = [cast(Connection, IdleConnection()) for _ in range(how_many)]
    for each in connections:
        line.give_back(each, stopwatch())
    return connections


def test_the_connection_used_last_goes_first_and_a_closed_one_never() -> None:
    async def scenario() -> None:
        line = a_line()
        first, second, third = given_back(line, 3)
        second.abort()
        now = stopwatch()
        assert [line.take(now), line.take(now), line.take(now)] == [third, first, None]
        line.retire()

    asyncio.run(scenario())


def test_a_connection_that_was_idle_for_too_long_is_closed_and_not_taken() -> None:
    async def scenario() -> None:
        line = a_line()
        (only,) = given_back(line, 1)
        assert line.take(only.idle_until) is None
        assert only.is_usable() is False
        line.retire()

    asyncio.run(scenario())


def test_idle_connections_are_closed_without_anybody_asking() -> None:
    async def scenario() -> None:
        line = a_line()
        old, closed, young = given_back(line, 3)
        closed.abort()
        old.idle_until -= IDLE_S + 1
        line._close_idle()
        assert (old.is_usable(), young.is_usable()) == (False, True)
        assert line.take(stopwatch()) is young
        assert line.take(stopwatch()) is None
        line.retire()

    asyncio.run(scenario())


def test_a_retired_line_keeps_nothing() -> None:
    async def scenario() -> None:
        line = a_line()
        (idle,) = given_back(line, 1)
        line.retire()
        (busy,) = given_back(line, 1)
        assert (idle.is_usable(), busy.is_usable()) == (False, False)
        assert line.take(stopwatch()) is None

    asyncio.run(scenario())


def test_no_more_than_the_limit_lie_idle() -> None:
    async def scenario() -> None:
        line = a_line()
        connections = given_back(line, MAX_IDLE + 1)
        assert [each.is_usable() for each in connections].count(False) == 1
        line.retire()

    asyncio.run(scenario())
