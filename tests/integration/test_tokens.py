"""Tokens shared by real processes, given by a real authorization server on loopback."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.clock import wall
from engine.credentials.references import Given
from engine.endpoints.file import read_file
from engine.operations.apply import Keys, apply
from engine.wire.egress import Egress
from tests.databases import BOTH_IN_SOAK
from tests.integration.token_user import TokenUser, token_users
from tests.partners import CRM, AuthorizationServer, Loyalty, bodies_by_key, running
from tests.unit.credentials.installation import Installation

Results = list[dict[str, Any]]

EGRESS = Egress.parse("127.0.0.0/8,[::1]")
SECRET = "s3cret-of-the-crm"
OAUTH: dict[str, Any] = {
    "kind": "oauth2",
    "client_id": "crm-client",
    "client_secret": Given(SECRET),
}
EXPIRE_LEASE = "UPDATE token_states SET lease_until = lease_until - 60000000"


def installation(folder: Path, server: AuthorizationServer, **written: Any) -> Installation:
    here = Installation(folder)
    here.apply("crm", **{**OAUTH, "token_url": server.token_url, **written})
    here.endpoint("scores", "crm")
    return here


def requests(server: AuthorizationServer) -> int:
    return server.counts["token.requests"]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def together(users: list[TokenUser], command: str) -> list[dict[str, list[Any]]]:
    for user in users:
        user.tell(command)
    return [user.answer() for user in users]


@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize(
    "processes", [pytest.param(4, id="ci"), pytest.param(8, id="full", marks=pytest.mark.soak)]
)
def test_processes_with_a_cold_cache_ask_once_and_renew_once(
    tmp_path: Path, processes: int
) -> None:
    with running(AuthorizationServer(secrets={SECRET})) as server:
        here = installation(tmp_path, server)
        server.behaviour.delay = 0.2 if processes == 4 else 3.0
        with token_users(tmp_path, processes) as users:
            first = together(users, "get 25")
            assert requests(server) == 1
            assert all(each == first[0] and len(each["values"]) == 1 for each in first)
            again = together(users, "reject 25")
            assert requests(server) == 2
            assert all(each == again[0] and len(each["values"]) == 1 for each in again)
            assert again[0]["values"] != first[0]["values"]
            assert here.sql("SELECT requests FROM token_states") == [(2,)]


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
def test_a_rotation_is_seen_by_the_next_resolution_in_another_process(tmp_path: Path) -> None:
    with running(AuthorizationServer(secrets={SECRET})) as server:
        here = installation(tmp_path, server)
        with token_users(tmp_path, 2) as users:
            before = together(users, "get 3")
            server.rotate("a-new-s3cret")
            here.rotate("crm", "a-new-s3cret")
            after = together(users, "get 3")
            assert requests(server) == 2
            assert after[0] == after[1]
            assert after[0]["values"] != before[0]["values"]
            assert after[0]["versions"] == [before[0]["versions"][0] + 1]


@pytest.mark.usefixtures("either_database")
def test_when_the_asking_process_is_killed_another_asks_after_its_lease(tmp_path: Path) -> None:
    with running(AuthorizationServer(secrets={SECRET})) as server:
        here = installation(tmp_path, server)
        server.behaviour.delay = 30
        with token_users(tmp_path, 2) as (asking, waiting):
            asking.tell("get 1")
            until(lambda: requests(server) == 1)
            os.kill(asking.process.pid, signal.SIGKILL)
            server.behaviour.delay = 0
            waiting.tell("get 1")
            time.sleep(0.1)
            assert requests(server) == 1  # the lease holds
            here.sql(EXPIRE_LEASE)
            assert len(waiting.answer()["values"]) == 1
            assert requests(server) == 2


@pytest.mark.usefixtures("either_database")
def test_the_late_answer_of_a_stopped_process_overwrites_nothing(tmp_path: Path) -> None:
    with running(AuthorizationServer(secrets={SECRET})) as server:
        here = installation(tmp_path, server)
        server.behaviour.delay = 0.3
        with token_users(tmp_path, 2) as (stopped, other):
            stopped.tell("get 1")
            until(lambda: requests(server) == 1)
            os.kill(stopped.process.pid, signal.SIGSTOP)
            here.sql(EXPIRE_LEASE)
            newer = other.ask("get 1")
            row = here.sql("SELECT fingerprint, fence FROM token_states")
            os.kill(stopped.process.pid, signal.SIGCONT)
            assert stopped.answer() == newer
            assert here.sql("SELECT fingerprint, fence FROM token_states") == row
            assert requests(server) == 2


@pytest.mark.usefixtures("either_database")
@pytest.mark.soak
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_others_are_served_within_the_lease_of_one_who_is_gone(
    tmp_path: Path, how: signal.Signals
) -> None:
    with running(AuthorizationServer(secrets={SECRET})) as server:
        here = installation(tmp_path, server)
        server.behaviour.delay = 30
        with token_users(tmp_path, 3) as (gone, *others):
            gone.tell("get 1")
            until(lambda: requests(server) == 1)
            began = time.monotonic()
            os.kill(gone.process.pid, how)
            server.behaviour.delay = 0
            served = together(others, "get 25")
            took = time.monotonic() - began
            print(f"{how.name}: the others were served after {took:.1f} s")
            assert served[0] == served[1]
            assert len(served[0]["values"]) == 1
            assert took < 17
            assert requests(server) == 2
            row = here.sql("SELECT fingerprint, fence FROM token_states")
            os.kill(gone.process.pid, signal.SIGCONT)
            if how is signal.SIGSTOP:
                assert gone.answer() == served[0]
            assert here.sql("SELECT fingerprint, fence FROM token_states") == row
            assert requests(server) == 2


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
def test_who_is_killed_with_a_refresh_token_on_its_way_costs_one_login(tmp_path: Path) -> None:
    server = AuthorizationServer(secrets={SECRET}, users={"bot": "pass-word"})
    with running(server):
        user = {"grant": "password", "username": "bot", "password": Given("pass-word")}
        here = installation(tmp_path, server, **user)
        with token_users(tmp_path, 2) as (killed, other):
            killed.ask("get 1")
            server.behaviour.delay = 30
            killed.tell("reject 1")
            until(lambda: requests(server) == 2)  # it is spent, and its successor gets lost
            os.kill(killed.process.pid, signal.SIGKILL)
            server.behaviour.delay = 0
            here.sql(EXPIRE_LEASE)
            assert len(other.ask("get 5")["values"]) == 1
        assert server.counts["token.reused"] == 1
        assert server.counts["token.grant.password"] == 2
        assert requests(server) == 4


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
def test_a_token_server_that_refuses_everybody_is_not_stormed(tmp_path: Path) -> None:
    with running(AuthorizationServer(secrets={SECRET})) as server:
        installation(tmp_path, server)
        server.change(reject=True)
        with token_users(tmp_path, 2) as users:
            for _ in range(20):
                for said in together(users, "get 20"):
                    assert said["codes"] == ["credential.unavailable"]
            assert requests(server) == 1


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize("auth", ["basic", "post", "raw_basic"])
def test_ids_and_secrets_of_any_characters_are_understood(tmp_path: Path, auth: str) -> None:
    client, secret = "ümläut client+1", "/+=%: ☃ &?#secret"
    server = AuthorizationServer(client=client, secrets={secret}, client_auth={auth})
    with running(server):
        installation(
            tmp_path,
            server,
            client_id=client,
            client_secret=Given(secret),
            client_auth="post" if auth == "post" else "basic",
            basic_encoding="raw" if auth == "raw_basic" else "form",
        )
        with token_users(tmp_path, 1) as (user,):
            assert len(user.ask("get 1")["values"]) == 1


@pytest.mark.usefixtures("either_database")
def test_a_refresh_token_that_is_rotated_is_shared_and_never_used_twice(tmp_path: Path) -> None:
    server = AuthorizationServer(secrets={SECRET}, users={"bot": "pass-word"})
    with running(server):
        user = {"grant": "password", "username": "bot", "password": Given("pass-word")}
        here = installation(tmp_path, server, **user)
        with token_users(tmp_path, 2) as users:
            for command in ("get 5", "reject 5"):
                together(users, command)
            here.sql("UPDATE token_states SET soft_expiry = 0, hard_expiry = 0")
            with token_users(tmp_path, 1) as (fresh,):
                fresh.ask("get 5")
        grants = {name: n for name, n in server.counts.items() if name.startswith("token.grant")}
        assert grants == {"token.grant.password": 1, "token.grant.refresh_token": 2}
        assert server.counts["token.refused.invalid_grant"] == 0


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
def test_odd_answers_are_a_token_or_a_failure_and_an_edit_mends_it_at_once(tmp_path: Path) -> None:
    server = AuthorizationServer(secrets={SECRET})
    with running(server):
        here = installation(tmp_path, server)
        with token_users(tmp_path, 1) as (user,):
            for odd in ("html", "empty", "truncated", "list", "huge"):
                server.malformed = odd
                assert user.ask("get 2")["codes"] == ["credential.unavailable"]
                here.apply("crm", **OAUTH, token_url=server.token_url, scope=f"after.{odd}")
            server.malformed = "form"
            assert len(user.ask("get 2")["values"]) == 1
            assert requests(server) == 6


class Side:
    """The other side of a rotation: a service, what it is told, and how it takes in a secret."""

    def __init__(self, kind: str) -> None:
        self.oauth = AuthorizationServer(secrets={OLD}) if kind == "oauth2" else None
        self.api = Loyalty({"bot": OLD}) if self.oauth is None else CRM(self.oauth.book)

    def take(self, *secrets: str) -> None:
        """These are good from now on; tokens that others got are revoked."""
        if self.oauth is None:
            self.api.change(passwords={"bot": secrets})
            return
        for gone in self.oauth.secrets - set(secrets):
            self.oauth.book.revoke(gone)
        self.oauth.secrets = set(secrets)

    def profile(self) -> str:
        """As an apply file has it."""
        if self.oauth is None:
            return "{kind: basic, username: bot, password: {seal_from_env: S}}"
        return (
            f"{{kind: oauth2, token_url: '{self.oauth.token_url}', client_id: crm-client,"
            " client_secret: {seal_from_env: S}}"
        )


OLD, NEW = "old/secret+1 %", "new:secret=2 ü"
RATE = 20


@contextmanager
def traffic(folder: Path, side: Side, processes: int) -> Iterator[tuple[Installation, Results]]:
    """That many processes calling all the while; what became of it, once the block is left."""
    results: Results = []
    with ExitStack() as stack:
        if side.oauth is not None:
            stack.enter_context(running(side.oauth))
        stack.enter_context(running(side.api))
        here = Installation(folder, {"S": OLD})
        file = f"auth_profiles: {{p: {side.profile()}}}\n"
        file += f"endpoints: {{api: {{base_url: '{side.api.url}', auth: p}}}}\n"
        apply(
            here.database,
            Keys(here.vault, here.references, EGRESS),
            read_file(file.encode(), "e.yaml", egress=EGRESS),
            actor="ann",
            now=wall(),
        )
        users = stack.enter_context(token_users(folder, processes))
        path = "/coupons" if side.oauth is None else "/tasks"
        for user in users:
            user.tell(f"flow {RATE} {path}")
        more(side, processes)
        yield here, results
        more(side, processes)
        results += together(users, "stop 0")


def more(side: Side, processes: int) -> None:
    """Wait until every process has called a while longer."""
    wanted = len(side.api.log) + processes * RATE
    until(lambda: len(side.api.log) >= wanted)


PROCESSES = [pytest.param(2, id="ci"), pytest.param(4, id="full", marks=pytest.mark.soak)]


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize("processes", PROCESSES)
@pytest.mark.parametrize("kind", ["oauth2", "basic"])
@pytest.mark.parametrize("first", ["here", "there"])
def test_a_rotation_with_overlap_fails_no_call_whichever_side_is_first(
    tmp_path: Path, kind: str, first: str, processes: int
) -> None:
    side = Side(kind)
    with traffic(tmp_path, side, processes) as (here, results):
        if first == "there":
            side.take(OLD, NEW)
        here.rotate("p", NEW, overlap_s=600)
        more(side, processes)
        side.take(OLD, NEW)
        more(side, processes)
        side.take(NEW)
    assert [each["failed"] for each in results] == [[]] * processes
    assert all(each["good"] > 0 for each in results)
    last = side.api.log[-1].credential
    assert last == NEW
    fallen = here.sql("SELECT count(*) FROM audit WHERE verb = 'fall back'")
    assert fallen == [(1 if first == "here" else 0,)]
    for bodies in bodies_by_key(side.api.log).values():
        assert len(bodies) <= 2
    if side.oauth is not None:
        assert requests(side.oauth) <= 4
    else:
        wrong = side.api.counts["401.wrong_password"]
        print(f"{wrong} wrong passwords of {len(side.api.log)} calls")
        assert wrong <= processes * RATE


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize("processes", PROCESSES)
@pytest.mark.parametrize("kind", ["oauth2", "basic"])
def test_without_overlap_calls_fail_only_until_the_product_is_told(
    tmp_path: Path, kind: str, processes: int
) -> None:
    side = Side(kind)
    with traffic(tmp_path, side, processes) as (here, results):
        switched = wall()
        side.take(NEW)
        if side.oauth is None:
            more(side, processes)
        else:
            until(lambda: here.sql("SELECT failures FROM token_states") == [(1,)])
        here.rotate("p", NEW)
        told = wall()
    failed = [each for said in results for each in said["failed"]]
    assert failed
    assert {code for *_, code in failed} <= {"credential.rejected", "credential.unavailable"}
    assert min(ended for _, ended, _ in failed) > switched
    assert max(began for began, *_ in failed) <= told
    assert side.api.log[-1].credential == NEW
