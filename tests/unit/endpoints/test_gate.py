from __future__ import annotations

import pytest

from engine.core.message import Answer
from engine.core.steps.base import Result
from engine.endpoints.gate import (
    OPEN,
    WELL,
    Breaker,
    Gate,
    GatePolicy,
    Parked,
    Refused,
    Sighting,
    admission,
    after,
    sighting,
)

SECOND = 1_000_000
NOW = 1_790_000_000 * SECOND
HOUR = 3_600 * SECOND
BREAKER = GatePolicy(Breaker(3, 10 * SECOND, 30 * SECOND))
HOLD = GatePolicy(hold=HOUR)
BOTH = GatePolicy(BREAKER.breaker, HOUR)
FAILED = Sighting("failed", "call.server_error", "answered 503")
NO_TOKEN = Sighting("refused", "credential.unavailable", "the token server answered 503")


def result(answer: Answer, failure: str | None = None) -> Result:
    return Result(answer, failure, "", 1, 1, NOW)


def all_of(policy: GatePolicy, *seen: tuple[Sighting, int]) -> Gate:
    gate = OPEN
    for one, at in seen:
        gate = after(gate, policy, one, at, probe=False)
    return gate


@pytest.mark.parametrize(
    ("answer", "failure", "what"),
    [
        (Answer(status=200), None, "well"),
        (Answer(status=404), None, "well"),
        (Answer(status=401), None, "well"),
        (Answer(status=500), None, "failed"),
        (Answer(failure="call.timed_out"), "call.timed_out", "failed"),
        (Answer(failure="call.unreachable"), "call.unreachable", "failed"),
        (Answer(failure="call.blocked"), "call.blocked", "well"),
        (Answer(status=401), "credential.rejected", "refused"),
        (Answer(status=429), None, "well"),
        (Answer(status=429, headers={"retry-after": "7"}), None, "busy"),
        (Answer(status=503, headers={"retry-after": "7"}), None, "failed"),
    ],
)
def test_what_an_attempt_says_of_its_endpoint(
    answer: Answer, failure: str | None, what: str
) -> None:
    assert sighting(result(answer, failure), NOW).what == what


def test_a_circuit_opens_at_its_number_of_failures_within_its_time() -> None:
    two = all_of(BREAKER, (FAILED, NOW), (FAILED, NOW + SECOND))
    assert admission(two, BREAKER, NOW, NOW + SECOND) == "go"
    late = after(two, BREAKER, FAILED, NOW + 11 * SECOND, probe=False)
    assert late.since is None, "the first two are ten seconds old"
    three = after(two, BREAKER, FAILED, NOW + 2 * SECOND, probe=False)
    verdict = admission(three, BREAKER, NOW, NOW + 3 * SECOND)
    assert isinstance(verdict, Refused)
    assert verdict.code == "call.circuit_open"
    assert "answered 503" in verdict.text


def test_an_open_circuit_lets_a_probe_through_and_closes_when_it_is_well() -> None:
    shut = all_of(BREAKER, *((FAILED, NOW),) * 3)
    assert isinstance(admission(shut, BREAKER, NOW, NOW + 29 * SECOND), Refused)
    later = NOW + 30 * SECOND
    assert admission(shut, BREAKER, NOW, later) == "probe"
    again = after(shut, BREAKER, FAILED, later, probe=True)
    assert isinstance(admission(again, BREAKER, NOW, later + 29 * SECOND), Refused)
    assert again.since == NOW
    assert again.text == "the probe failed, too: answered 503"
    assert after(shut, BREAKER, WELL, later, probe=True) == OPEN


def test_what_was_sent_before_it_opened_doesnt_close_it() -> None:
    shut = all_of(BREAKER, *((FAILED, NOW),) * 3)
    assert after(shut, BREAKER, WELL, NOW + 1, probe=False) == shut
    assert after(shut, BREAKER, FAILED, NOW + 1, probe=False) == shut


