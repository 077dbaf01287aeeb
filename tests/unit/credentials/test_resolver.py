from __future__ import annotations

import asyncio
import gc
import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from engine.clock import VirtualClock, wall
from engine.core.message import Answer, Request
from engine.credentials import loaded
from engine.credentials.credential import AccessToken
from engine.credentials.live_versions import LiveEndpoint, SharedVersions
from engine.credentials.loaded import Loaded
from engine.credentials.references import Given, _Read
from engine.credentials.resolver import Resolver
from engine.credentials.store.tokens import carry_token
from engine.errors import CredentialFailure, DatabaseUnavailable
from engine.telemetry.redact import MASK, Redactor
from engine.wire.scripted import ScriptedTransport
from tests.unit.credentials.installation import Installation
from tests.unit.credentials.resolving import (
    OAUTH,
    TokenServer,
    code_of,
    eventually,
    later,
    now,
    oauth,
    run,
    sent,
)


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return Installation(tmp_path, {"TOKEN": "from-env-1"})


def test_a_rotation_is_seen_by_the_next_resolution(here: Installation) -> None:
    here.apply("m", kind="bearer", token=Given("one"))
    here.endpoint("messenger", "m")

    async def work(resolver: Resolver) -> None:
        before = await now(resolver, "messenger")
        here.rotate("m", "two")
        after = await now(resolver, "messenger")
        assert (sent(before), sent(after)) == ("Bearer one", "Bearer two")
        assert after.version == before.version + 1
        assert after.fingerprint != before.fingerprint

    run(here, work)


def test_a_profile_taken_from_an_endpoint_and_given_to_it_again(here: Installation) -> None:
    here.apply("m", kind="bearer", token=Given("one"))
    here.endpoint("messenger", "m")

    async def work(resolver: Resolver) -> None:
        here.sql("UPDATE endpoints SET profile_id = NULL, version = version + 1")
        taken = await resolver.current("messenger")
        assert taken == LiveEndpoint(1, 2, None, 0, None)
        here.sql("UPDATE endpoints SET auth_lost = 'm'")
        lost = await resolver.current("messenger")
        assert lost is not None
        assert lost.auth_lost == "m"
        assert await resolver.current("another") is None

    run(here, work)


def test_a_resolution_joins_the_next_read_and_never_a_running_one() -> None:
    reads: list[set[str]] = []
    late: list[asyncio.Future[LiveEndpoint | None]] = []
    live: SharedVersions
    loop: asyncio.AbstractEventLoop

    async def join_late() -> None:
        late.append(asyncio.ensure_future(live.current("late")))
        await asyncio.sleep(0)

    class Reader:
        def read(self, names: set[str]) -> dict[str, LiveEndpoint]:
            reads.append(set(names))
            if len(reads) == 1:
                asyncio.run_coroutine_threadsafe(join_late(), loop).result(10)
            return {name: LiveEndpoint(1, len(reads), None, 0, None) for name in names}

        def close(self) -> None: ...

    async def work() -> None:
        nonlocal live, loop
        loop = asyncio.get_running_loop()
        live = SharedVersions(Reader())
        together = await asyncio.gather(*(live.current(name) for name in "aab"))
        assert [each and each.version for each in together] == [1, 1, 1]
        found = await late[0]
        assert found is not None
        assert found.version == 2
        assert reads == [{"a", "b"}, {"late"}]

    asyncio.run(work())


