"""Whatever a token server does: everybody reaches the end, and it isn't asked more than need be."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.databases import BOTH_IN_SOAK
from tests.e2e.installation import Installation
from tests.partners import (
    CRM,
    AuthorizationServer,
    Desk,
    Faulty,
    OddTokens,
    bodies_by_key,
    running,
)
from tests.partners.odd_tokens import TOKEN
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
    folder: Path,
    token_urls: dict[str, str],
    apis: dict[str, str],
    path: str = "/tasks",
    **fields: str,
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
        f"  - {{id: {name}, type: call_api, endpoint: {name}, path: {path}, body: {{n: 1}}}}\n"
        for name in token_urls
    ]
    here.write("journey.yaml", "dsl: 1\njourney: calls\nsteps:\n" + "".join(steps))
    here.run("journey", "apply", "apply.yaml")
    return here


def run(here: Installation, users: int) -> dict[str, Any]:
    """The summary of a run of so many users; exit code 0."""
    here.patience_s = max(300.0, users / 10)
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


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
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


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize(
    "users", [pytest.param(350, id="ci"), pytest.param(3_000, id="full", marks=pytest.mark.soak)]
)
def test_short_tokens_are_renewed_in_time_and_not_for_each_request(
    tmp_path: Path, users: int
) -> None:
    lives = {"one_second": 1, "two_seconds": 2, "five_seconds": 5}
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
        summary = run(here, users)
    calls = users * len(lives)
    assert summary["calls"] == {"succeeded": calls, "failed": 0, "attempts": calls}
    for name, life in lives.items():
        assert apis[name].counts["requests"] == apis[name].counts["tasks"] == users
        span = (apis[name].log[-1].at - apis[name].log[0].at) / 1_000_000
        asked = servers[name].counts["token.requests"]
        assert summary["tokens"][name]["requests"] == asked
        print(f"tokens of {life} s: T = {asked} in {span:.1f} s")
        assert span / (life + 0.5) <= asked <= span / (life / 2) + 2, (name, span, asked)


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
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


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
def test_each_of_120_odd_answers_is_the_right_token_or_a_failure_with_its_name(
    tmp_path: Path,
) -> None:
    users = 2
    with running(OddTokens()) as odd, running(Desk({TOKEN})) as desk:
        answers = odd.answers
        urls = {name: f"{odd.url}/{name}" for name in answers}
        here = install(tmp_path, urls, dict.fromkeys(urls, desk.url), path="/tickets")
        summary = run(here, users)
        told = dict(
            here.query(
                "SELECT p.name, t.failure_text FROM token_states t"
                " JOIN auth_profiles p ON p.id = t.profile_id"
            )
        )
        asked = dict.fromkeys(answers, 0)
        for request in odd.log:
            asked[request.path.strip("/")] += 1
    assert len(answers) >= 120
    assert (summary["entered"], summary["finished"]) == (users, users)
    good = {name for name, answer in answers.items() if not answer.failure}
    for name, numbers in summary["endpoints"].items():
        succeeded = users if name in good else 0
        assert (numbers["calls"], numbers["succeeded"]) == (users, succeeded), (name, told[name])
        if name in good:
            assert (told[name], asked[name]) == (None, 1)
        else:
            assert answers[name].failure in told[name], (name, told[name])
            assert "s3cret" not in told[name]
            assert TOKEN not in told[name]
            assert told[name].isprintable()
            assert len(told[name]) < 400
    assert {request.header("authorization") for request in desk.log} == {f"Bearer {TOKEN}"}
    assert desk.counts["tickets"] == desk.counts["requests"] == users * len(good)


EXPIRE = "UPDATE token_states SET soft_expiry = 1, hard_expiry = 1"


def one_server(here_in: Path, oauth: AuthorizationServer, crm: CRM, **fields: str) -> Installation:
    """An installation with one profile that has a token already: one user was sent."""
    here = install(here_in, {"crm": oauth.token_url}, {"crm": crm.url}, **fields)
    here.run("run-journey", "journey.yaml", "--live", "--json", "--user", "first")
    assert oauth.counts["token.requests"] == crm.counts["tasks"] == 1
    return here


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize(
    "users", [pytest.param(300, id="ci"), pytest.param(10_000, id="full", marks=pytest.mark.soak)]
)
def test_users_who_find_an_expired_token_are_one_request(tmp_path: Path, users: int) -> None:
    oauth = AuthorizationServer()
    with running(oauth), running(CRM(oauth.book)) as crm:
        here = one_server(tmp_path, oauth, crm, concurrency="1000")
        here.execute(EXPIRE)
        oauth.book.revoke()
        oauth.behaviour.delay = 0.5
        summary = run(here, users)
    assert summary["calls"] == {"succeeded": users, "failed": 0, "attempts": users}
    assert oauth.counts["token.requests"] == 2
    assert crm.counts["401.revoked"] == 0
    assert summary["tokens"] == {"crm": {"requests": 1}}


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
def test_a_hundred_401s_at_once_are_one_renewal_and_each_call_is_sent_once_more(
    tmp_path: Path,
) -> None:
    oauth = AuthorizationServer()
    with running(oauth), running(CRM(oauth.book)) as crm:
        here = one_server(tmp_path, oauth, crm)
        oauth.book.revoke()
        crm.behaviour.delay = 1.0  # all hundred are on their way before the first is refused
        summary = run(here, 100)
        calls = bodies_by_key(crm.log[1:])
    assert summary["calls"] == {"succeeded": 100, "failed": 0, "attempts": 200}
    assert (crm.counts["401.revoked"], crm.counts["most_at_once"]) == (100, 100)
    assert oauth.counts["token.requests"] == 2
    assert len(calls) == 100
    assert all(len(bodies) == 2 and len(set(bodies)) == 1 for bodies in calls.values())


@dataclass(frozen=True)
class Outage:
    """A token server that says ``status`` for ``seconds`` while ``rate`` users a second come."""

    seconds: float
    users: int
    rate: int
    status: int = 503
    retry_after: str | None = None
    most: int = 8


OUTAGES = [
    pytest.param(Outage(4, 500, 50, most=5), id="503-ci"),
    pytest.param(Outage(1, 500, 100, 429, "3", most=1), id="429-ci"),
    pytest.param(Outage(60, 10_000, 72), id="503-full", marks=pytest.mark.soak),
    pytest.param(Outage(5, 4_000, 80, 429, "30", 1), id="429-full", marks=pytest.mark.soak),
]


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize("outage", OUTAGES)
def test_a_token_server_in_trouble_is_asked_seldom_and_found_again_in_one_step(
    tmp_path: Path, outage: Outage
) -> None:
    oauth = AuthorizationServer()
    with running(oauth), running(CRM(oauth.book)) as crm:
        here = one_server(tmp_path, oauth, crm, rate_limit=f"{{count: {outage.rate}, per: 1s}}")
        here.execute(EXPIRE)
        oauth.change(status=outage.status, retry_after=outage.retry_after)
        here.write("users.csv", "id\n" + "".join(f"u{n}\n" for n in range(outage.users)))
        here.patience_s = 300.0
        command = ("run-journey", "journey.yaml", "--users", "users.csv", "--live", "--json")
        with here.running(*command) as going:
            while oauth.counts["token.requests"] < 2:
                assert not going.ended
                time.sleep(0.01)
            time.sleep(outage.seconds)
            oauth.change(status=None)
            mended = time.time_ns() // 1000
            summary = going.finish().summary
        failed_until = here.query("SELECT max(ended_at) FROM executions WHERE failure <> ''")
    refused = [request.at for request in oauth.log if request.status == outage.status]
    taken = [request.at for request in oauth.log[1:] if request.status == 200]
    print(
        f"T = {len(refused)} in {outage.seconds} s; found {(taken[0] - mended) / 1e6:.1f} s after"
    )
    assert 1 <= len(refused) <= outage.most
    assert len(taken) == 1
    pause = (taken[0] - refused[-1]) / 1_000_000
    step = 2.0 ** (len(refused) - 1)
    if outage.retry_after is not None:
        assert float(outage.retry_after) <= pause <= float(outage.retry_after) + 2
    else:
        assert step / 2 <= pause <= step + 2
        for n, (one, other) in enumerate(pairwise(refused)):
            assert other - one >= 2**n * 500_000
    assert summary["finished"] == outage.users
    calls = summary["calls"]
    assert calls["succeeded"] + calls["failed"] == outage.users
    assert calls["succeeded"] == crm.counts["tasks"] - 1 > 0
    assert failed_until[0][0] <= taken[0] + 1_000_000, "nobody fails once there is a token"
