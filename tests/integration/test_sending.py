"""Calls over real HTTP, with real credentials, to partners that demand them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from engine.clock import RealClock, wall
from engine.credentials.open_vault import open_vault
from engine.credentials.references import References
from engine.credentials.resolver import Resolver
from engine.credentials.rotation import rotate
from engine.credentials.vault import Vault
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.endpoints.file import read_file
from engine.endpoints.send import Sender, Sent
from engine.errors import DatabaseUnavailable
from engine.operations.apply import Keys, apply
from engine.settings import Settings
from engine.wire.egress import Egress
from engine.wire.http_transport import HttpTransport
from tests.databases import database_url
from tests.partners import CRM, AuthorizationServer, Loyalty, Messenger, bodies_by_key, running

pytestmark = pytest.mark.usefixtures("either_database")

EGRESS = Egress.parse("127.0.0.0/8,[::1]")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Outgoing:
    endpoint: str
    key: str = "K1"
    method: str = "POST"
    target: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str | None = "application/json"
    body: bytes = b'{"n":1}'


@dataclass
class Installed:
    """An installation of its own, and ways to change and use it."""

    database: Database
    vault: Vault

    def apply(self, text: str, **variables: str) -> None:
        keys = Keys(self.vault, References(variables, ()), EGRESS)
        apply(self.database, keys, read_file(text.encode(), "e.yaml"), actor="ada", now=wall())

    def rotate(self, profile: str, value: str) -> None:
        with self.database.write() as connection:
            rotate(connection, self.vault, profile, value, actor="ada", now=wall())

    def run(self, scenario: Callable[[Sender], Awaitable[Value]]) -> Value:
        async def all_of_it() -> Value:
            transport = HttpTransport(EGRESS)
            resolver = Resolver(
                self.database, self.vault, transport, RealClock(), References({}, ())
            )
            try:
                return await scenario(Sender(self.database, resolver, transport))
            finally:
                await resolver.close()
                await transport.close()

        return asyncio.run(all_of_it())


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    database = open_database(database_url(tmp_path))
    vault = open_vault(database, Settings(home=str(tmp_path))).vault
    yield Installed(database, vault)
    database.close()


def oauth_file(oauth: AuthorizationServer, crm: CRM) -> str:
    return f"""
auth_profiles:
  crm-oauth:
    kind: oauth2
    token_url: {oauth.token_url}
    client_id: crm-client
    client_secret: {{seal_from_env: S}}
endpoints:
  crm: {{base_url: {crm.url}, auth: crm-oauth}}
"""


def test_every_kind_of_credential_arrives_where_it_is_demanded(installed: Installed) -> None:
    with (
        running(Loyalty({"bot": "pass:wörd"})) as loyalty,
        running(Messenger({"X-Api-Key": "key-1"})) as messenger,
        running(Messenger({"api_key": "key-2"}, place="query")) as by_query,
        running(Messenger({"api_key": "key-3"}, place="body")) as by_body,
    ):
        installed.apply(
            f"""
endpoints:
  loyalty:
    base_url: {loyalty.url}
    auth: {{kind: basic, username: bot, password: {{seal_from_env: A}}}}
  header:
    base_url: {messenger.url}
    auth: {{kind: api_key, pairs: [{{name: X-Api-Key, value: {{seal_from_env: B}}}}]}}
  query:
    base_url: {by_query.url}
    auth: {{kind: api_key, pairs: [{{name: api_key, in: query, value: {{seal_from_env: C}}}}]}}
  body:
    base_url: {by_body.url}
    auth: {{kind: api_key, pairs: [{{name: api_key, in: body, value: {{seal_from_env: D}}}}]}}