def test_one_who_gives_up_takes_nothing_from_the_others() -> None:
    class Reader:
        def read(self, names: set[str]) -> dict[str, LiveEndpoint]:
            return {name: LiveEndpoint(1, 1, None, 0, None) for name in names}

        def close(self) -> None: ...

    async def work() -> None:
        live = SharedVersions(Reader())
        tasks = [asyncio.ensure_future(live.current("a")) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert [type(each) for each in found[1:]] == [LiveEndpoint, LiveEndpoint]

    asyncio.run(work())


def test_a_database_that_cannot_be_read_fails_each_waiter() -> None:
    class Reader:
        def read(self, names: set[str]) -> dict[str, LiveEndpoint]:
            raise DatabaseUnavailable("locked")

        def close(self) -> None: ...

    async def work() -> None:
        live = SharedVersions(Reader())
        found = await asyncio.gather(live.current("a"), live.current("b"), return_exceptions=True)
        assert [type(each) for each in found] == [DatabaseUnavailable, DatabaseUnavailable]

    asyncio.run(work())


def test_a_static_credential_that_was_rejected_has_no_other(here: Installation) -> None:
    here.apply("m", kind="bearer", token=Given("one"))
    here.endpoint("messenger", "m")

    async def work(resolver: Resolver) -> None:
        refused = await now(resolver, "messenger")
        with pytest.raises(CredentialFailure) as failure:
            await now(resolver, "messenger", refused)
        assert failure.value.code == "credential.rejected"
        here.rotate("m", "two")
        assert sent(await now(resolver, "messenger", refused)) == "Bearer two"

    run(here, work)


def test_references_are_read_live(here: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "m.key").write_text("file-one\n")
    here.apply("m", kind="bearer", token={"file": "m.key"})
    here.apply("e", kind="bearer", token={"env": "TOKEN"})
    here.endpoint("by_file", "m")
    here.endpoint("by_env", "e")

    async def work(resolver: Resolver) -> None:
        assert sent(await now(resolver, "by_env")) == "Bearer from-env-1"
        assert sent(await now(resolver, "by_file")) == "Bearer file-one"
        (folder / "m.key").write_text("file-two-longer\n")
        fresh = await now(resolver, "by_file")
        assert sent(fresh) == "Bearer file-two-longer"
        (folder / "m.key").unlink()
        with pytest.raises(CredentialFailure) as failure:
            await now(resolver, "by_file")
        assert failure.value.code == "credential.missing"
        assert "auth profile m: token" in str(failure.value)

    run(here, work)


def test_one_damaged_secret_breaks_only_itself(here: Installation) -> None:
    for name in ("good", "bad"):
        here.apply(name, kind="bearer", token=Given(f"{name}-token"))
        here.endpoint(name, name)
    here.sql(
        "UPDATE auth_secrets SET sealed = (SELECT sealed FROM auth_secrets WHERE profile_id = 1)"
        " WHERE profile_id = 2"
    )

    async def work(resolver: Resolver) -> None:
        assert sent(await now(resolver, "good")) == "Bearer good-token"
        for _ in range(2):
            with pytest.raises(CredentialFailure) as failure:
                await now(resolver, "bad")
            assert failure.value.code == "credential.unreadable"
        here.rotate("bad", "mended")
        assert sent(await now(resolver, "bad")) == "Bearer mended"

    run(here, work)


def test_a_profile_changed_by_hand_or_deleted_fails_alone(here: Installation) -> None:
    here.apply("m", kind="bearer", token=Given("one"))
    profile_id = here.endpoint("messenger", "m")
    here.sql("UPDATE auth_profiles SET kind = 'kerberos'")

    async def work(resolver: Resolver) -> None:
        with pytest.raises(CredentialFailure) as failure:
            await now(resolver, "messenger")
        assert failure.value.code == "credential.unreadable"
        here.sql("DELETE FROM endpoints")
        here.sql("DELETE FROM auth_profiles")
        with pytest.raises(CredentialFailure) as failure:
            await resolver.credential(profile_id, 99)
        assert failure.value.code == "credential.missing"

    run(here, work)


def test_what_was_opened_of_a_profile_is_forgotten_soon_after_it_is_deleted(
    here: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.credentials.resolver.LOOK_EACH_S", 0.005)
    here.apply("stays", kind="bearer", token=Given("another-one"))
    here.endpoint("other", "stays")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "f.key").write_text("k3y-0f-a-file")
    here.apply("filed", kind="bearer", token={"file": "f.key"})
    here.endpoint("by_file", "filed")

    def held() -> set[str]:
        """The names of profiles that are opened, access tokens, and what files hold."""
        found = gc.get_objects()
        tokens = {each.value for each in found if isinstance(each, AccessToken)}
        tokens |= {each.value for each in found if isinstance(each, _Read)}
        return tokens | {each.name for each in found if isinstance(each, Loaded)}

    async def is_forgotten() -> bool:
        gc.collect()  # other tests left some, too
        return not {"crm", "token-1", "filed", "k3y-0f-a-file"} & held()

    async def work(resolver: Resolver, _server: TokenServer, _clock: VirtualClock) -> None:
        for endpoint in ("scores", "other", "by_file"):
            await now(resolver, endpoint)
        assert held() >= {"crm", "stays", "token-1", "k3y-0f-a-file"}
        here.sql("DELETE FROM endpoints WHERE name <> 'other'")
        here.sql("DELETE FROM auth_profiles WHERE name <> 'stays'")
        await eventually(is_forgotten)
        assert "stays" in held()
        assert sent(await now(resolver, "other")) == "Bearer another-one"

    oauth(here, work)


def test_everything_that_is_opened_is_known_to_the_redactor(here: Installation) -> None:
    redactor = Redactor()
    here.apply("b", kind="basic", username="bot", password=Given("pass-word"))
    here.endpoint("loyalty", "b")

    async def work(resolver: Resolver) -> None:
        header = sent(await now(resolver, "loyalty"))
        assert redactor.redact(f"x {header} pass-word") == f"x {MASK} {MASK}"

    run(here, work, redactor=redactor)


def test_a_token_is_asked_for_once_and_renewed_before_it_ends(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        both = await asyncio.gather(*(now(resolver, "scores") for _ in range(50)))
        assert {sent(each) for each in both} == {"Bearer token-1"}
        later(clock, 85)
        assert sent(await now(resolver, "scores")) == "Bearer token-1"  # renewed behind its back

        async def is_renewed() -> bool:
            return sent(await now(resolver, "scores")) == "Bearer token-2"

        await eventually(is_renewed)
        assert len(server.requests) == 2

    oauth(here, work)


def test_a_token_is_never_used_after_its_end(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        await now(resolver, "scores")
        later(clock, 96)
        assert sent(await now(resolver, "scores")) == "Bearer token-2"
        assert len(server.requests) == 2

    oauth(here, work)


def test_a_due_token_is_used_while_the_server_is_down_and_not_longer(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        await now(resolver, "scores")
        server.fail = Answer(503)
        later(clock, 85)
        for _ in range(100):
            assert sent(await now(resolver, "scores")) == "Bearer token-1"
            await asyncio.sleep(0)

        async def was_asked() -> bool:
            return len(server.requests) == 2

        await eventually(was_asked)
        later(clock, 11)

        async def is_out() -> bool:
            try:
                await now(resolver, "scores")
            except CredentialFailure as failure:
                return failure.code == "credential.unavailable"
            return False

        # One who joined the renewal before the clock was moved may still be answered.
        await eventually(is_out)
        assert await code_of(resolver) == "credential.unavailable"

    oauth(here, work)


def test_a_token_server_that_refuses_everything_is_asked_seldom(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        server.fail = Answer(401, {}, b'{"error": "invalid_client"}')
        for _ in range(600):
            assert await code_of(resolver) == "credential.unavailable"
            later(clock, 0.1)
        assert len(server.requests) == 2
        server.fail = None
        later(clock, 60)
        assert sent(await now(resolver, "scores")) == "Bearer token-3"

    oauth(here, work)


class SetClock:
    """Shows what it is set to."""

    def __init__(self, at: int) -> None:
        self.at = at

    def now(self) -> int:
        return self.at

    def moment(self) -> int:
        return self.at


@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize("by", [2 * 60, 3_600, 365 * 86_400])
def test_a_clock_that_is_put_back_keeps_nobody_from_asking(tmp_path: Path, by: int) -> None:
    here = Installation(tmp_path, {"TOKEN": "from-env-1"})
    here.apply("crm", **OAUTH)
    here.endpoint("scores", "crm")
    year = 365 * 86_400_000_000
    server, clock = TokenServer(), SetClock(1_000_000_000_000_000 + year)
    server.fail = Answer(500)

    async def work(resolver: Resolver) -> None:
        assert await code_of(resolver) == "credential.unavailable"
        server.fail = None
        clock.at -= by * 1_000_000
        assert sent(await now(resolver, "scores")) == "Bearer token-2"
        here.sql("UPDATE token_states SET sealed_token = NULL, lease_until = ?", wall() + year)
        other = here.resolver(server, clock=clock)
        assert sent(await now(other, "scores")) == "Bearer token-3"
        await other.close()

    run(here, work, transport=server, clock=clock)


@pytest.mark.usefixtures("either_database")
def test_profiles_that_are_read_keep_nobody_from_what_stands_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Installation(tmp_path)
    for number in range(12):
        here.apply(f"m{number}", kind="bearer", token=Given("secret"))
        here.endpoint(f"e{number}", f"m{number}")
    slow = threading.Event()

    def load(*means: Any) -> Any:
        slow.wait()
        return loaded.load(*means)

    monkeypatch.setattr("engine.credentials.resolver.load", load)

    async def work(resolver: Resolver) -> None:
        waiting = [asyncio.ensure_future(now(resolver, f"e{number}")) for number in range(12)]
        try:
            async with asyncio.timeout(10):
                await asyncio.sleep(0.05)
                assert await resolver.current("e1") is not None
        finally:
            slow.set()
        assert {sent(each) for each in await asyncio.gather(*waiting)} == {"Bearer secret"}

    run(here, work)


def test_an_edit_ends_the_standing_back(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        server.fail = Answer(401, {}, b'{"error": "invalid_client"}')
        await code_of(resolver)
        server.fail = None
        here.rotate("crm", "another-secret")
        assert sent(await now(resolver, "scores")) == "Bearer token-2"

    oauth(here, work)


def test_a_token_got_by_a_test_ends_the_standing_back_of_running_processes(
    here: Installation,
) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        server.fail = Answer(401, {}, b'{"error": "invalid_client"}')
        await code_of(resolver)
        server.fail = None
        with here.database.write() as connection:
            carry_token(connection, 1, 1)
        assert await code_of(resolver) == "credential.unavailable"
        later(clock, 1)
        assert sent(await now(resolver, "scores")) == "Bearer token-2"

    oauth(here, work)


def test_a_hundred_rejections_of_one_token_are_one_renewal(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        refused = await now(resolver, "scores")
        fresh = await asyncio.gather(*(now(resolver, "scores", refused) for _ in range(100)))
        assert {sent(each) for each in fresh} == {"Bearer token-2"}
        assert sent(await now(resolver, "scores", refused)) == "Bearer token-2"
        assert len(server.requests) == 2

    oauth(here, work)


def test_an_api_that_rejects_every_token_causes_no_storm(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        for _ in range(300):
            refused = await now(resolver, "scores")
            try:
                await now(resolver, "scores", refused)
            except CredentialFailure as failure:
                assert failure.code == "credential.rejected"
            later(clock, 0.2)
        assert len(server.requests) <= 5

    server_life = 10_000.0
    here.apply("crm", **OAUTH)
    here.endpoint("scores", "crm")
    server, clock = TokenServer(server_life), VirtualClock(10**15)
    run(here, lambda r: work(r, server, clock), transport=server, clock=clock)


def test_a_token_server_that_echoes_the_secret_is_not_quoted(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        server.fail = Answer(400, {}, b'{"error": "from-env-1"}')
        with pytest.raises(CredentialFailure, match=re.escape("answered 400 an unreadable error")):
            await now(resolver, "scores")
        assert b"from-env-1" not in here.database.path.read_bytes()

    oauth(here, work)


def test_a_corrected_file_or_variable_ends_the_standing_back(
    here: Installation, tmp_path: Path
) -> None:
    (tmp_path / "secrets").mkdir()
    file = tmp_path / "secrets" / "crm.key"
    file.write_text("wrong-secret")

    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        server.fail = Answer(401, {}, b'{"error": "invalid_client"}')
        for secret in ("wrong-secret", "wrong-as-well", "and-this-one-too"):
            file.write_text(secret)
            for _ in range(3):
                assert await code_of(resolver) == "credential.unavailable"
        assert len(server.requests) == 3
        server.fail = None
        file.write_text("the-right-secret")
        assert sent(await now(resolver, "scores")) == "Bearer token-4"

    oauth(here, work, client_secret={"file": "crm.key"})


def test_processes_that_disagree_about_a_secret_cause_no_storm(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        server.fail = Answer(401, {}, b'{"error": "invalid_client"}')
        here.environment["TOKEN"] = "from-env-2"
        other = here.resolver(server, clock=clock)
        for _ in range(20):
            await code_of(resolver)
            await code_of(other)
        await other.close()
        assert len(server.requests) == 2

    oauth(here, work, client_secret={"env": "TOKEN"})


def test_retry_after_of_the_token_server_is_obeyed(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        server.fail = Answer(429, {"retry-after": "50"})
        await code_of(resolver)
        server.fail = None
        later(clock, 49)
        assert await code_of(resolver) == "credential.unavailable"
        later(clock, 2)
        assert sent(await now(resolver, "scores")) == "Bearer token-2"

    oauth(here, work)


def test_the_count_is_of_requests_that_reached_the_wire(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        server.fail = Answer(failure="call.unreachable", text="refused", may_have_been_sent=False)
        await code_of(resolver)
        assert here.sql("SELECT requests FROM token_states") == [(0,)]
        server.fail = Answer(failure="call.timed_out", text="late")
        later(clock, 2)
        await code_of(resolver)
        server.fail = None
        later(clock, 10)
        await now(resolver, "scores")
        assert here.sql("SELECT requests FROM token_states") == [(2,)]

    oauth(here, work)


def test_a_missing_secret_is_said_without_asking_anybody(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        assert await code_of(resolver) == "credential.missing"
        assert server.requests == []
        assert here.sql("SELECT * FROM token_states") == []

    oauth(here, work, client_secret={"env": "NOT_SET"})


def test_a_damaged_token_is_replaced_by_another(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        await now(resolver, "scores")
        here.sql("UPDATE token_states SET sealed_token = 'v1.x.AAAA'")
        other = here.resolver(server, clock=clock)
        assert sent(await now(other, "scores")) == "Bearer token-2"
        await other.close()

    oauth(here, work)


def test_a_refresh_token_is_tried_first_and_the_grant_after_it(here: Installation) -> None:
    grants: list[str] = []

    def answer(request: Request) -> Answer:
        grant = request.body.decode().partition("&")[0].partition("=")[2]
        grants.append(grant)
        if grant == "refresh_token" and len(grants) > 2:
            return Answer(400, {}, b'{"error": "invalid_grant"}')
        n = len(grants)
        said = {"access_token": f"t{n}", "expires_in": 9, "refresh_token": f"rt-{n}"}
        return Answer(200, {}, json.dumps(said).encode())

    here.apply("crm", **OAUTH, grant="password", username="bot", password=Given("pass-word"))
    here.endpoint("scores", "crm")
    transport, clock = ScriptedTransport(answer), VirtualClock(10**15)

    async def work(resolver: Resolver) -> None:
        for _ in range(3):
            await now(resolver, "scores")
            later(clock, 10)
        assert grants == ["password", "refresh_token", "refresh_token", "password"]
        assert b"refresh_token=rt-1" in transport.requests[1].body
        assert b"refresh_token=rt-2" in transport.requests[2].body
        assert here.sql("SELECT requests FROM token_states") == [(4,)]

    run(here, work, transport=transport, clock=clock)


@pytest.mark.parametrize("error", ["unsupported_grant_type", "unauthorized_client", "gone"])
def test_a_refresh_token_that_isnt_taken_is_forgotten_whatever_the_server_calls_it(
    here: Installation, error: str
) -> None:
    grants: list[str] = []
    clock = VirtualClock(10**15)

    def answer(request: Request) -> Answer:
        grants.append(request.body.decode().partition("&")[0].partition("=")[2])
        later(clock, 5)
        if grants[-1] == "refresh_token":
            return Answer(400, {}, json.dumps({"error": error}).encode())
        said = {"access_token": f"t{len(grants)}", "expires_in": 9}
        refresh = {"refresh_token": "rt-1"} if len(grants) == 1 else {}
        return Answer(200, {}, json.dumps(said | refresh).encode())

    here.apply("crm", **OAUTH, grant="password", username="bot", password=Given("pass-word"))
    here.endpoint("scores", "crm")

    async def work(resolver: Resolver) -> None:
        for _ in range(3):
            await now(resolver, "scores")
            # Its life begins with the request that it was got by, not with one before that.
            ((hard,),) = here.sql("SELECT hard_expiry FROM token_states")
            assert clock.now() + 2_000_000 < hard <= clock.now() + 3_100_000
            later(clock, 10)
        assert grants == ["password", "refresh_token", "password", "password"]

    run(here, work, transport=ScriptedTransport(answer), clock=clock)


@pytest.mark.parametrize(
    "spoken",
    [
        Answer(302),
        Answer(404),
        Answer(401),
        Answer(failure="call.blocked", may_have_been_sent=False),
    ],
)
def test_what_speaks_of_no_refresh_token_costs_none(here: Installation, spoken: Answer) -> None:
    grants: list[str] = []
    clock = VirtualClock(10**15)

    def answer(request: Request) -> Answer:
        grants.append(request.body.decode().partition("&")[0].partition("=")[2])
        said = {"access_token": "t", "expires_in": 9, "refresh_token": "rt-1"}
        return Answer(200, {}, json.dumps(said).encode()) if len(grants) != 2 else spoken

    here.apply("crm", **OAUTH, grant="password", username="bot", password=Given("pass-word"))
    here.endpoint("scores", "crm")

    async def work(resolver: Resolver) -> None:
        await now(resolver, "scores")
        later(clock, 10)
        assert await code_of(resolver) == "credential.unavailable"
        later(clock, 3_600)
        await now(resolver, "scores")
        assert grants == ["password", "refresh_token", "refresh_token"]

    run(here, work, transport=ScriptedTransport(answer), clock=clock)


def test_a_refresh_token_that_nobody_asked_for_is_never_shown(here: Installation) -> None:
    grants: list[str] = []

    def answer(request: Request) -> Answer:
        grants.append(request.body.decode().partition("&")[0].partition("=")[2])
        said = {"access_token": f"t{len(grants)}", "expires_in": 9, "refresh_token": "rt-1"}
        return Answer(200, {}, json.dumps(said).encode())

    clock = VirtualClock(10**15)
    here.apply("crm", **OAUTH)
    here.endpoint("scores", "crm")

    async def work(resolver: Resolver) -> None:
        for _ in range(2):
            await now(resolver, "scores")
            later(clock, 10)
        assert grants == ["client_credentials"] * 2

    run(here, work, transport=ScriptedTransport(answer), clock=clock)


def test_an_answer_that_comes_after_an_edit_is_thrown_away(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        edited = False

        class Editing(TokenServer):
            def _answer(self, request: Request) -> Answer:
                nonlocal edited
                if not edited:
                    edited = True
                    here.rotate("crm", "another-secret")
                return super()._answer(request)

        editing = Editing()
        other = here.resolver(editing, clock=clock)
        fresh = await now(other, "scores")
        await other.close()
        assert sent(fresh) == "Bearer token-2"
        assert fresh.version == 3
        assert b"another-secret" not in editing.requests[0].body
        assert here.sql("SELECT profile_version, requests FROM token_states") == [(3, 2)]

    oauth(here, work)


def test_closing_gives_the_lease_back(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        class Hanging(TokenServer):
            async def send(self, request: Request, deadline: float, **_: Any) -> Answer:
                asked.set()
                await asyncio.Event().wait()
                raise AssertionError

        asked = asyncio.Event()
        other = here.resolver(Hanging(), clock=clock)
        waiting = asyncio.ensure_future(now(other, "scores"))
        await asked.wait()
        await other.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(5):
            assert sent(await now(resolver, "scores")) == "Bearer token-1"

    oauth(here, work)


def test_tokens_and_refresh_tokens_are_sealed(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        await now(resolver, "scores")
        for file in here.settings.home_path.iterdir():
            assert b"token-1" not in file.read_bytes()
        ((sealed, fingerprint),) = here.sql("SELECT sealed_token, fingerprint FROM token_states")
        assert sealed.startswith("v1.")
        assert len(fingerprint) == 64

    oauth(here, work)


def test_an_origin_more_keeps_the_token(here: Installation) -> None:
    async def work(resolver: Resolver, server: TokenServer, clock: VirtualClock) -> None:
        await now(resolver, "scores")
        here.endpoint("others", "crm", "https://other.example.com")
        there = await now(resolver, "others")
        assert sent(there) == "Bearer token-1"
        assert "https://other.example.com:443" in there.origins
        assert len(server.requests) == 1

    oauth(here, work)
