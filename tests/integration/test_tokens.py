"""Tokens shared by real processes, given by a real authorization server on loopback."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.credentials.references import Given
from tests.integration.token_user import TokenUser, token_users
from tests.partners import AuthorizationServer, running
from tests.unit.credentials.installation import Installation

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
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def together(users: list[TokenUser], command: str) -> list[dict[str, list[Any]]]:
    for user in users:
        user.tell(command)
    return [user.answer() for user in users]


def test_processes_with_a_cold_cache_ask_once_and_renew_once(tmp_path: Path) -> None:
    with running(AuthorizationServer(secrets={SECRET})) as server:
        here = installation(tmp_path, server)
        server.behaviour.delay = 0.2
        with token_users(tmp_path, 4) as users:
            first = together(users, "get 25")
            assert requests(server) == 1
            assert all(each == first[0] and len(each["values"]) == 1 for each in first)
            again = together(users, "reject 25")
            assert requests(server) == 2
            assert all(each == again[0] and len(each["values"]) == 1 for each in again)
            assert again[0]["values"] != first[0]["values"]
            assert here.sql("SELECT requests FROM token_states") == [(2,)]


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


def test_a_token_server_that_refuses_everybody_is_not_stormed(tmp_path: Path) -> None:
    with running(AuthorizationServer(secrets={SECRET})) as server:
        installation(tmp_path, server)
        server.change(reject=True)
        with token_users(tmp_path, 2) as users:
            for _ in range(20):
                for said in together(users, "get 20"):
                    assert said["codes"] == ["credential.unavailable"]
            assert requests(server) == 1


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
