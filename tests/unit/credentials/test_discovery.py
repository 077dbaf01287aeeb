from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from engine.core.message import Answer, Request
from engine.credentials.access_tokens import discovery
from engine.credentials.access_tokens.answer import Refused
from engine.credentials.access_tokens.discovery import Discovery, Server, metadata_urls
from engine.credentials.kinds.oauth2 import OAuth2
from engine.wire.scripted import Script, ScriptedTransport
from engine.wire.transport import Network
from tests.unit.credentials.installation import profile

ISSUER = "https://id.example.com/tenant"
METADATA = {
    "issuer": ISSUER,
    "token_endpoint": "https://tokens.example.com/t",
    "revocation_endpoint": "https://tokens.example.com/r",
}


def client(**written: Any) -> OAuth2:
    found = profile(
        kind="oauth2", client_id="crm", client_secret={"env": "S"}, **({"issuer": ISSUER} | written)
    )
    assert isinstance(found, OAuth2)
    return found


def said(**changed: object) -> Answer:
    whole = {name: value for name, value in (METADATA | changed).items() if value is not None}
    return Answer(200, {}, json.dumps(whole).encode())


def find(script: Script, times: int = 1, **written: Any) -> tuple[Server | Refused, list[str]]:
    transport = ScriptedTransport(script)

    async def whole() -> Server | Refused:
        found = Discovery(transport)
        for _ in range(times - 1):
            await found.server(client(**written), Network())
        return await found.server(client(**written), Network())

    return asyncio.run(whole()), [request.url for request in transport.requests]


def test_an_issuer_with_a_path_has_two_places_for_its_metadata() -> None:
    well_known = "https://id.example.com/.well-known/oauth-authorization-server"
    assert list(metadata_urls("https://id.example.com/")) == [
        well_known,
        "https://id.example.com/.well-known/openid-configuration",
    ]
    assert list(metadata_urls(ISSUER)) == [
        f"{well_known}/tenant",
        f"{ISSUER}/.well-known/openid-configuration",
    ]


def test_the_token_server_is_what_the_issuer_says_and_it_is_asked_once() -> None:
    server, urls = find([said()], times=3)
    assert server == Server("https://tokens.example.com/t", "https://tokens.example.com/r")
    assert len(urls) == 1


def test_where_the_first_place_is_empty_the_second_is_read() -> None:
    server, urls = find([Answer(404), said(revocation_endpoint=None)])
    assert server == Server("https://tokens.example.com/t")
    assert urls == list(metadata_urls(ISSUER))


@pytest.mark.parametrize("first", [Answer(200, {}, b"<html>"), Answer(302), Answer(500)])
def test_what_answers_everything_with_a_page_hides_no_second_place(first: Answer) -> None:
    server, urls = find([first, said()])
    assert isinstance(server, Server)
    assert urls == list(metadata_urls(ISSUER))


@pytest.mark.parametrize(
    "first", [Answer(404), Answer(302), Answer(500), Answer(200, {}, b"<html>")]
)
def test_of_two_reasons_the_one_that_says_more_is_told(first: Answer) -> None:
    server, _ = find([first, said(issuer="https://evil.example")])
    assert isinstance(server, Refused)
    assert "correct issuer" in server.text


def test_a_profile_with_a_token_url_asks_nobody() -> None:
    written: dict[str, Any] = {
        "issuer": None,
        "token_url": "https://a.example/t",
        "revocation_url": ISSUER,
    }
    server, urls = find([said()], **written)
    assert (server, urls) == (Server("https://a.example/t", ISSUER), [])


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"issuer": "https://evil.example"}, "are of 'https://evil.example': correct issuer"),
        ({"issuer": f"{ISSUER}/"}, "correct issuer"),
        ({"issuer": None}, "another issuer"),
        ({"token_endpoint": None}, "token_endpoint is missing"),
        ({"token_endpoint": "http://id.example.com/t"}, "token_endpoint must be https"),
        ({"token_endpoint": "https://a:b@id.example.com/t"}, "token_endpoint"),
        ({"token_endpoint": ["x"]}, "token_endpoint is missing"),
    ],
)
def test_metadata_that_may_not_be_followed_are_refused(
    changed: dict[str, object], text: str
) -> None:
    server, _ = find([said(**changed)])
    assert isinstance(server, Refused)
    assert server.permanent
    assert text in server.text


def test_a_revocation_endpoint_that_may_not_be_used_is_none() -> None:
    server, _ = find([said(revocation_endpoint="http://evil.example/r")])
    assert server == Server("https://tokens.example.com/t")


@pytest.mark.parametrize(
    ("answer", "permanent", "requests"),
    [
        (Answer(404), True, 2),
        (Answer(301), True, 2),
        (Answer(503, {"retry-after": "7"}), False, 1),
        (Answer(429), False, 1),
        (Answer(failure="call.timed_out", text="too slow"), False, 1),
        (Answer(failure="call.blocked", text="no"), True, 1),
        (Answer(200, {}, b"<html>"), False, 2),
        (Answer(500), False, 2),
    ],
)
def test_an_issuer_that_says_nothing_is_a_failure_with_its_cure(
    answer: Answer, permanent: bool, requests: int
) -> None:
    server, urls = find([answer])
    assert isinstance(server, Refused)
    assert (server.permanent, len(urls)) == (permanent, requests)
    assert server.retry_after == (7_000_000 if answer.status == 503 else None)


def test_what_an_issuer_said_lasts_while_it_is_silent_and_is_asked_again_when_it_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter([said(), Answer(503), said(token_endpoint="https://new.example/t")])

    def script(_: Request) -> Answer:
        return next(answers)

    async def whole() -> None:
        found, of = Discovery(ScriptedTransport(script)), client()
        first = await found.server(of, Network())
        monkeypatch.setattr(discovery, "KEPT_S", -1.0)
        assert await found.server(of, Network()) == first
        monkeypatch.undo()
        found.forget(of)
        moved = await found.server(of, Network())
        assert isinstance(moved, Server)
        assert moved.token_url == "https://new.example/t"

    asyncio.run(whole())
