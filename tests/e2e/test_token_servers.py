"""Whatever a token server does: everybody reaches the end, and it isn't asked more than need be."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.installation import Installation
from tests.partners import CRM, AuthorizationServer, Faulty, bodies_by_key, running
from tests.partners.partner import Partner

PROFILE = """\
  {name}:
    kind: oauth2
    token_url: {token_url}
    client_id: crm-client
    client_secret: {{seal_from_env: CRM_SECRET}}
"""


@dataclass(frozen=True)
class Case:
    """A token server that is broken in one way. ``counts`` is None where nobody can count."""

    name: str
    token_url: str
    counts: Partner | None


def install(
    folder: Path, token_urls: dict[str, str], apis: dict[str, str], **fields: str
) -> Installation:
    """An installation with a profile per token server and an endpoint of the same name for each;
    a step each, in one journey.
    """
    here = Installation(folder, {"CRM_SECRET": "s3cret"})
    more = "".join(f", {name}: {value}" for name, value in fields.items())
    lines = ["auth_profiles:\n"]
    lines += [PROFILE.format(name=name, token_url=url) for name, url in token_urls.items()]
    lines += ["endpoints:\n"]
    lines += [
        f"  {name}: {{base_url: '{apis[name]}', auth: {name}{more}}}\n" for name in token_urls
    ]
    here.write("apply.yaml", "".join(lines))
    steps = [
        f"  - {{id: {name}, type: call_api, endpoint: {name}, path: /tasks, body: {{n: 1}}}}\n"
        for name in token_urls
    ]
    here.write("journey.yaml", "dsl: 1\njourney: calls\nsteps:\n" + "".join(steps))
    here.run("journey", "apply", "apply.yaml")
    return here


def run(here: Installation, users: int) -> dict[str, Any]:
    """The summary of a run of so many users; exit code 0."""
    here.patience_s = max(120.0, users / 10)
    here.write("users.csv", "id\n" + "".join(f"u{n}\n" for n in range(users)))
    command = ("run-journey", "journey.yaml", "--users", "users.csv", "--live", "--json")
    return here.run(*command).summary


@contextmanager
def broken_servers() -> Iterator[list[Case]]:
    """Every way in which a token server can give no token."""
    with ExitStack() as stack:
        cases: list[Case] = []

        def case(name: str, **settings: object) -> None:
            server = stack.enter_context(running(AuthorizationServer()))
            server.change(**settings)
            cases.append(Case(name, server.token_url, server))

        case("unauthorized", reject=True)
        case("error_500", status=500)
        case("too_many", status=429, retry_after="3600")
        for malformed in ("html", "empty", "truncated", "list", "huge"):
            case(malformed, malformed=malformed)
        case("hostile_token", answer_with={"access_token": "x\r\nSet-Cookie: a=b"})
        case("no_token", answer_without=["access_token"])
        case("down", down=True)
        for fault in ("garbage", "redirect", "half", "stall"):
            faulty = stack.enter_context(running(Faulty()))
            how = {"redirect": "307", "stall": "10"}.get(fault, "0")
            cases.append(Case(fault, f"{faulty.url}/{fault}/{how}", faulty))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        cases.append(Case("refused", f"http://127.0.0.1:{port}/token", None))
        yield cases


@pytest.mark.parametrize(
    "users", [pytest.param(300, id="ci"), pytest.param(20_000, id="full", marks=pytest.mark.soak)]
)
def test_everybody_reaches_the_end_whatever_the_token_server_answers(
    tmp_path: Path, users: int
) -> None:
    with broken_servers() as cases, running(CRM(AuthorizationServer().book)) as api:
        urls = {case.name: case.token_url for case in cases}
        here = install(tmp_path, urls, dict.fromkeys(urls, api.url))
        began = time.monotonic()
        summary = run(here, users)
        took = time.monotonic() - began
        failures = here.query("SELECT failure, attempts, count(*) FROM executions GROUP BY 1, 2")

    assert (summary["entered"], summary["finished"], summary["waiting"]) == (users, users, 0)
    assert summary["calls"] == {"succeeded": 0, "failed": users * len(cases), "attempts": 0}
    assert failures == [("credential.unavailable", 0, users * len(cases))]
    assert not api.log, "nothing is sent without its credential"
    for case in cases:
        counted = 0 if case.counts is None else case.counts.counts["requests"]
        assert summary["tokens"].get(case.name, {"requests": 0})["requests"] == counted, case.name
        assert counted <= 6 + took / 60, case.name
    assert cases[0].counts is not None
    asked = cases[0].counts.counts["requests"]
    assert 1 <= asked <= 1 + took / 30, "after a refusal the server isn't asked for half a minute"


def test_short_tokens_are_renewed_in_time_and_not_for_each_request(tmp_path: Path) -> None:
    lives = {"one_second": 1, "two_seconds": 2}
    with ExitStack() as stack:
        servers: dict[str, AuthorizationServer] = {}
        apis: dict[str, CRM] = {}
        for name, life in lives.items():
            # What is good for a moment longer than said: a loaded machine may take its time.
            server = AuthorizationServer(secrets={"s3cret"}, life=life + 0.5)
            servers[name] = stack.enter_context(running(server))
            apis[name] = stack.enter_context(running(CRM(server.book)))
        here = install(
            tmp_path,
            {name: server.token_url for name, server in servers.items()},
            {name: api.url for name, api in apis.items()},
            rate_limit="{count: 100, per: 1s}",
        )
        summary = run(here, 350)
    assert summary["calls"] == {"succeeded": 700, "failed": 0, "attempts": 700}
    for name, life in lives.items():
        assert apis[name].counts["requests"] == apis[name].counts["tasks"] == 350
        span = (apis[name].log[-1].at - apis[name].log[0].at) / 1_000_000
        asked = servers[name].counts["token.requests"]
        assert summary["tokens"][name]["requests"] == asked
        assert span / life <= asked <= span / (life / 2) + 2, (name, span, asked)


@pytest.mark.parametrize(
    "seconds", [pytest.param(4, id="ci"), pytest.param(60, id="full", marks=pytest.mark.soak)]
)
def test_an_api_that_always_says_401_causes_no_storm_of_token_requests(
    tmp_path: Path, seconds: int
) -> None:
    users = 50 * seconds
    oauth = AuthorizationServer(secrets={"s3cret"})
    with running(oauth), running(CRM(oauth.book)) as api:
        api.change(reject=True)
        here = install(
            tmp_path, {"crm": oauth.token_url}, {"crm": api.url}, rate_limit="{count: 50, per: 1s}"
        )
        summary = run(here, users)
    asked = oauth.counts["token.requests"]
    span = (api.log[-1].at - api.log[0].at) / 1_000_000
    renewals = 1 + sum(span > at for at in (10, 30))  # at once, 10 s later, 20 s after that
    assert 2 <= asked <= 1 + renewals <= 5
    assert summary["tokens"] == {"crm": {"requests": asked}}
    assert (summary["finished"], summary["calls"]["failed"]) == (users, users)
    assert summary["calls"]["attempts"] == api.counts["requests"]
    codes = here.query("SELECT DISTINCT failure FROM executions")
    assert codes == [("credential.rejected",)]
    for key, bodies in bodies_by_key(api.log).items():
        assert key
        assert len(bodies) <= 2
        assert len(set(bodies)) == 1
