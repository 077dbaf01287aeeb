"""Endpoints and token servers that fail for a while: who waits, who goes on, and what is sent."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.clock import wall
from engine.core.expressions.durations import HOUR, MINUTE, SECOND
from engine.credentials.open_vault import open_vault
from engine.credentials.references import References
from engine.endpoints import states
from engine.endpoints.file import read_file
from engine.enrollments import redrive
from engine.enrollments.backlog import Backlog
from engine.enrollments.calls import CallFilter, listed
from engine.enrollments.users_held import UsersHeld
from engine.operations.apply import Keys, apply
from engine.processes.redriving import work_redriven
from engine.versions.store import Versions
from engine.wire.egress import Egress
from tests.integration.live import House, Seen, call
from tests.partners import CRM, Answers, AuthorizationServer, bodies_by_key, running

NOW = 1_790_000_000_000_000
ONE_CALL = {"steps": [call("greet", "api", body={"user": "{{ user.id }}"})]}
ONCE = {"attempts": 1}


def ids(count: int) -> list[str]:
    return ["id", *(f"u{n}" for n in range(count))]


def install(house: House, oauth: AuthorizationServer, crm: CRM, more: str = "") -> None:
    text = f"""
auth_profiles:
  crm:
    kind: oauth2
    token_url: {oauth.token_url}
    client_id: crm-client
    client_secret: {{seal_from_env: S}}
endpoints:
  crm: {{base_url: {crm.url}, auth: crm{more}}}
