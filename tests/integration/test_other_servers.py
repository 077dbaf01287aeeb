"""Tokens of authorization servers that others wrote: Django OAuth Toolkit and Authlib."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.credentials.access_tokens.ask import TokenServers
from engine.credentials.access_tokens.revocable import open_tokens
from engine.credentials.access_tokens.revoke import revoke
from engine.credentials.references import Given
from engine.endpoints.send import Sender, Sent
from engine.telemetry.redact import known_secrets
from engine.wire.egress import Egress
from engine.wire.http_transport import HttpTransport
from tests.databases import BOTH_IN_SOAK
from tests.integration.token_user import Call, token_users
from tests.partners.others import SERVERS, Other, other
from tests.unit.credentials.installation import Installation

CLIENT, SECRET = "ümläut client+1", "/+=%: ☃ &?#secret"
USER, PASSWORD = "bot %1", "pass:wörd+ 1"
EGRESS = Egress.parse("127.0.0.0/8,[::1]")

pytestmark = [BOTH_IN_SOAK, pytest.mark.usefixtures("either_database")]


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Other]:
    pytest.importorskip("django" if request.param == "django_toolkit" else "authlib")
    settings = {"client": CLIENT, "secret": SECRET, "user": USER, "password": PASSWORD}
    with other(request.param, **settings, life=3600) as running:
        yield running


def installation(folder: Path, server: Other, **written: Any) -> Installation:
    here = Installation(folder)
    profile = {"kind": "oauth2", "client_id": CLIENT, "client_secret": Given(SECRET), **written}
    if "issuer" not in profile:
        profile["token_url"] = server.token_url
    here.apply("p", **profile)
    for name in ("api", "scores"):
        here.endpoint(name, "p", server.url)
        settings = f'{{"base_url": "{server.url}"}}'
        here.sql("UPDATE endpoints SET settings = ? WHERE name = ?", settings, name)
    return here


def calls(
    here: Installation, work: Callable[[Callable[[], Awaitable[Sent]]], Awaitable[None]]
) -> None:
    """Do ``work`` with what sends a call to the server's resource."""

    async def whole() -> None:
        transport = HttpTransport(EGRESS)
        resolver = here.resolver(transport)
        sender = Sender(here.database, resolver, transport)
        try:
            await work(lambda: sender.send(Call("key", "/api/tasks")))
        finally:
            await resolver.close()
            await transport.close()

    asyncio.run(whole())


def since(server: Other, before: dict[str, int]) -> dict[str, int]:
    """What it counted more than ``before``."""
    return {
        name: count - before.get(name, 0)
        for name, count in server.counts.items()
        if count != before.get(name, 0)
    }


def path(url: str, server: Other) -> str:
    return url.removeprefix(server.url)


def of_people(server: Other) -> dict[str, Any]:
    """The fields of a profile of grant password."""
    client = "for-people" if "token/" in server.token_url else CLIENT
    user = {"grant": "password", "username": USER, "password": Given(PASSWORD)}
    return {**user, "client_id": client}


@pytest.mark.parametrize("auth", ["basic", "post"])
def test_a_client_of_odd_characters_gets_its_token_and_another_after_a_401(
    tmp_path: Path, server: Other, auth: str
) -> None:
    here = installation(tmp_path, server, client_auth=auth)
    before = server.counts

    async def work(call: Callable[[], Awaitable[Sent]]) -> None:
        assert {(await call()).answer.status for _ in range(3)} == {201}
        server.change()  # all its tokens are withdrawn
        sent = await call()
        assert (sent.answer.status, sent.attempts, sent.failure) == (201, 2, None)

    calls(here, work)
    token = path(server.token_url, server)
    assert since(server, before) == {
        f"{token} client_credentials 200": 2,
        "/api/tasks 201": 4,
        "/api/tasks 401": 1,
    }


def test_a_server_is_found_by_its_issuer(tmp_path: Path, server: Other) -> None:
    here = installation(tmp_path, server, issuer=server.issuer)
    before = server.counts

    async def work(call: Callable[[], Awaitable[Sent]]) -> None:
        assert (await call()).answer.status == 201

    calls(here, work)
    assert since(server, before)["/.well-known/oauth-authorization-server 200"] == 1


def test_a_wrong_secret_is_refused_with_the_servers_word_for_it(
    tmp_path: Path, server: Other
) -> None:
    here = installation(tmp_path, server, client_secret=Given("not it"))

    async def work(call: Callable[[], Awaitable[Sent]]) -> None:
        sent = await call()
        assert sent.failure == "credential.unavailable"
        assert "401 invalid_client" in sent.text
        assert "not it" not in sent.text

    calls(here, work)


def test_rotated_refresh_tokens_are_shared_by_processes_and_never_shown_twice(
    tmp_path: Path, server: Other
) -> None:
    installation(tmp_path, server, **of_people(server))
    before = server.counts
    with token_users(tmp_path, 2) as users:
        for command in ("get 5", "reject 5"):
            for user in users:
                user.tell(command)
            answers = [user.answer() for user in users]
            assert answers[0] == answers[1]
            assert len(answers[0]["values"]) == 1
    token = path(server.token_url, server)
    counted = {f"{token} password 200": 1, f"{token} refresh_token 200": 1}
    assert since(server, before) == counted


def test_a_refresh_token_that_was_spent_by_another_costs_one_login(
    tmp_path: Path, server: Other
) -> None:
    """As after a crash between the server's answer and the commit."""
    here = installation(tmp_path, server, **of_people(server))
    spent = "SELECT sealed_refresh, sealed_fence FROM token_states"
    due = "UPDATE token_states SET soft_expiry = 1, hard_expiry = 1"
    before = server.counts
    with token_users(tmp_path, 1) as (user,):
        user.ask("get 1")
        ((refresh, fence),) = here.sql(spent)
        user.ask("reject 1")
        here.sql(due)
        here.sql("UPDATE token_states SET sealed_refresh = ?, sealed_fence = ?", refresh, fence)
    with token_users(tmp_path, 1) as (user,):
        assert len(user.ask("get 1")["values"]) == 1
    token = path(server.token_url, server)
    refused = [count for name, count in since(server, before).items() if "refresh_token 4" in name]
    assert refused == [1]
    assert since(server, before)[f"{token} password 200"] == 2

    async def work(call: Callable[[], Awaitable[Sent]]) -> None:
        assert (await call()).answer.status == 201

    calls(here, work)


def test_the_tokens_of_a_profile_that_goes_are_good_no_more(tmp_path: Path, server: Other) -> None:
    here = installation(tmp_path, server, **of_people(server), revocation_url=server.revocation_url)

    async def work(call: Callable[[], Awaitable[Sent]]) -> None:
        assert (await call()).answer.status == 201
        with here.database.write() as connection:
            tokens = open_tokens(connection, here.vault, here.references, "p")
        assert tokens is not None
        transport = HttpTransport(EGRESS)
        said = await revoke(TokenServers(transport, known_secrets), tokens)
        await transport.close()
        assert said == "its access token was revoked"
        sent = await call()
        assert sent.attempts == 2, "the API refused the old one"
        assert sent.answer.status == 201

    calls(here, work)