""",
            A="pass:wörd",
            B="key-1",
            C="key-2",
            D="key-3",
        )

        async def scenario(sender: Sender) -> list[Sent]:
            return [
                await sender.send(Outgoing("loyalty", target="/coupons")),
                await sender.send(Outgoing("header", target="/messages")),
                await sender.send(Outgoing("query", target="/messages?x=1")),
                await sender.send(Outgoing("body", target="/messages")),
            ]

        sent = installed.run(scenario)
    assert [each.failure for each in sent] == [None] * 4
    assert [each.answer.status // 100 for each in sent] == [2] * 4
    assert [each.attempts for each in sent] == [1] * 4


def test_after_a_rotation_the_next_call_carries_the_new_secret_and_the_key_stays(
    installed: Installed,
) -> None:
    with (
        running(AuthorizationServer(secrets={"one"})) as oauth,
        running(CRM(oauth.book)) as crm,
    ):
        installed.apply(oauth_file(oauth, crm), S="one")
        call = Outgoing("crm", target="/users/u1/score")

        async def scenario(sender: Sender) -> tuple[Sent, Sent, Sent]:
            first = await sender.send(call)
            oauth.rotate("two")
            rejected = await sender.send(call)
            installed.rotate("crm-oauth", "two")
            return first, rejected, await sender.send(call)

        first, rejected, last = installed.run(scenario)
        assert (first.answer.status, first.credential_version) == (200, 1)
        assert (rejected.failure or "").startswith("credential.")
        assert (last.answer.status, last.failure, last.credential_version) == (200, None, 2)
        assert {request.credential for request in crm.log if request.status == 200} == {
            "one",
            "two",
        }
        assert len(crm.log) == first.attempts + rejected.attempts + last.attempts


def test_a_withdrawn_token_is_renewed_once_for_all_with_key_and_body_kept(
    installed: Installed,
) -> None:
    with running(AuthorizationServer(secrets={"one"})) as oauth, running(CRM(oauth.book)) as crm:
        installed.apply(oauth_file(oauth, crm), S="one")
        calls = [Outgoing("crm", key=f"K{n}", target=f"/users/u{n}/score") for n in range(50)]

        async def scenario(sender: Sender) -> list[Sent]:
            await sender.send(Outgoing("crm", key="first", target="/users/u/score"))
            oauth.book.revoke()
            return await asyncio.gather(*(sender.send(call) for call in calls))

        sent = installed.run(scenario)
        assert [each.failure for each in sent] == [None] * 50
        assert oauth.counts["token.requests"] == 2
        assert crm.counts["score"] == 51
        assert 1 + sum(each.attempts for each in sent) == len(crm.log)
        assert {len(set(bodies)) for bodies in bodies_by_key(crm.log).values()} == {1}


def test_a_profile_that_is_assigned_and_taken_is_seen_by_the_next_call(
    installed: Installed,
) -> None:
    with running(Messenger({"X-Api-Key": "key-1"})) as messenger:
        bare = f"endpoints: {{m: {{base_url: '{messenger.url}'}}}}"
        keyed = f"""
auth_profiles: {{k: {{kind: api_key, pairs: [{{name: X-Api-Key, value: {{seal_from_env: K}}}}]}}}}
endpoints: {{m: {{base_url: '{messenger.url}', auth: k}}}}
"""
        installed.apply(bare)
        call = Outgoing("m", target="/messages")

        async def scenario(sender: Sender) -> list[int]:
            statuses = [(await sender.send(call)).answer.status]
            installed.apply(keyed, K="key-1")
            statuses.append((await sender.send(call)).answer.status)
            installed.apply(bare)
            statuses.append((await sender.send(call)).answer.status)
            return statuses

        assert installed.run(scenario) == [401, 202, 401]


def test_a_wrong_password_is_sent_once_a_call_and_told_without_it(installed: Installed) -> None:
    with running(Loyalty({"bot": "right"})) as loyalty:
        installed.apply(
            f"""
endpoints:
  loyalty:
    base_url: {loyalty.url}
    auth: {{kind: basic, username: bot, password: {{seal_from_env: P}}}}
""",
            P="wrong-canary",
        )

        async def scenario(sender: Sender) -> Sent:
            return await sender.send(Outgoing("loyalty", target="/coupons"))

        sent = installed.run(scenario)
        assert (sent.failure, sent.attempts, len(loyalty.log)) == ("credential.rejected", 1, 1)
        assert "canary" not in sent.text


def test_nobody_there_is_no_request(installed: Installed) -> None:
    with running(Messenger({})) as messenger:
        url = messenger.url
    installed.apply(f"endpoints: {{gone: {{base_url: '{url}'}}}}")

    async def scenario(sender: Sender) -> Sent:
        return await sender.send(Outgoing("gone"))

    sent = installed.run(scenario)
    assert (sent.failure, sent.attempts) == ("call.unreachable", 0)


def test_egress_holds_for_endpoints_too(installed: Installed) -> None:
    with running(Messenger({})) as messenger:
        installed.apply(f"endpoints: {{m: {{base_url: '{messenger.url}'}}}}")

        async def scenario() -> Sent:
            transport = HttpTransport(Egress())
            resolver = Resolver(
                installed.database, installed.vault, transport, RealClock(), References({}, ())
            )
            try:
                sender = Sender(installed.database, resolver, transport)
                return await sender.send(Outgoing("m", target="/messages"))
            finally:
                await resolver.close()
                await transport.close()

        sent = asyncio.run(scenario())
        assert (sent.failure, sent.attempts, len(messenger.log)) == ("call.blocked", 0, 0)
        assert "JOURNEY_EGRESS_ALLOW" in sent.text


def test_what_may_not_be_written_any_more_never_gets_to_the_wire(installed: Installed) -> None:
    """As where a process stood still while it connected, and its lease ended meanwhile."""

    def refuse() -> None:
        raise DatabaseUnavailable("the lease is over")

    with running(Messenger({})) as messenger:
        installed.apply(f"endpoints: {{m: {{base_url: '{messenger.url}'}}}}")

        async def scenario() -> None:
            transport = HttpTransport(EGRESS, before_writing=refuse)
            resolver = Resolver(
                installed.database, installed.vault, transport, RealClock(), References({}, ())
            )
            try:
                await Sender(installed.database, resolver, transport).send(
                    Outgoing("m", target="/messages")
                )
            finally:
                await resolver.close()
                await transport.close()

        with pytest.raises(DatabaseUnavailable, match="the lease is over"):
            asyncio.run(scenario())
        assert messenger.log == []
