"""Which line a request takes: kept per address, changed over and retired at the right moments."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Sequence

import pytest

from engine.clock import stopwatch
from engine.errors import CallFailure
from engine.wire.egress import Egress
from engine.wire.lookup import Lookup
from engine.wire.routes import MAX_ROUTES, Routes
from engine.wire.transport import DEFAULT_NETWORK, Network
from tests.contract.test_transport_tls import AUTHORITY

URL = "http://service.test:9/path"


def routes_to(*addresses: str, where: list[str] | None = None) -> Routes:
    known = list(addresses) if where is None else where

    async def query(_: str) -> Sequence[str]:
        return list(known)

    return Routes(Egress.parse("127.0.0.0/8"), Lookup(query, lifetime_s=0.0))


def test_changing_over_and_back_makes_one_line_per_address() -> None:
    async def scenario() -> None:
        routes = routes_to("127.0.0.2", "127.0.0.3")
        route = routes.to(URL, DEFAULT_NETWORK, 0.0)
        first = await routes.open(route, 1.0)
        second = routes.after(route, first)
        assert second is not None
        assert (first.address, second.address) == ("127.0.0.2", "127.0.0.3")
        assert routes.after(route, second) is first
        assert await routes.open(route, 1.0) is first
        await routes.close()

    asyncio.run(scenario())


def test_whoever_fails_later_joins_the_change_that_was_made() -> None:
    async def scenario() -> None:
        routes = routes_to("127.0.0.2", "127.0.0.3")
        route = routes.to(URL, DEFAULT_NETWORK, 0.0)
        first = await routes.open(route, 1.0)
        second = routes.after(route, first)
        assert routes.after(route, first) is second
        await routes.close()

    asyncio.run(scenario())


def test_one_address_leaves_nothing_to_change_to() -> None:
    async def scenario() -> None:
        routes = routes_to("127.0.0.2")
        route = routes.to(URL, DEFAULT_NETWORK, 0.0)
        assert routes.after(route, await routes.open(route, 1.0)) is None
        await routes.close()

    asyncio.run(scenario())


def test_a_service_that_moved_gets_another_line_and_one_that_stayed_keeps_it() -> None:
    async def scenario() -> None:
        where = ["127.0.0.2"]
        routes = routes_to(where=where)
        route = routes.to(URL, DEFAULT_NETWORK, 0.0)
        line = await routes.open(route, 1.0)
        where.insert(0, "127.0.0.3")
        assert await routes.open(route, 1.0) is line
        where.remove("127.0.0.2")
        assert (await routes.open(route, 1.0)).address == "127.0.0.3"
        where[:] = ["10.0.0.1"]
        with pytest.raises(CallFailure, match=r"10\.0\.0\.1"):
            await routes.open(route, 1.0)
        assert route.line is None
        await routes.close()

    asyncio.run(scenario())


def test_routes_are_kept_by_origin_and_network_and_no_more_than_the_limit() -> None:
    routes = routes_to()
    first = routes.to("http://service.test/a", DEFAULT_NETWORK, 0.0)
    assert routes.to("http://service.test/b?c", Network(), 1.0) is first
    assert routes.to("http://service.test/a", Network(verify=False), 2.0) is not first
    assert routes.to("https://service.test/a", DEFAULT_NETWORK, 2.0) is not first
    for number in range(MAX_ROUTES):
        routes.to(f"http://service-{number}.test/", DEFAULT_NETWORK, 3.0 + number)
    assert routes.to("http://service.test/a", DEFAULT_NETWORK, 999.0) is not first


def test_a_client_certificate_that_is_shown_no_more_is_forgotten_with_its_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.wire.routes.KEY_KEPT_S", 0.01)
    network = Network(client_certificate=AUTHORITY.leaf("client.test"))

    async def scenario() -> None:
        routes = routes_to("127.0.0.2")
        plain = routes.to("https://service.test:9/", DEFAULT_NETWORK, 0.0)
        kept = await routes.open(plain, 1.0)
        for _ in range(2):
            route = routes.to("https://service.test:9/", network, stopwatch())
            line = await routes.open(route, 1.0)
            assert line.tls is not None
            context = weakref.ref(line.tls)
            del line
            async with asyncio.timeout(10):
                while route.lines or context() is not None:
                    await asyncio.sleep(0.005)
                    gc.collect()
            assert routes.to("https://service.test:9/", DEFAULT_NETWORK, 0.0).line is kept
        await routes.close()

    asyncio.run(scenario())


def test_a_host_that_only_begins_like_a_known_one_has_a_route_of_its_own() -> None:
    routes = routes_to()
    known = routes.to("http://service.tes", DEFAULT_NETWORK, 0.0)
    other = routes.to("http://service.test", DEFAULT_NETWORK, 0.0)
    assert (known.origin.host, other.origin.host) == ("service.tes", "service.test")
    assert routes.to("http://service.test/a", DEFAULT_NETWORK, 0.0) is other


@pytest.mark.parametrize(
    "url",
    [
        "http://service.test\\@evil.test/",
        "http://service.test /",
        "http://service.test?q=/",
        "http://service.test#/",
    ],
)
def test_a_known_route_is_taken_by_nothing_but_what_begins_with_its_prefix(url: str) -> None:
    routes = routes_to()
    known = routes.to("http://service.test/a", DEFAULT_NETWORK, 0.0)
    try:
        assert (routes.to(url, DEFAULT_NETWORK, 1.0) is known) is ("?" in url)
    except CallFailure as refused:
        assert refused.code == "call.blocked"
