"""The fake answers as scripted and remembers what it was asked."""

from __future__ import annotations

import asyncio

from engine.core.message import Answer, Request
from engine.wire.scripted import Script, ScriptedTransport


def ask(transport: ScriptedTransport, *urls: str) -> list[int | str]:
    async def asking() -> list[int | str]:
        answers = [await transport.send(Request("POST", url), 1.0) for url in urls]
        return [answer.failure or answer.status for answer in answers]

    return asyncio.run(asking())


def test_a_function_answers_by_the_request() -> None:
    transport = ScriptedTransport(lambda request: Answer(status=len(request.url)))
    assert ask(transport, "http://a", "http://bb") == [8, 9]
    assert [request.url for request in transport.requests] == ["http://a", "http://bb"]


def test_answers_come_in_order_and_the_last_one_stays() -> None:
    transport = ScriptedTransport([Answer(status=500), Answer(status=200)])
    assert ask(transport, "http://a", "http://a", "http://a") == [500, 200, 200]


def test_the_longest_prefix_answers_and_an_unknown_one_is_unreachable() -> None:
    scripts: dict[str, Script] = {
        "http://a": [Answer(status=201)],
        "http://a/b": lambda _: Answer(status=202),
    }
    transport = ScriptedTransport(scripts)
    assert ask(transport, "http://a/b/c", "http://a/x") == [202, 201]
    assert ask(transport, "http://z") == ["call.unreachable"]


def test_closing_is_remembered() -> None:
    transport = ScriptedTransport([])
    asyncio.run(transport.close())
    assert transport.closed
