"""Every kind of auth profile against a service that demands it: stored, sent, refused, rotated."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from engine.core.message import Answer, Request
from engine.credentials.attach import attach, rejected
from engine.credentials.credential import Credential
from engine.credentials.kinds.registry import KINDS
from engine.credentials.references import Given
from engine.credentials.resolver import Resolver
from engine.errors import CredentialFailure
from engine.telemetry.redact import MASK, Redactor
from engine.wire.egress import Egress
from engine.wire.http_transport import HttpTransport
from tests.databases import by_hand
from tests.partners import (
    CRM,
    AuthorizationServer,
    Echo,
    Loyalty,
    Messenger,
    Partner,
    TokenBook,
    running,
)
from tests.unit.credentials.installation import Installation

OLD, NEW = "C4n4ry/old+secret 1", "C4n4ry/new+secret 2"
PASSWORDS = ("C4n4ry-old-pass", "C4n4ry-new-pass")
KEYS = ("C4n4ry-old-key-1", "C4n4ry-new-key-2")


@dataclass(frozen=True)
class Case:
    """A kind's profile with ``old`` in it, a service that takes it, and how the service rotates."""

    written: dict[str, Any]
    make: Callable[[AuthorizationServer], Partner]
    rotate: Callable[[Partner, AuthorizationServer, str], None]
    request: tuple[str, str, bytes]
    secrets: tuple[str, str] = (OLD, NEW)
    field: str | None = None


def _api_key(place: str, request: tuple[str, str, bytes]) -> Case:
    pairs = [
        {"name": "X-Key", "in": place, "value": Given(KEYS[0])},
        {"name": "X-App", "in": place, "value": "shop-7"},
    ]
    return Case(
        {"kind": "api_key", "pairs": pairs},
        lambda _: Messenger({"X-Key": KEYS[0], "X-App": "shop-7"}, place=place),
        lambda partner, _, new: partner.change(keys={"X-Key": new, "X-App": "shop-7"}),
        request,
        KEYS,
        "X-Key",
    )


def _oauth(**written: Any) -> Case:
    return Case(
        {"kind": "oauth2", "client_id": "crm client", "client_secret": Given(OLD), **written},
        lambda server: CRM(server.book),
        lambda _, server, new: server.rotate(new),
        ("GET", "/users/u1/score", b""),
    )


def _change_password(_: Partner, server: AuthorizationServer, new: str) -> None:
    server.change(users={"bot": new})
    server.book.revoke()


SEND = ("POST", "/messages", b'{"to":"ann"}')
CASES = {
    "basic": Case(
        {"kind": "basic", "username": "böt", "password": Given(OLD)},
        lambda _: Loyalty({"böt": OLD}),
        lambda partner, _, new: partner.change(passwords={"böt": new}),
        ("GET", "/members/u1", b""),
    ),
    "bearer": Case(
        {"kind": "bearer", "token": Given(KEYS[0]), "prefix": "Token"},
        lambda _: Messenger({"authorization": f"Token {KEYS[0]}"}),
        lambda partner, _, new: partner.change(keys={"authorization": f"Token {new}"}),
        SEND,
        KEYS,
    ),
    "api_key in a header": _api_key("header", SEND),
    "api_key in the query": _api_key("query", SEND),
    "api_key in the body": _api_key("body", SEND),
    "oauth2 client_credentials": _oauth(),
    "oauth2 in the body": _oauth(client_auth="post"),
    "oauth2 in JSON": _oauth(client_auth="post", body="json"),
    "oauth2 password": replace(
        _oauth(grant="password", username="bot", password=Given(PASSWORDS[0])),
        rotate=_change_password,
        secrets=PASSWORDS,
        field="password",
    ),
}

cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


class World:
    """A case set up: the service, the token server, the installation, a resolver."""

    def __init__(self, folder: Path, case: Case, service: Partner, server: Any) -> None:
        self.case, self.service, self.server = case, service, server
        self.here = Installation(folder)
        written = dict(case.written)
        if written["kind"] == "oauth2":
            written["token_url"] = server.token_url
        self.here.apply("p", **written)
        self.here.endpoint("e", "p", service.url)
        self.redactor = Redactor()
        self.resolver: Resolver
        self.transport: HttpTransport

    async def resolve(self, not_this: Credential | None = None) -> Credential:
        live = await self.resolver.current("e")
        assert live is not None
        assert live.profile_id is not None
        return await self.resolver.credential(
            live.profile_id, live.profile_version, not_this=not_this
        )

    async def send(self, credential: Credential) -> Answer:
        method, path, body = self.case.request
        headers = (("content-type", "application/json"),) if body else ()
        request = Request(method, self.service.url + path, headers, body)
        return await self.transport.send(attach(request, credential), 5.0)

    def rotate_there(self) -> None:
        self.case.rotate(self.service, self.server, self.case.secrets[1])


