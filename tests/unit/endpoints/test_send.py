from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.core.message import Answer, Request
from engine.credentials.credential import Credential, Placement
from engine.credentials.live_versions import LiveEndpoint, LiveVersions
from engine.credentials.store.versions import live_versions
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.endpoints import store
from engine.endpoints.model import Endpoint
from engine.endpoints.send import Sender, Sent
from engine.errors import CredentialFailure
from engine.wire.scripted import Script, ScriptedTransport
from tests.databases import database_url

pytestmark = pytest.mark.usefixtures("either_database")

OK = Answer(status=200)
UNAUTHORIZED = Answer(status=401)
STALE = Answer(failure="call.unreachable", text="closed", stale_connection=True)


@dataclass
class OneCall:
    endpoint: str = "crm"
    method: str = "POST"
    target: str = "/score"
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str | None = "application/json"
    body: bytes = b'{"a":1}'
    key: str = "K1"


def credential(token: str, version: int = 1, origin: str = "https://a.example:443") -> Credential:
    return Credential(
        profile_id=1,
        profile="crm-token",
        kind="bearer",
        version=version,
        origins=frozenset({origin}),
        placement=Placement(headers=(("authorization", f"Bearer {token}"),)),
        fingerprint=token,
    )


@dataclass
class Tokens:
    """Resolves from a list: the first one, and on refusal the next."""

    tokens: list[Credential | CredentialFailure]
    live: LiveVersions | None = None

    async def current(self, endpoint: str) -> LiveEndpoint | None:
        assert self.live is not None
        return await self.live.current(endpoint)

    async def credential(
        self, profile_id: int, version: int, *, not_this: Credential | None = None
    ) -> Credential:
        token = self.tokens[1 if not_this is not None else 0]
        if isinstance(token, CredentialFailure):
            raise token
        return token


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(database_url(tmp_path))
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO auth_profiles (id, name, title, kind, settings, origins, version, inline,"
            " changed_at) VALUES (1, 'crm-token', '', 'bearer', '{}', '[]', 1, FALSE, 0)"
        )
    yield database
    database.close()


def save(database: Database, **fields: object) -> None:
    endpoint = Endpoint.model_validate({"name": "crm", "base_url": "https://a.example"} | fields)
    with database.write() as connection:
        store.save(connection, endpoint, now=1, actor="ada")


def send(
    database: Database,
    script: Script,
    tokens: Tokens | None = None,
    call: OneCall | None = None,
    between: Callable[[], None] | None = None,
) -> tuple[Sent, list[Request]]:
    """One call, or two with something done in between; the last outcome and all requests."""
    transport = ScriptedTransport(script)

    async def scenario() -> Sent:
        resolver = tokens or Tokens([])
        resolver.live = live = live_versions(database)
        sender = Sender(database, resolver, transport)
        try:
            sent = await sender.send(call or OneCall())
            if between is not None:
                between()
                sent = await sender.send(call or OneCall())
        finally:
            live.close()
        return sent

    return asyncio.run(scenario()), transport.requests


def test_a_call_without_authentication_goes_out_as_it_is(database: Database) -> None:
    save(database)
    sent, requests = send(database, [OK])
    assert sent == Sent(OK, None, "", 1, None)
    assert requests[0].url == "https://a.example/score"
    assert dict(requests[0].headers)["idempotency-key"] == "K1"
    assert "authorization" not in dict(requests[0].headers)


def test_a_refused_credential_is_renewed_once_with_the_same_key_and_body(
    database: Database,
) -> None:
    save(database, auth="crm-token")
    tokens = Tokens([credential("old"), credential("new", 2)])
    sent, requests = send(database, [UNAUTHORIZED, OK], tokens)
    assert sent == Sent(OK, None, "", 2, 2)
    assert [dict(r.headers)["authorization"] for r in requests] == ["Bearer old", "Bearer new"]
    assert requests[0].body == requests[1].body
    assert {dict(r.headers)["idempotency-key"] for r in requests} == {"K1"}


def test_a_second_refusal_is_credential_rejected(database: Database) -> None:
    save(database, auth="crm-token")
    tokens = Tokens([credential("old"), credential("new")])
    sent, requests = send(database, [UNAUTHORIZED], tokens)
    assert (sent.failure, sent.attempts, len(requests)) == ("credential.rejected", 2, 2)
    assert sent.answer.status == 401
    assert "crm-token" in sent.text
    assert "old" not in sent.text
    assert "new" not in sent.text