"""
    egress = Egress.parse("127.0.0.0/8")
    with house.opened() as database:
        vault = open_vault(database, house.settings).vault
        keys = Keys(vault, References({"S": "s3cret"}, ()), egress)
        apply(database, keys, read_file(text.encode(), "e.yaml"), actor="ada", now=wall())


class At(Seen):
    """Does something once journey time has come to ``at``."""

    def __init__(self, at: int, what: Any) -> None:
        super().__init__()
        self.at = at
        self.what = what
        self.moments: list[int] = []

    def turned(self, ledger: Any) -> None:
        super().turned(ledger)
        self.moments.append(ledger.now)
        if self.what is not None and ledger.now >= self.at:
            self.what()
            self.what = None


SCORE = {
    "steps": [
        {
            "id": "score",
            "type": "call_api",
            "endpoint": "crm",
            "path": "/users/{{ user.id }}/score",
        }
    ]
}


@pytest.mark.parametrize(
    "users", [pytest.param(500, id="ci"), pytest.param(10_000, id="full", marks=pytest.mark.soak)]
)
def test_a_token_server_down_for_an_hour_fails_nobody_whose_endpoint_holds(
    tmp_path: Path, users: int
) -> None:
    with running(AuthorizationServer()) as oauth, running(CRM(oauth.book)) as crm:
        house = House(tmp_path)
        install(house, oauth, crm, ", on_auth_failure: hold")
        oauth.change(status=503)
        heals = At(NOW + HOUR, lambda: oauth.change(status=None))
        ran = house.run(SCORE, house.users(ids(users)), now=NOW, seen=heals)
        assert ran.summary.failed == 0
        assert ran.summary.outcomes == {"completed": users}
        assert len(crm.log) == ran.summary.calls.attempts == users
        assert oauth.counts["token.requests"] + oauth.counts["status.503"] <= 75
        assert max(heals.moments) <= NOW + HOUR + 6 * MINUTE + 2 * MINUTE
        with house.opened() as database, database.read() as connection:
            assert states.gate_of(connection, "crm").gate.since is None


@pytest.mark.parametrize(
    "users", [pytest.param(200, id="ci"), pytest.param(10_000, id="full", marks=pytest.mark.soak)]
)
def test_a_token_server_down_fails_the_step_and_everybody_goes_on_where_it_doesnt_hold(
    tmp_path: Path, users: int
) -> None:
    with running(AuthorizationServer()) as oauth, running(CRM(oauth.book)) as crm:
        house = House(tmp_path)
        install(house, oauth, crm)
        oauth.change(status=503)
        ran = house.run(SCORE, house.users(ids(users)), now=NOW)
        assert ran.summary.outcomes == {"completed": users}
        assert ran.summary.steps["score"].failed == users
        assert ran.summary.failures[0].code == "credential.unavailable"
        assert crm.log == []
        assert oauth.counts["requests"] <= 8


def test_a_hold_is_over_after_its_time_and_the_step_fails(tmp_path: Path) -> None:
    with running(AuthorizationServer()) as oauth, running(CRM(oauth.book)) as crm:
        house = House(tmp_path)
        install(house, oauth, crm, ", concurrency: 2, on_auth_failure: {hold: 10m}")
        oauth.change(status=503)
        seen = At(NOW, None)
        ran = house.run(SCORE, house.users(ids(200)), now=NOW, seen=seen)
        assert ran.summary.outcomes == {"completed": 200}
        assert ran.summary.steps["score"].failed == 200
        assert NOW + 10 * MINUTE <= max(seen.moments) <= NOW + 12 * MINUTE
        assert ran.summary.failures[0].code == "credential.unavailable"


def test_a_held_call_goes_on_as_soon_as_its_secret_is_set(tmp_path: Path) -> None:
    with running(AuthorizationServer()) as oauth, running(CRM(oauth.book)) as crm:
        house = House(tmp_path)
        install(house, oauth, crm, ", on_auth_failure: hold")
        crm.change(reject=True)
        heals = At(NOW + 5 * MINUTE, lambda: crm.change(reject=False))
        ran = house.run(SCORE, house.users(ids(20)), now=NOW, seen=heals)
        assert ran.summary.failed == 0
        assert ran.summary.outcomes == {"completed": 20}
        assert ran.summary.calls.attempts == len(crm.log)
        assert {len(set(bodies)) for bodies in bodies_by_key(crm.log).values()} == {1}
        house.check_counts(ran, SCORE)


def test_an_open_circuit_fails_calls_without_the_wire_and_a_probe_closes_it(tmp_path: Path) -> None:
    with running(Answers()) as api:
        house = House(tmp_path)
        breaker = {"failures": 5, "open_for": "20s"}
        house.endpoint("api", api.url, retry=ONCE, concurrency=3, circuit_breaker=breaker)
        api.change(status=503)
        first = house.run(ONE_CALL, house.users(ids(200), "a.csv"), now=NOW)
        assert 5 <= len(api.log) <= 8
        found = {row[0]: row[1] for row in _failures(house)}
        assert found == {
            "call.server_error": len(api.log),
            "call.circuit_open": 200 - len(api.log),
        }
        assert first.summary.calls.attempts == len(api.log)
        with house.opened() as database, database.read() as connection:
            assert states.gate_of(connection, "api").gate.words(NOW) == "circuit open"
        before = len(api.log)
        house.run(_again("b"), house.users(ids(100), "b.csv"), now=NOW + 30 * SECOND)
        assert len(api.log) == before + 1, "a probe, which failed"
        api.change(status=None)
        last = house.run(_again("c"), house.users(ids(100), "c.csv"), now=NOW + 60 * SECOND)
        assert last.summary.steps["c"].succeeded >= 97, "while the probe is made, some fail"
        with house.opened() as database, database.read() as connection:
            assert states.gate_of(connection, "api").gate.words(NOW) == "ok"


def test_a_circuit_that_holds_lets_nobody_fail_by_it(tmp_path: Path) -> None:
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint(
            "api",
            api.url,
            retry=ONCE,
            concurrency=3,
            circuit_breaker={"failures": 5, "open_for": "20s"},
            on_auth_failure="hold",
        )
        api.change(statuses=[503] * 9)
        ran = house.run(ONE_CALL, house.users(ids(200)), now=NOW)
        assert ran.summary.failed <= 9
        assert {code for code, _ in _failures(house)} == {"call.server_error"}
        assert len(api.log) == 200
        house.check_counts(ran, ONE_CALL)


def test_a_429_with_retry_after_stops_the_whole_endpoint_for_so_long(tmp_path: Path) -> None:
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url, concurrency=2)
        api.change(statuses=[429], retry_after="2")
        ran = house.run(ONE_CALL, house.users(ids(60)))
        assert ran.summary.steps["greet"].succeeded == 60
        times = sorted(request.at for request in api.log)
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert max(gaps) >= 1_900_000
        assert len(api.log) == 61


def test_failed_calls_are_sent_again_with_their_key_and_their_bytes(tmp_path: Path) -> None:
    journey = {
        "steps": [
            call(
                "greet",
                "api",
                body={"user": "{{ user.id }}"},
                outputs={"user.n": "response.body.n", "vars.n": "response.body.n"},
            )
        ]
    }
    with running(Answers(b'{"n":7}')) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url, retry=ONCE)
        api.change(statuses=[503, 200] * 20)
        ran = house.run(journey, house.users(ids(40)))
        assert (ran.summary.calls.failed, ran.summary.calls.succeeded) == (20, 20)
        failed = {
            request.header("idempotency-key"): request.body
            for request in api.log
            if request.status == 503
        }
        before = house.query("SELECT id, state, outcome, data FROM enrollments ORDER BY id")
        sent = len(api.log)
        api.change(statuses=[404])
        with house.opened() as database:
            vault = open_vault(database, house.settings).vault
            with database.read() as connection:
                wanted = CallFilter(failed=True, code="call.server_error", step="greet")
                places = [one.place for one in listed(connection, wanted, Versions())]
            assert len(places) == 20
            with database.write() as connection:
                assert redrive.mark(connection, places, apply_outputs=True) == 20
                assert redrive.mark(connection, places, apply_outputs=True) == 0
            done = work_redriven(database, vault, house.settings)
        assert (done.succeeded, done.failures) == (19, {"call.client_error": 1})
        again = {request.header("idempotency-key"): request.body for request in api.log[sent:]}
        assert again == failed
        assert house.query("SELECT id, state, outcome, data FROM enrollments ORDER BY id") == before
        summary = house.summary(ran.result.run_ids[0])
        assert (summary.calls.succeeded, summary.calls.failed) == (39, 1)
        assert summary.calls.attempts == len(api.log) == 60
        assert [(one.code, one.times) for one in summary.failures] == [("call.client_error", 1)]
        assert summary.steps["greet"].failures == {"call.client_error": 1}
        assert house.query("SELECT redrive, status, count(*) FROM executions GROUP BY 1, 2") == [
            (0, 1, 20), (0, 2, 20), (1, 1, 19), (1, 2, 1),
        ]  # fmt: skip
        assert house.query("SELECT failure, redrive FROM calls") == [("call.client_error", 1)]
        ((known,),) = house.query("SELECT count(*) FROM users WHERE attributes = '{\"n\":7}'")
        assert known == 39


def _failures(house: House) -> list[tuple[Any, ...]]:
    return house.query("SELECT failure, count(*) FROM executions WHERE status = 2 GROUP BY failure")


def _again(step: str) -> dict[str, Any]:
    """Another version, through which the same users may go."""
    return {"steps": [call(step, "api")], "entry": {"reentry": "after_exit"}}


def test_a_worker_that_runs_sees_what_is_marked_to_be_sent_again(tmp_path: Path) -> None:
    """Another process marks; whoever looks at what others wrote knows of it."""
    with running(Answers()) as api:
        house = House(tmp_path)
        house.endpoint("api", api.url, retry=ONCE)
        api.change(status=503)
        house.run(ONE_CALL, house.users(ids(3)))
    with house.opened() as database:
        backlog = Backlog(None, Versions(), UsersHeld())
        with database.read() as connection:
            backlog.open(connection)
            assert backlog.next_call(lambda _: True) is None
            places = [one.place for one in listed(connection, CallFilter(failed=True), Versions())]
        with database.write() as connection:
            redrive.mark(connection, places, apply_outputs=False)
        with database.read() as connection:
            backlog.look(connection)
            assert backlog.due_lanes(wall()) == [("api", "j")]
            room = {("api", "j"): 10}
            loaded = backlog.load_calls(connection, wall(), room, {})
        assert [held.call.redrive for held in loaded] == [1, 1, 1]
