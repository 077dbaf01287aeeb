"""Resolving credentials in a line each, with a token server that gives token 1, 2, 3 …"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from engine.clock import VirtualClock
from engine.core.message import Answer, Request
from engine.credentials.credential import Credential
from engine.credentials.resolver import Resolver
from engine.errors import CredentialFailure
from engine.wire.scripted import ScriptedTransport
from tests.unit.credentials.installation import Installation

NOWHERE = ScriptedTransport([])


def run(
    here: Installation,
    work: Callable[[Resolver], Awaitable[Any]],
    **options: Any,
) -> Any:
    async def whole() -> Any:
        resolver = here.resolver(options.pop("transport", NOWHERE), **options)
        try:
            return await work(resolver)
        finally:
            await resolver.close()

    return asyncio.run(whole())


async def now(resolver: Resolver, endpoint: str, not_this: Credential | None = None) -> Credential:
    live = await resolver.current(endpoint)
    assert live is not None
    assert live.profile_id is not None
    return await resolver.credential(live.profile_id, live.profile_version, not_this=not_this)


def sent(credential: Credential) -> str:
    return credential.placement.headers[0][1]


OAUTH: dict[str, Any] = {
    "kind": "oauth2",
    "token_url": "http://127.0.0.1:9/token",
    "client_id": "crm",
    "client_secret": {"seal_from_env": "TOKEN"},
}


class TokenServer(ScriptedTransport):
    """Gives token 1, 2, 3 … each for ``life`` seconds, or what ``fail`` says."""

    def __init__(self, life: float = 100.0) -> None:
        super().__init__(self._answer)
        self.life = life
        self.fail: Answer | None = None

    def _answer(self, _: Request) -> Answer:
        if self.fail is not None:
            return self.fail
        body = f'{{"access_token": "token-{len(self.requests)}", "expires_in": {self.life}}}'
        return Answer(200, {}, body.encode())


def oauth(
    here: Installation,
    work: Callable[[Resolver, TokenServer, VirtualClock], Awaitable[None]],
    **written: Any,
) -> None:
    here.apply("crm", **{**OAUTH, **written})
    here.endpoint("scores", "crm")
    server, clock = TokenServer(), VirtualClock(1_000_000_000_000_000)
    run(here, lambda r: work(r, server, clock), transport=server, clock=clock)


def later(clock: VirtualClock, seconds: float) -> None:
    clock.move_to(clock.now() + int(seconds * 1_000_000))


async def eventually(ask: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await ask():  # noqa: ASYNC110  what is waited for is a thread's work
            await asyncio.sleep(0.005)


async def code_of(resolver: Resolver, not_this: Credential | None = None) -> str:
    with pytest.raises(CredentialFailure) as failure:
        await now(resolver, "scores", not_this)
    assert "\n" not in failure.value.message
    assert "from-env-1" not in failure.value.message
    return failure.value.code
