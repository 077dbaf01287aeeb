"""Only checked addresses are dialled, by every transport."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import pytest

from engine.clock import stopwatch
from engine.wire.lookup import Lookup
from tests.contract.wire_servers import (
    TRANSPORTS,
    Kind,
    a_request,
    assert_failed,
    keeping_alive,
    opened,
    resolving,
    run,
    serving,
)

pytestmark = pytest.mark.parametrize("kind", TRANSPORTS)


def test_loopback_is_blocked_by_default_and_the_line_to_set_is_named(kind: Kind) -> None:
    async def scenario() -> None:
        async with serving(keeping_alive()) as server, opened(kind, allow="") as transport:
            for host in ("127.0.0.1", "localhost"):
                answer = await transport.send(a_request(server.url(host)), 2.0)
                assert answer.failure == "call.blocked"
                assert answer.may_have_been_sent is False
                assert "set JOURNEY_EGRESS_ALLOW=127.0.0.0/8,[::1] to allow" in answer.text
            assert server.connections == 0

    run(kind, scenario())


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("10.1.2.3", "private"),
        ("169.254.1.1", "link-local"),
        ("100.64.0.1", "CGNAT"),
        ("0.0.0.0", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("[::ffff:127.0.0.1]", "IPv4-mapped"),
        ("[64:ff9b::7f00:1]", "NAT64"),
        ("[2002:7f00:1::]", "6to4"),
        ("[fd00::1]", "private"),
        ("169.254.169.254", "metadata"),
        ("[::ffff:169.254.169.254]", "metadata"),
    ],
)
def test_addresses_that_are_not_public_are_blocked(kind: Kind, host: str, what: str) -> None:
    async def scenario() -> None:
        async with opened(kind) as transport:
            answer = await transport.send(a_request(f"http://{host}/"), 2.0)
            assert answer.failure == "call.blocked"
            assert answer.may_have_been_sent is False
            assert f"({what})" in answer.text

    run(kind, scenario())


def test_a_network_entry_does_not_open_metadata(kind: Kind) -> None:
    async def scenario() -> None:
        async with opened(kind, allow="169.254.0.0/16,metadata.test:80") as transport:
            answer = await transport.send(a_request("http://169.254.169.254/"), 2.0)
            assert answer.failure == "call.blocked"
            assert "JOURNEY_EGRESS_ALLOW=169.254.169.254/32,169.254.0.0/16" in answer.text

    run(kind, scenario())


def test_a_name_with_one_forbidden_address_among_good_ones_is_blocked(kind: Kind) -> None:
    async def scenario() -> None:
        lookup = resolving(service="127.0.0.1 10.0.0.1")
        async with serving(keeping_alive()) as server, opened(kind, lookup=lookup) as transport:
            answer = await transport.send(a_request(server.url("service.test")), 2.0)
            assert answer.failure == "call.blocked"
            assert "10.0.0.1/32" in answer.text
            assert server.connections == 0

    run(kind, scenario())


def test_a_name_that_turns_to_a_forbidden_address_is_blocked_then(kind: Kind) -> None:
    """DNS rebinding: the second lookup answers otherwise."""
    answers = ["127.0.0.1", "10.0.0.1"]

    async def query(_: str) -> Sequence[str]:
        return [answers.pop(0)]

    async def scenario() -> None:
        lookup = Lookup(query, lifetime_s=0.0)
        async with serving(keeping_alive()) as server, opened(kind, lookup=lookup) as transport:
            url = server.url("service.test")
            assert (await transport.send(a_request(url), 2.0)).status == 200
            assert (await transport.send(a_request(url), 2.0)).failure == "call.blocked"
            assert len(server.seen) == 1

    run(kind, scenario())


def test_the_address_that_was_checked_is_the_one_dialled(kind: Kind) -> None:
    """No name server knows this name: without the pin nothing would answer."""

    async def scenario() -> None:
        lookup = resolving(service="127.0.0.1")
        async with serving(keeping_alive()) as server, opened(kind, lookup=lookup) as transport:
            for host in ("service.test", "SERVICE.Test"):
                assert (await transport.send(a_request(server.url(host)), 2.0)).status == 200
                assert f"host: service.test:{server.port}".encode() in server.seen[-1].lower()

    run(kind, scenario())


def test_an_entry_of_host_and_port_opens_this_port_alone(kind: Kind) -> None:
    async def scenario() -> None:
        async with (
            serving(keeping_alive()) as server,
            serving(keeping_alive()) as other,
            opened(kind, allow=f"127.0.0.1:{server.port}") as transport,
        ):
            assert (await transport.send(a_request(server.url()), 2.0)).status == 200
            refused = await transport.send(a_request(other.url()), 2.0)
            assert refused.failure == "call.blocked"

    run(kind, scenario())


DUBIOUS = [
    "http://2130706433:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://localhost.:{port}/",
    "http://user:password@127.0.0.1:{port}/",
    "http://127.0.0.1\\@example.com:{port}/",
    "http://127.0.0.1:{port}\\@example.com/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://\uff11\uff12\uff17.0.0.1:{port}/",
    "http://127.0.0.1:{port}/a b",
    "http://127.0.0.1:{port}/a\r\nx-evil: 1",
    "http:127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:99999/",
    "http://[::1%25lo]:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "",
]


@pytest.mark.parametrize("url", DUBIOUS)
def test_a_url_two_parsers_could_read_differently_is_blocked(kind: Kind, url: str) -> None:
    async def scenario() -> None:
        async with serving(keeping_alive()) as server, opened(kind) as transport:
            answer = await transport.send(a_request(url.format(port=server.port)), 2.0)
            assert answer.failure == "call.blocked"
            assert answer.may_have_been_sent is False
            assert "127.0.0.1" not in answer.text
            assert "password@" not in answer.text
            assert server.connections == 0

    run(kind, scenario())


def test_a_name_nobody_knows_was_never_sent(kind: Kind) -> None:
    async def scenario() -> None:
        async with opened(kind, lookup=resolving()) as transport:
            answer = await transport.send(a_request("http://nobody.test/"), 2.0)
            assert_failed(answer, "call.unreachable", "name not found", sent=False)

    run(kind, scenario())


def test_a_name_server_that_is_down_is_told_from_an_unknown_name(kind: Kind) -> None:
    async def query(_: str) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    async def scenario() -> None:
        async with opened(kind, lookup=Lookup(query)) as transport:
            answer = await transport.send(a_request("http://service.test/"), 2.0)
            assert_failed(answer, "call.unreachable", "the name server didn't answer", sent=False)

    run(kind, scenario())


def test_a_lookup_that_hangs_costs_the_deadline_and_no_more(kind: Kind) -> None:
    async def query(_: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async def scenario() -> None:
        async with opened(kind, lookup=Lookup(query)) as transport:
            begun = stopwatch()
            answer = await transport.send(a_request("http://service.test/"), 0.2)
            text = "the name's address wasn't found in time"
            assert_failed(answer, "call.unreachable", text, sent=False)
            assert stopwatch() - begun < 0.6

    run(kind, scenario())


def test_closing_ends_a_lookup_and_the_call_that_waits_for_it(kind: Kind) -> None:
    asked = asyncio.Event()

    async def query(_: str) -> Sequence[str]:
        asked.set()
        await asyncio.Event().wait()
        return []

    async def scenario() -> None:
        async with opened(kind, lookup=Lookup(query)) as transport:
            call = asyncio.create_task(transport.send(a_request("http://service.test/"), 3.0))
            await asked.wait()
            await transport.close()
            assert_failed(await call, "call.unreachable", "the transport is closed", sent=False)

    run(kind, scenario())


def test_a_name_is_looked_up_once_for_all_who_call_it(kind: Kind) -> None:
    asked: list[str] = []

    async def query(host: str) -> Sequence[str]:
        asked.append(host)
        await asyncio.sleep(0)
        return ["127.0.0.1"]

    async def scenario() -> None:
        async with (
            serving(keeping_alive()) as server,
            opened(kind, lookup=Lookup(query)) as transport,
        ):
            request = a_request(server.url("service.test"))
            answers = await asyncio.gather(*(transport.send(request, 3.0) for _ in range(30)))
            assert {answer.status for answer in answers} == {200}
            assert asked == ["service.test"]

    run(kind, scenario())


def test_a_service_that_moved_is_found_again_after_a_failed_connection(kind: Kind) -> None:
    where = ["127.0.0.2"]

    async def query(_: str) -> Sequence[str]:
        return list(where)

    async def scenario() -> None:
        lookup = Lookup(query, doubted_after_s=0.0)
        async with serving(keeping_alive()) as server, opened(kind, lookup=lookup) as transport:
            request = a_request(server.url("service.test"))
            answer = await transport.send(request, 2.0)
            assert_failed(answer, "call.unreachable", "connection refused", sent=False)
            where[:] = ["127.0.0.1"]
            assert (await transport.send(request, 2.0)).status == 200

    run(kind, scenario())