def test_without_a_hold_a_missing_credential_shuts_nothing() -> None:
    assert all_of(BREAKER, (NO_TOKEN, NOW)) == OPEN


def test_calls_are_held_from_a_missing_credential_on_and_one_looks_again_at_growing_steps() -> None:
    gate, now = all_of(HOLD, (NO_TOKEN, NOW)), NOW
    probes = 0
    while now < NOW + HOUR:
        verdict = admission(gate, HOLD, NOW, now)
        if isinstance(verdict, Parked):
            now = verdict.until
            continue
        assert verdict == "probe"
        probes += 1
        if now < NOW + 60 * SECOND:
            assert probes <= 8
        gate = after(gate, HOLD, NO_TOKEN, now, probe=True)
    assert 55 <= probes <= 75
    assert gate.since == NOW
    healed = after(gate, HOLD, WELL, now, probe=True)
    assert admission(healed, HOLD, NOW, now) == "go"


def test_a_held_call_fails_with_its_code_when_it_was_held_long_enough() -> None:
    gate = Gate(NOW, "credential.rejected", "answered 401", NOW + 10 * HOUR)
    early, late = NOW - HOUR, NOW + HOUR // 2
    assert admission(gate, HOLD, early, NOW + HOUR) == Refused(
        "credential.rejected", "answered 401", NOW
    )
    assert isinstance(admission(gate, HOLD, late, NOW + HOUR), Parked)
    assert isinstance(admission(gate, HOLD, late, late + HOUR), Refused)


def test_with_a_hold_an_open_circuit_holds_too() -> None:
    shut = all_of(BOTH, *((FAILED, NOW),) * 3)
    verdict = admission(shut, BOTH, NOW, NOW + SECOND)
    assert isinstance(verdict, Parked)
    assert verdict.until == NOW + 30 * SECOND
    no_token = after(shut, BOTH, NO_TOKEN, NOW + 30 * SECOND, probe=True)
    assert no_token.code == "credential.unavailable"
    then_down = after(no_token, BOTH, FAILED, NOW + 40 * SECOND, probe=True)
    assert then_down.since is None, "there is a credential again; the failure counts anew"
    assert then_down.failures == (NOW + 40 * SECOND,)


def test_a_retry_after_slows_the_whole_endpoint_a_minute_at_most() -> None:
    busy = sighting(result(Answer(status=429, headers={"retry-after": "7"})), NOW)
    gate = after(OPEN, GatePolicy(), busy, NOW, probe=False)
    assert admission(gate, GatePolicy(), NOW, NOW) == Parked(NOW + 7 * SECOND, 7.0)
    assert admission(gate, GatePolicy(), NOW, NOW + 7 * SECOND) == "go"
    long = sighting(result(Answer(status=429, headers={"retry-after": "3600"})), NOW)
    assert long.until == NOW + 60 * SECOND
    assert gate.words(NOW) == "slowed"


def test_what_is_edited_out_of_an_endpoint_holds_nobody_any_more() -> None:
    shut = all_of(BREAKER, *((FAILED, NOW),) * 3)
    assert admission(shut, GatePolicy(), NOW, NOW) == "go"
    held = all_of(HOLD, (NO_TOKEN, NOW))
    assert admission(held, GatePolicy(), NOW, NOW) == "go"


def test_a_clock_that_goes_back_shuts_nobody_out() -> None:
    shut = all_of(BREAKER, *((FAILED, NOW),) * 3)
    assert admission(shut, BREAKER, 0, NOW - HOUR) == "probe"
    slowed = Gate(paused_until=NOW)
    assert admission(slowed, BREAKER, 0, NOW - HOUR) == "go"


def test_a_pause_that_a_clock_put_back_has_moved_an_hour_off_is_not_told() -> None:
    gate = Gate(paused_until=3_600_000_000)
    assert [gate.words(now) for now in (0, 3_590_000_000)] == ["ok", "slowed"]
