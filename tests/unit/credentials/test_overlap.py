from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.clock import VirtualClock
from engine.core.message import Answer, Request
from engine.credentials import overlap
from engine.credentials.access_tokens import row
from engine.credentials.access_tokens import tokens as access_tokens
from engine.credentials.overlap import Preference
from engine.credentials.references import Given
from engine.credentials.resolver import Resolver
from engine.errors import CredentialFailure, OperatorError
from engine.telemetry.redact import MASK
from engine.wire.scripted import Script, ScriptedTransport
from tests.unit.credentials.installation import Installation
from tests.unit.credentials.resolving import TokenServer, code_of, later, now, oauth, run, sent

pytestmark = pytest.mark.usefixtures("either_database")

FALLEN_BACK = "SELECT actor, verb, name, fields FROM audit WHERE verb = 'fall back'"


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return Installation(tmp_path, {"TOKEN": "from-env-1"})


def bearer(here: Installation) -> None:
    here.apply("m", kind="bearer", token=Given("old-one-0123456789"))
    here.endpoint("messenger", "m")


def test_the_previous_secret_is_tried_once_where_the_current_is_refused(here: Installation) -> None:
    bearer(here)

    async def work(resolver: Resolver) -> None:
        here.rotate("m", "new", overlap_s=60)
        current = await now(resolver, "messenger")
        previous = await now(resolver, "messenger", current)
        assert (sent(current), sent(previous)) == ("Bearer new", "Bearer old-one-0123456789")
        assert (current.version, previous.version) == (3, 1), "each the version it came with"

    run(here, work)
    assert here.sql(FALLEN_BACK) == [("engine", "fall back", "m", "token")]


def test_without_an_overlap_the_old_secret_is_gone(here: Installation) -> None:
    bearer(here)

    async def work(resolver: Resolver) -> None:
        here.rotate("m", "new")
        current = await now(resolver, "messenger")
        with pytest.raises(CredentialFailure) as refused:
            await now(resolver, "messenger", current)
        assert refused.value.code == "credential.rejected"

    run(here, work)
    assert here.sql("SELECT slot FROM auth_secrets") == [("current",)]
    assert here.sql(FALLEN_BACK) == []


def test_after_its_time_the_previous_secret_is_neither_used_nor_kept(here: Installation) -> None:
    bearer(here)

    async def work(resolver: Resolver) -> None:
        here.rotate("m", "new", overlap_s=60)
        current = await now(resolver, "messenger")
        assert sent(await now(resolver, "messenger", current)).startswith("Bearer old")
        here.sql("UPDATE auth_secrets SET valid_until = 1 WHERE slot = 'previous'")
        here.sql("UPDATE auth_profiles SET version = version + 1")
        current = await now(resolver, "messenger")
        with pytest.raises(CredentialFailure):
            await now(resolver, "messenger", current)

    run(here, work)
    here.apply("another", kind="none")
    assert here.sql("SELECT slot FROM auth_secrets") == [("current",)]