def in_world(folder: Path, case: Case, work: Callable[[World], Any]) -> World:
    async def whole(world: World) -> None:
        world.transport = HttpTransport(Egress.parse("127.0.0.0/8"))
        world.resolver = world.here.resolver(world.transport, redactor=world.redactor)
        try:
            await work(world)
        finally:
            await world.resolver.close()
            await world.transport.close()

    server = AuthorizationServer(
        client="crm client", secrets={OLD}, users={"bot": PASSWORDS[0]}, book=TokenBook()
    )
    with running(server), running(case.make(server)) as service:
        world = World(folder, case, service, server)
        asyncio.run(whole(world))
        return world


def test_every_kind_has_a_case() -> None:
    assert {case.written["kind"] for case in CASES.values()} | {"none"} == set(KINDS)


@cases
def test_a_service_takes_what_is_attached(tmp_path: Path, case: Case) -> None:
    async def work(world: World) -> None:
        answer = await world.send(await world.resolve())
        assert answer.status in (200, 201, 202), answer
        assert not rejected(answer, await world.resolve())

    in_world(tmp_path, case, work)


@cases
def test_a_rotated_secret_is_rejected_until_the_product_is_told(tmp_path: Path, case: Case) -> None:
    async def work(world: World) -> None:
        before = await world.resolve()
        await world.send(before)
        world.rotate_there()
        answer = await world.send(before)
        assert rejected(answer, before)
        with pytest.raises(CredentialFailure):
            await world.resolve(not_this=before)
        world.here.rotate("p", world.case.secrets[1], world.case.field)
        after = await world.resolve(not_this=before)
        assert (await world.send(after)).status in (200, 201, 202)
        assert after.version == before.version + 1

    in_world(tmp_path, case, work)


@cases
def test_attaching_twice_is_attaching_once(tmp_path: Path, case: Case) -> None:
    async def work(world: World) -> None:
        credential = await world.resolve()
        method, path, body = world.case.request
        request = Request(method, world.service.url + path, (("x-other", "1"),), body)
        once = attach(request, credential)
        assert attach(once, credential) == once
        assert ("x-other", "1") in once.headers

    in_world(tmp_path, case, work)


@cases
def test_no_secret_of_a_kind_is_in_repr_logs_or_any_file(
    tmp_path: Path, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []

    async def work(world: World) -> None:
        credential = await world.resolve()
        await world.send(credential)
        shown.append(repr((credential, vars(world.resolver), world.here.vault)))
        world.rotate_there()
        with pytest.raises(CredentialFailure) as failure:
            await world.resolve(not_this=credential)
        shown.append(f"{failure.value!r} {failure.value}")

    world = in_world(tmp_path, case, work)
    canaries = Redactor()
    canaries.learn((*case.secrets, OLD, *world.server.book._tokens))
    with by_hand(world.here.database.path) as connection:
        shown.append("\n".join(connection.iterdump()))
    shown += [file.read_bytes().decode("latin-1") for file in tmp_path.iterdir()]
    for text in (*shown, caplog.text):
        assert MASK not in canaries.redact(text)


def test_a_profile_of_kind_none_attaches_nothing(tmp_path: Path) -> None:
    here = Installation(tmp_path)
    here.apply("p", kind="none")
    with running(Echo()) as echo:
        here.endpoint("e", "p", echo.url)

        async def work() -> None:
            transport = HttpTransport(Egress.parse("127.0.0.0/8"))
            resolver = here.resolver(transport)
            live = await resolver.current("e")
            assert live is not None
            credential = await resolver.credential(live.profile_id or 0, live.profile_version)
            request = Request("GET", f"{echo.url}/x")
            assert attach(request, credential) is request
            await resolver.close()
            await transport.close()

        asyncio.run(work())
