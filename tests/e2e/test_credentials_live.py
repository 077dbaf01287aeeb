"""Credentials are live: rotated, assigned and taken away while users are on their way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.databases import BOTH_IN_SOAK
from tests.e2e.four_partners import (
    NEW,
    OLD,
    PROFILE_OF,
    Partners,
    executions_by_key,
    four_partners,
    steps_of,
    write_journey,
)
from tests.e2e.installation import Running
from tests.partners import Answers, running

SECOND = 1_000_000
ROUNDS = 2
ONE_USER = ("run-journey", "journey.yaml", "--live", "--json", "--user")


def now() -> int:
    """This moment in microseconds UTC, by the clock that the servers' logs have."""
    return time.time_ns() // 1000


def wait_for(requests: int, had: Callable[[], int], run: Running) -> None:
    """Return when ``had`` says that so many requests came, with the run still under way."""
    while had() < requests:
        assert not run.ended, "the run was over before it was interfered with"
        time.sleep(0.01)


def carrying(api: Answers, authorization: str | None, since: int) -> int:
    """How many requests since a moment (microseconds UTC) were authorized with this."""
    late = (request for request in list(api.log) if request.at > since)
    return sum(request.header("authorization") == authorization for request in late)


def rotate(partners: Partners, profile: str) -> int:
    """Rotate a profile; the moment (microseconds UTC) its command had returned."""
    partners.here.environment["ROTATED"] = NEW[profile]
    said = partners.here.run("journey", "auth", "rotate", profile, "--from-env", "ROTATED")
    assert "rotated (version 2)" in said.out
    return now()


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
@pytest.mark.parametrize(
    "users", [pytest.param(2_000, id="ci"), pytest.param(20_000, id="full", marks=pytest.mark.soak)]
)
def test_a_rotation_holds_for_every_call_resolved_after_the_command_returned(
    tmp_path: Path, users: int
) -> None:
    calls = users * ROUNDS * len(PROFILE_OF)
    with four_partners(tmp_path) as partners:
        here = partners.here
        here.patience_s = max(300.0, users / 10)
        command = write_journey(here, rounds=ROUNDS, users=users)
        with here.running(*command) as run:
            partners.change(delay=0.05)  # somebody comes to each before
            wait_for(calls // 4, partners.requests, run)
            partners.change(delay=1.0)  # the run must outlast four commands
            returned = {profile: rotate(partners, profile) for profile in NEW}
            at_return = partners.requests()
            partners.change(delay=0.0)
            summary = run.finish().summary
        assert at_return < calls * 0.9, "too late to mean anything"

        assert (summary["entered"], summary["finished"], summary["waiting"]) == (users, users, 0)
        assert summary["calls"]["failed"] == 0
        assert partners.requests() == calls == summary["calls"]["attempts"]
        assert here.query("SELECT count(*) FROM versions") == [(1,)], "nothing was republished"
        assert summary["tokens"]["crm-oauth"]["requests"] == 2
        assert partners.oauth.counts["token.requests"] == 2

        late: Counter[str] = Counter()
        used: Counter[tuple[str, str]] = Counter()
        executions = executions_by_key(here, steps_of(ROUNDS))
        assert len(executions) == calls
        for endpoint, request in partners.logs():
            profile = PROFILE_OF[endpoint]
            used[profile, request.credential] += 1
            if request.credential == OLD[profile] and request.at > returned[profile]:
                late[profile] += 1
                assert request.at <= returned[profile] + SECOND, "an old secret, long after"
            execution = executions[request.header("idempotency-key") or ""]
            version = {OLD[profile]: 1, NEW[profile]: 2}[request.credential]
            assert execution.credential_version == version
    for profile in OLD:
        assert used[profile, OLD[profile]] > 0, "nobody came before the rotation"
        assert used[profile, NEW[profile]] > 0, "nobody came after the rotation"
    print("in flight over the rotation:", dict(late))


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
def test_the_old_file_applied_again_keeps_the_new_secret_unless_told_otherwise(
    tmp_path: Path,
) -> None:
    with four_partners(tmp_path) as partners:
        here = partners.here
        rotate(partners, "crm-oauth")
        again = here.run("journey", "apply", "apply.yaml")
        assert again.out.count("kept, rotated just now; --take-secrets to overwrite") == 1

        write_journey(here, rounds=1, users=0)
        here.run(*ONE_USER, "first")
        here.run("journey", "apply", "apply.yaml", "--take-secrets")
        here.run(*ONE_USER, "second")
        used = [request.credential for request in partners.of["crm"].log]
    assert used == [NEW["crm-oauth"], OLD["crm-oauth"]]


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
def test_a_profile_is_assigned_and_taken_away_with_a_thousand_users_inside(tmp_path: Path) -> None:
    users, calls = 1_000, 6
    with four_partners(tmp_path) as partners, running(Answers()) as api:
        here = partners.here
        steps = [
            f"  - {{id: call_{n}, type: call_api, endpoint: api, path: /x}}\n" for n in range(calls)
        ]
        here.write("journey.yaml", "dsl: 1\njourney: chain\nsteps:\n" + "".join(steps))
        here.write("users.csv", "id\n" + "".join(f"u{n}\n" for n in range(users)))
        here.run("journey", "endpoints", "set", "api", "--url", api.url, "--concurrency", "1000")
        command = ("run-journey", "journey.yaml", "--users", "users.csv", "--live", "--json")
        moments: list[tuple[int, int]] = []
        bearer = f"Bearer {OLD['desk-token']}"
        inside = "SELECT count(*) FROM enrollments WHERE state <> 2"
        api.change(delay=3.0)  # nobody may reach the end before both commands returned
        with here.running(*command) as run:
            wait_for(1, lambda: len(api.log), run)
            wait_for(users, lambda: int(here.query(inside)[0][0]), run)
            for auth, header in (("desk-token", bearer), ("none", None)):
                began = now()
                here.run("journey", "endpoints", "set", "api", "--auth", auth)
                moments.append((began, now()))
                assert here.query(inside) == [(users,)], "everybody is still inside"
                wait_for(300, partial(carrying, api, header, moments[-1][1]), run)
            api.change(delay=0.0)
            summary = run.finish().summary
        versions = dict(
            here.query("SELECT credential_version, count(*) FROM executions GROUP BY 1")
        )

    assert (summary["finished"], summary["calls"]["failed"]) == (users, 0)
    (began, assigned), (taking, taken) = moments
    carried = [(request.at, request.header("authorization")) for request in api.log]
    assert {header for at, header in carried if at < began} == {None}
    assert {header for at, header in carried if assigned + SECOND < at < taking} <= {bearer}
    assert {header for at, header in carried if at > taken + SECOND} == {None}
    with_it = sum(header == bearer for _, header in carried)
    assert versions == {None: users * calls - with_it, 2: with_it}, "bound to a host: version 2"
    assert with_it >= 300


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
def test_a_secret_opens_nowhere_else_and_goes_to_no_other_host(tmp_path: Path) -> None:
    with four_partners(tmp_path) as partners, running(Answers()) as elsewhere:
        here = partners.here
        write_journey(here, rounds=1, users=0)
        steps = steps_of(1)
        moved = partners.of["loyalty"].url
        # Whoever writes into the database still gets no secret out of it.
        here.execute(
            "UPDATE auth_secrets SET sealed = (SELECT sealed FROM auth_secrets WHERE"
            " field = 'X-Api-Key'), field = 'token' WHERE field = 'token'"
        )
        here.execute(
            "UPDATE endpoints SET settings = replace(settings, ?, ?), version = version + 1"
            " WHERE name = 'loyalty'",
            moved,
            elsewhere.url,
        )
        here.run(*ONE_USER, "u1")
        failures = here.query("SELECT step, failure, attempts FROM executions WHERE status = 2")
        refused = here.run("journey", "endpoints", "set", "crm", "--url", elsewhere.url, code=2)
    assert [(steps[number], failure, attempts) for number, failure, attempts in failures] == [
        ("coupon_1", "credential.host_not_allowed", 0),
        ("ticket_1", "credential.unreadable", 0),
    ]
    assert "no value for client_secret of auth profile crm-oauth" in refused.err
    assert not elsewhere.log
    assert not partners.of["desk"].log