def test_the_previous_goes_first_for_a_while_after_the_current_was_refused(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    bearer(here)

    async def work(resolver: Resolver) -> None:
        here.rotate("m", "new", overlap_s=60)
        current = await now(resolver, "messenger")
        await asyncio.gather(*(now(resolver, "messenger", current) for _ in range(100)))
        previous = await now(resolver, "messenger")
        assert sent(previous).startswith("Bearer old"), "no wrong secret with every call"
        assert sent(await now(resolver, "messenger", previous)) == "Bearer new"
        assert sent(await now(resolver, "messenger")) == "Bearer new"

    run(here, work)
    assert len(here.sql(FALLEN_BACK)) == 1


def test_a_preference_lasts_longer_each_time() -> None:
    preference, at = Preference(), 1_000.0
    for length in (30, 60, 120, 240, 300, 300):
        assert preference.current_refused(at)
        assert not preference.current_refused(at)
        assert preference.is_for_previous(at + length - 1)
        assert not preference.is_for_previous(at + length)
        at += length


def test_what_is_applied_anew_ends_the_overlap(here: Installation) -> None:
    bearer(here)
    here.rotate("m", "new", overlap_s=60)
    here.apply("m", kind="bearer", token=Given("newest"))
    assert here.sql("SELECT slot FROM auth_secrets") == [("current",)]


def test_a_second_rotation_keeps_the_one_before_it_and_no_other(here: Installation) -> None:
    bearer(here)
    here.rotate("m", "second", overlap_s=60)
    here.rotate("m", "third", overlap_s=60)

    async def work(resolver: Resolver) -> None:
        current = await now(resolver, "messenger")
        previous = await now(resolver, "messenger", current)
        assert [sent(current), sent(previous)] == ["Bearer third", "Bearer second"]

    run(here, work)


def test_an_overlap_has_an_end(here: Installation) -> None:
    bearer(here)
    with pytest.raises(OperatorError, match="at most 90 days"):
        here.rotate("m", "new", overlap_s=91 * 86_400)


def test_a_previous_secret_that_does_not_open_is_none(here: Installation) -> None:
    bearer(here)
    here.rotate("m", "new", overlap_s=60)
    here.sql("UPDATE auth_secrets SET sealed = 'v1.x.AAAA' WHERE slot = 'previous'")

    async def work(resolver: Resolver) -> None:
        current = await now(resolver, "messenger")
        with pytest.raises(CredentialFailure) as refused:
            await now(resolver, "messenger", current)
        assert refused.value.code == "credential.rejected"

    run(here, work)


class KnowsOneSecret(TokenServer):
    """A token server that takes one client secret, sent in the body."""

    secret = "from-env-1"

    def _answer(self, request: Request) -> Answer:
        if f"client_secret={self.secret}".encode() in request.body:
            return super()._answer(request)
        return Answer(401, {}, b'{"error": "invalid_client"}')


def test_a_token_server_that_knows_only_the_previous_secret_is_asked_with_it(
    here: Installation,
) -> None:
    async def work(resolver: Resolver, _: TokenServer, clock: VirtualClock) -> None:
        here.rotate("crm", "another-secret", overlap_s=60)
        server = KnowsOneSecret()
        other = here.resolver(server, clock=clock)
        previous = await now(other, "scores")
        assert (sent(previous), previous.version) == ("Bearer token-2", 1)
        assert here.sql("SELECT requests, secret_version FROM token_states") == [(2, 1)]
        anew = here.resolver(server, clock=clock)
        assert (await now(anew, "scores")).version == 1, "and so it is to other processes"
        await anew.close()
        server.secret = "another-secret"
        later(clock, 96)
        current = await now(other, "scores")
        assert (sent(current), current.version) == ("Bearer token-3", 3)
        assert len(server.requests) == 3, "the new one is known by now, and goes first"
        await other.close()
        assert here.sql(FALLEN_BACK) == [("engine", "fall back", "crm", "client_secret")]

    oauth(here, work, client_auth="post")


def test_where_both_secrets_are_refused_the_server_is_asked_twice_and_then_seldom(
    here: Installation,
) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        here.rotate("crm", "another-secret", overlap_s=60)
        server.fail = Answer(401, {}, b'{"error": "invalid_client"}')
        for _ in range(100):
            assert await code_of(resolver) == "credential.unavailable"
            later(clock, 0.1)
        assert len(server.requests) == 2
        assert here.sql(FALLEN_BACK) == []

    oauth(here, work, client_auth="post")


def test_the_token_servers_words_are_shown_without_secrets_and_cut(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        said = "secret from-env-1 is over\\n" + "a" * 190 + "from-env-1" + "b" * 300
        body = f'{{"error": "invalid_client", "error_description": "{said}"}}'
        server.fail = Answer(401, {}, body.encode())
        with pytest.raises(CredentialFailure) as failure:
            await now(resolver, "scores")
        shown = failure.value.message.partition("(it says: ")[2]
        assert shown.startswith(f"secret {MASK} is over aaa")
        assert shown.endswith("…)")
        assert len(shown) == 202
        assert "from-env" not in failure.value.message

    oauth(here, work)


def test_who_was_stopped_until_his_lease_ended_sends_nothing(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row, "LEASE_US", 0)
    monkeypatch.setattr(access_tokens, "LONGEST_WAIT_S", 0.2)

    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        assert await code_of(resolver) == "credential.unavailable"
        assert server.requests == []

    oauth(here, work)


def test_an_api_may_say_in_its_own_way_that_a_token_is_over(here: Installation) -> None:
    from engine.credentials.attach import rejected

    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        credential = await now(resolver, "scores")
        assert rejected(Answer(200, {}, b'{"code": 190}'), credential)
        assert not rejected(Answer(200, {}, b'{"code": 0}'), credential)

    when: dict[str, Any] = {"json": {"path": "code", "equals": 190}}
    oauth(here, work, token_expired_when=when)


def test_a_token_is_got_where_the_issuer_says(here: Installation) -> None:
    metadata = Answer(
        200, {}, b'{"issuer": "https://id.example", "token_endpoint": "https://t.example/t"}'
    )
    server = TokenServer()
    scripts: dict[str, Script] = {
        "https://id.example": [metadata],
        "https://t.example": server._answer,
    }
    transport = ScriptedTransport(scripts)
    server.requests = transport.requests

    async def work(resolver: Resolver) -> None:
        assert sent(await now(resolver, "scores")) == "Bearer token-2"
        assert here.sql("SELECT requests FROM token_states") == [(1,)]

    here.apply(
        "crm",
        kind="oauth2",
        issuer="https://id.example",
        client_id="crm",
        client_secret=Given("s3cret"),
    )
    here.endpoint("scores", "crm")
    run(here, work, transport=transport)


def test_another_issuer_demands_the_secret_again(here: Installation) -> None:
    oauth2: dict[str, Any] = {"kind": "oauth2", "client_id": "crm"}
    here.apply("crm", **oauth2, issuer="https://id.example", client_secret=Given("s3cret"))
    kept = {"seal_from_env": "NOT_SET"}
    elsewhere: tuple[dict[str, Any], ...] = (
        {"issuer": "https://evil.example"},
        {"token_url": "https://evil.example/t"},
        {"issuer": "https://id.example", "revocation_url": "https://evil.example/r"},
    )
    for moved in elsewhere:
        with pytest.raises(OperatorError, match="demands client_secret again"):
            here.apply("crm", **oauth2, client_secret=kept, **moved)


def test_the_audit_row_stands_once_for_each_rotation(here: Installation) -> None:
    bearer(here)
    here.rotate("m", "second", overlap_s=60)
    for _ in range(2):
        with here.database.write() as connection:
            overlap.record_fall_back(connection, 1, 10**16)
    assert len(here.sql(FALLEN_BACK)) == 1
