"""However a forbidden address is written or come by, nothing is dialled; the same canary is reached
where it is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.core.message import Request
from engine.wire.lookup import Lookup
from engine.wire.transport import Transport
from tests.contract.wire_servers import (
    CANARY,
    LOOPBACK,
    TRANSPORTS,
    Kind,
    a_request,
    keeping_alive,
    opened,
    run,
    serving,
)

HOSTILE = json.loads((Path(__file__).parents[1] / "data" / "hostile_targets.json").read_text())
HOSTS: list[str] = HOSTILE["hosts"]
ADDRESSES: list[str] = HOSTILE["addresses"]
OPENED = "127.0.0.2"
pytestmark = pytest.mark.parametrize("kind", TRANSPORTS)


def answering_with(*turns: Sequence[str]) -> Lookup:
    """A name server that knows every name, and answers otherwise each time."""
    asked = iter(range(1_000_000))

    async def query(_: str) -> Sequence[str]:
        return turns[next(asked) % len(turns)]

    return Lookup(query, lifetime_s=0.0)


async def passed(transport: Transport, url: str) -> bool:
    """Whether anything but a refusal before the wire became of a request."""
    answer = await transport.send(a_request(url), 2.0)
    said = CANARY in answer.text or "://" in answer.text
    return said or answer.failure != "call.blocked" or answer.may_have_been_sent


def test_no_spelling_of_a_host_reaches_what_is_forbidden(kind: Kind) -> None:
    async def scenario() -> None:
        lookup = answering_with(["127.0.0.1"])
        async with (
            serving(keeping_alive()) as canary,
            opened(kind, allow="", lookup=lookup) as transport,
        ):
            urls = [f"http://{host}:{canary.port}/" for host in HOSTS]
            urls += [f"http://{host}/" for host in HOSTS]
            assert [url for url in urls if await passed(transport, url)] == []
            assert canary.connections == 0
        assert len(HOSTS) >= 140

    run(kind, scenario())


def test_the_same_canary_is_reached_where_it_is_allowed(kind: Kind) -> None:
    async def scenario() -> None:
        lookup = answering_with(["127.0.0.1"])
        async with (
            serving(keeping_alive()) as canary,
            opened(kind, allow=LOOPBACK, lookup=lookup) as transport,
        ):
            for host in ("127.0.0.1", "localhost", "LocalHost", "any.name.test"):
                answer = await transport.send(a_request(canary.url(host)), 2.0)
                assert answer.status == 200, host
            assert canary.connections > 0

    run(kind, scenario())


def test_no_answer_of_a_name_server_leads_to_what_is_forbidden(kind: Kind) -> None:
    async def scenario() -> None:
        async with serving(keeping_alive()) as canary:
            url = canary.url("service.test")
            for address in ADDRESSES:
                for answer in ([address], ["93.184.216.34", address], [address, "2606:4700::1"]):
                    async with opened(kind, "", answering_with(answer)) as transport:
                        assert not await passed(transport, url), answer
            assert canary.connections == 0

    run(kind, scenario())


def test_a_name_that_turns_between_check_and_dial_is_never_dialled_unchecked(kind: Kind) -> None:
    """Every other answer is forbidden; what was checked is what is dialled, also with two."""
    turns = (
        [[OPENED], ["127.0.0.1"]],
        [["127.0.0.1"], [OPENED]],
        [[OPENED], [OPENED, "127.0.0.1"], ["127.0.0.1"]],
    )

    async def scenario() -> None:
        async with serving(keeping_alive()) as canary:
            for each in turns:
                async with (
                    serving(keeping_alive(), host=OPENED, port=canary.port) as server,
                    opened(kind, f"{OPENED}/32", answering_with(*each)) as transport,
                ):
                    url = canary.url("service.test")
                    answers = [await transport.send(a_request(url), 2.0) for _ in range(12)]
                    blocked = [one for one in answers if one.failure == "call.blocked"]
                    assert len(blocked) == 12 - len(server.seen)
                    assert 0 < len(server.seen) < 12
            assert canary.connections == 0

    run(kind, scenario())


def test_no_redirect_and_no_refresh_is_followed(kind: Kind) -> None:
    async def scenario() -> None:
        async with serving(keeping_alive()) as canary, opened(kind) as transport:
            where = f"http://127.0.0.1:{canary.port}/stolen"
            for status in (201, 202, *range(300, 309), 399, 401, 407, 503):
                head = f"HTTP/1.1 {status} X\r\nLocation: {where}\r\nRefresh: 0; url={where}\r\n"
                rest = f'Content-Location: {where}\r\nAlt-Svc: h2=":{canary.port}"\r\n'
                link = f"Link: <{where}>; rel=preload\r\nContent-Length: 0\r\n\r\n"
                told = (head + rest + link).encode()
                async with serving(keeping_alive(told)) as server:
                    request = Request("POST", server.url(), (("authorization", CANARY),), b"{}")
                    assert (await transport.send(request, 2.0)).status == status
                    assert len(server.seen) == 1
            assert canary.connections == 0

    run(kind, scenario())