def test_the_same_secret_is_not_sent_again_after_a_refusal(database: Database) -> None:
    save(database, auth="crm-token")
    tokens = Tokens([credential("same"), credential("same")])
    sent, requests = send(database, [UNAUTHORIZED], tokens)
    assert (sent.failure, sent.attempts, len(requests)) == ("credential.rejected", 1, 1)


def test_no_credential_means_no_request(database: Database) -> None:
    save(database, auth="crm-token")
    tokens = Tokens([CredentialFailure("the token server is down")])
    sent, requests = send(database, [OK], tokens)
    assert (sent.failure, sent.text, sent.attempts) == (
        "credential.unavailable",
        "the token server is down",
        0,
    )
    assert requests == []


def test_a_credential_is_never_sent_to_a_host_its_profile_is_not_bound_to(
    database: Database,
) -> None:
    save(database, auth="crm-token")
    tokens = Tokens([credential("secret", origin="https://other.example:443")])
    sent, requests = send(database, [OK], tokens)
    assert (sent.failure, requests) == ("credential.host_not_allowed", [])


def test_a_blocked_target_is_never_sent(database: Database) -> None:
    save(database)
    sent, requests = send(database, [OK], call=OneCall(target="/../admin"))
    assert (sent.failure, sent.attempts, requests) == ("call.blocked", 0, [])


def test_a_deleted_endpoint_fails_visibly(database: Database) -> None:
    sent, requests = send(database, [OK])
    assert (sent.failure, requests) == ("credential.missing", [])


def test_a_call_whose_profile_was_deleted_is_not_sent_without_it(database: Database) -> None:
    save(database, auth="crm-token")
    with database.write() as connection:
        store.lose_profile(connection, "crm-token", now=2, actor="ann")
    sent, requests = send(database, [OK])
    assert (sent.failure, requests) == ("credential.missing", [])
    assert "crm-token" in sent.text


def test_a_kept_connection_that_was_closed_is_replaced_at_once(database: Database) -> None:
    save(database)
    sent, requests = send(database, [STALE, OK])
    assert (sent.answer, sent.attempts, len(requests)) == (OK, 1, 2)


def test_the_one_that_replaces_it_is_new(database: Database, monkeypatch: Any) -> None:
    """Who closed one kept connection has closed the others, too."""
    save(database)
    over: list[bool] = []
    scripted = ScriptedTransport.send

    async def noting(self: ScriptedTransport, *given: Any, anew: bool = False, **more: Any) -> Any:
        over.append(anew)
        return await scripted(self, *given, **more)

    monkeypatch.setattr(ScriptedTransport, "send", noting)
    send(database, [STALE, OK])
    assert over == [False, True]


def test_a_call_that_may_be_made_at_most_once_is_not_repeated(database: Database) -> None:
    save(database, delivery="at_most_once")
    sent, requests = send(database, [STALE, OK])
    assert (sent.failure, sent.attempts, len(requests)) == ("call.unreachable", 1, 1)


def test_a_request_that_never_left_is_not_counted(database: Database) -> None:
    save(database)
    refused = Answer(failure="call.unreachable", text="refused", may_have_been_sent=False)
    sent, _ = send(database, [refused])
    assert (sent.failure, sent.text, sent.attempts) == ("call.unreachable", "refused", 0)


def test_an_assigned_profile_is_seen_by_the_next_call_and_so_is_a_taken_one(
    database: Database,
) -> None:
    save(database)
    tokens = Tokens([credential("t")])
    _, requests = send(database, [OK], tokens, between=lambda: save(database, auth="crm-token"))
    assert ["authorization" in dict(r.headers) for r in requests] == [False, True]
    _, requests = send(database, [OK], tokens, between=lambda: save(database))
    assert ["authorization" in dict(r.headers) for r in requests] == [True, False]


def test_an_edited_base_url_is_seen_by_the_next_call(database: Database) -> None:
    save(database)
    _, requests = send(
        database, [OK], between=lambda: save(database, base_url="https://b.example/v3")
    )
    assert [r.url for r in requests] == ["https://a.example/score", "https://b.example/v3/score"]
