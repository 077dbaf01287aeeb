"""What call_api makes of an answer: success with outputs, once more, or a failure; never a stop."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.message import Answer
from engine.core.steps.answers import counted_from, retry_after
from engine.core.steps.base import Again, Decision, End, Move, Result
from engine.core.steps.call_api import RetryPolicy, Success, Terms
from tests.unit.core.steps.standing import NOW, USER, answered, failed, step, view

SECOND = 1_000_000
ONCE: dict[str, Any] = {"retry": {"attempts": 1}}
JSON = {"content-type": "application/json"}


def judged(result: Result, terms: Terms | None = None, **keys: Any) -> Decision:
    made = step(**{"type": "call_api", "endpoint": "crm", **keys})
    return made.resume(view(terms={"crm": terms} if terms else {}), result)


def failure_of(result: Result, terms: Terms | None = None, **keys: Any) -> str | None:
    decision = judged(result, terms, **{**ONCE, **keys})
    assert isinstance(decision, Move)
    return decision.failure


# --- what an answer is -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (200, None),
        (204, None),
        (299, None),
        (301, "call.client_error"),
        (304, "call.client_error"),
        (400, "call.client_error"),
        (401, "call.client_error"),
        (404, "call.client_error"),
        (429, "call.rate_limited"),
        (499, "call.client_error"),
        (500, "call.server_error"),
        (503, "call.server_error"),
        (599, "call.server_error"),
    ],
)
def test_a_status_is_a_success_or_the_failure_its_class_says(
    status: int, failure: str | None
) -> None:
    decision = judged(answered(status), **ONCE)
    assert isinstance(decision, Move)
    assert decision.failure == failure
    assert decision.status == ("failed" if failure else "succeeded")
    assert decision.http_status == status


@pytest.mark.parametrize(
    "failure",
    ["call.timed_out", "call.unreachable", "call.blocked", "call.circuit_open", "call.unknown"],
)
def test_a_call_without_an_answer_keeps_its_failure_and_has_no_status(failure: str) -> None:
    decision = judged(failed(failure), **ONCE)
    assert decision == Move(status="failed", failure=failure, text="no answer")


def test_a_rejected_credential_wins_over_the_status_it_was_rejected_with() -> None:
    result = answered(401)
    rejected = Result(result.answer, "credential.rejected", "rejected twice", 2, 1, NOW)
    decision = judged(rejected)
    assert isinstance(decision, Move)
    assert (decision.failure, decision.http_status) == ("credential.rejected", 401)


def test_a_body_that_isnt_json_is_no_failure_if_nobody_asks_for_it() -> None:
    assert failure_of(answered(200, b"{broken", JSON)) is None
    assert failure_of(answered(200, b"", JSON)) is None


@pytest.mark.parametrize(
    ("success", "status", "failure"),
    [
        ({"status": [404]}, 404, None),
        ({"status": [404]}, 200, "call.refused_by_rule"),
        ({"status": ["2xx", "404-410"]}, 410, None),
        ({"status": ["2xx", 404]}, 405, "call.client_error"),
        ({"status": ["5XX"]}, 503, None),
    ],
)
def test_a_step_may_say_which_statuses_are_a_success(
    success: dict[str, Any], status: int, failure: str | None
) -> None:
    assert failure_of(answered(status), success=success) == failure


@pytest.mark.parametrize(
    ("body", "status", "failure"),
    [
        (b'{"ok": true}', 200, None),
        (b'{"ok": true}', 500, None),
        (b'{"ok": false}', 200, "call.refused_by_rule"),
        (b'{"ok": false}', 404, "call.client_error"),
        (b'{"ok": false}', 503, "call.server_error"),
        (b"", 200, "call.refused_by_rule"),
        (b"{broken", 200, "call.bad_response"),
        (b"{broken", 503, "call.server_error"),
    ],
)
def test_a_rule_over_the_answer_decides_and_a_status_that_says_more_names_the_failure(
    body: bytes, status: int, failure: str | None
) -> None:
    success = {"when": "response.body.ok"}
    assert failure_of(answered(status, body, JSON), success=success) == failure


def test_the_endpoints_rule_holds_unless_the_step_has_one() -> None:
    terms = Terms(success=Success.model_validate({"status": [418]}))
    assert failure_of(answered(418), terms) is None
    assert failure_of(answered(418), terms, success={"status": ["2xx"]}) == "call.client_error"


# --- outputs ---------------------------------------------------------------------------------


def test_outputs_are_kept_for_the_passage_and_for_the_user() -> None:
    decision = judged(
        answered(
            201, b'{"data": {"score": 81}}', {"content-type": "application/json", "x-id": "7"}
        ),
        outputs={
            "vars.score": "response.body.data.score",
            "vars.status": "response.status",
            "user.crm_id": "response.headers['x-id']",
            "vars.raw": "response.text",
        },
    )
    assert decision == Move(
        http_status=201,
        vars={"score": 81, "status": 201, "raw": '{"data": {"score": 81}}'},
        user={"crm_id": "7"},
    )


@pytest.mark.parametrize(
    ("body", "content_type", "score"),
    [
        (b'{"score": 1}', "application/json; charset=utf-8", 1),
        (b'{"score": 1}', "application/problem+json", 1),
        (b'{"score": 1}', "", 1),
        (b'{"score": 1}', "text/plain", 1),
        (b'{"score": 1}', "text/html", 1),
        (b'\xef\xbb\xbf{"score": 1}', "application/json", 1),
        (b'{"score": 1}', "application/octet-stream", None),
        (b'{"score": 1, "score": 2}', "application/json", None),
        (b'{"score": NaN}', "application/json", None),
        (b'{"other": 1}', "application/json", None),
        (b'{"score": null}', "application/json", None),
        (b"<html>", "text/html", None),
        (b"<html>", "application/json", None),
        (b"", "application/json", None),
        (b'["score"]', "application/json", None),
        (b"\xff\xfe", "text/plain", None),
        (b"[" * 100_000, "application/json", None),
    ],
)
def test_a_body_that_cant_give_an_output_is_a_bad_response_and_changes_nothing(
    body: bytes, content_type: str, score: int | None
) -> None:
    decision = judged(
        answered(200, body, {"content-type": content_type} if content_type else {}),
        outputs={"vars.status": "response.status", "vars.score": "response.body.score"},
    )
    if score is not None:
        assert decision == Move(http_status=200, vars={"status": 200, "score": score})
        return
    assert isinstance(decision, Move)
    assert (decision.status, decision.failure) == ("failed", "call.bad_response")
    assert (decision.vars, decision.user, decision.http_status) == (None, None, 200)


def test_an_output_may_be_null_if_the_author_says_so() -> None:
    outputs = {"vars.a": "response.body.a | default(none)", "user.b": "none"}
    decision = judged(answered(200, b"{}", JSON), outputs=outputs)
    assert decision == Move(http_status=200, vars={"a": None}, user={"b": None})


def test_a_failed_call_writes_nothing() -> None:
    decision = judged(answered(404, b'{"a": 1}', JSON), outputs={"vars.a": "response.body.a"})
    assert isinstance(decision, Move)
    assert (decision.failure, decision.vars) == ("call.client_error", None)


def test_an_answer_is_gone_when_the_step_is_over() -> None:
    standing = view()
    made = step(type="call_api", endpoint="crm", outputs={"vars.a": "response.body.a"})
    made.resume(standing, answered(200, b'{"a": 1}', JSON))
    made.resume(standing, answered(200, b"{", JSON))
    assert standing.scope.response is None


# --- once more -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "again"),
    [
        (failed("call.timed_out"), True),
        (failed("call.unreachable"), True),
        (answered(429), True),
        (answered(500), True),
        (answered(503), True),
        (answered(400), False),
        (answered(302), False),
        (failed("call.blocked"), False),
        (failed("call.circuit_open"), False),
        (failed("call.unfillable"), False),
        (failed("call.unknown"), False),
        (failed("call.bad_response"), False),
        (failed("credential.rejected"), False),
        (failed("credential.unavailable"), False),
    ],
)
def test_only_what_trying_again_may_cure_is_tried_again(result: Result, again: bool) -> None:
    assert isinstance(judged(result), Again) is again


def test_a_refusal_by_rule_is_not_tried_again() -> None:
    decision = judged(answered(200, b"{}", JSON), success={"when": "response.body.ok"})
    assert isinstance(decision, Move)
    assert decision.failure == "call.refused_by_rule"


def test_the_pause_doubles_up_to_its_bound_and_a_lot_takes_up_to_half_of_it() -> None:
    policy = {"attempts": 9, "delay": "2s", "max_delay": "10s", "within": "P1D"}
    for tries, pause in ((1, 2), (2, 4), (3, 8), (4, 10), (8, 10)):
        decision = judged(answered(503, tries=tries), retry=policy)
        assert isinstance(decision, Again)
        assert NOW + pause * SECOND / 2 <= decision.at <= NOW + pause * SECOND
        assert (decision.failure, decision.text) == ("call.server_error", "answered 503")


def test_the_lot_is_the_same_on_every_machine_and_differs_between_users_and_attempts() -> None:
    made = step(type="call_api", endpoint="crm", retry={"attempts": 9})

    def at(user: str, tries: int, visit: int = 1) -> int:
        standing = view(user={**USER, "id": user}, user_id=user, visit=visit)
        decision = made.resume(standing, answered(503, tries=tries))
        assert isinstance(decision, Again)
        return decision.at - NOW

    assert at("u1", 1) == at("u1", 1)
    assert len({at(f"u{number}", 1) for number in range(20)}) == 20
    assert at("u1", 1) != at("u1", 1, visit=2)
    assert at("u1", 2) != 2 * at("u1", 1)


def test_the_attempts_that_count_are_limited_resends_are_not() -> None:
    assert isinstance(judged(answered(503, tries=2)), Again)
    assert failure_of(answered(503, tries=3), retry={}) == "call.server_error"
    resent = Result(answered(503).answer, None, "", attempts=9, tries=1, first_at=NOW)
    assert isinstance(judged(resent), Again)


def test_no_attempt_begins_later_than_within_after_the_first() -> None:
    policy = {"attempts": 9, "delay": "10s", "within": "1m"}
    assert isinstance(judged(answered(503, first_at=NOW - 49 * SECOND), retry=policy), Again)
    assert failure_of(answered(503, first_at=NOW - 56 * SECOND), retry=policy) == (
        "call.server_error"
    )


@pytest.mark.parametrize(
    ("status", "asked", "seconds"),
    [
        (429, "30", 30),
        (503, " 30 ", 30),
        (503, "999999", 3600),
        (429, "9" * 20, 3600),
        (429, "Mon, 21 Sep 2026 14:13:50 GMT", 30),
        (429, "Monday, 21-Sep-26 14:13:50 GMT", 30),
        (429, "Mon Sep 21 14:13:50 2026", 30),
        (429, "Mon, 21 Sep 2029 14:13:50 GMT", 3600),
        (429, "Mon, 21 Sep 2020 14:13:50 GMT", 0),
        (429, "soon", 0),
        (429, "-5", 0),
        (429, "1e9", 0),
        (429, "Mon, 99 Sep 2026 99:99:99 GMT", 0),
        (500, "30", 0),
    ],
)
def test_a_server_that_asks_for_patience_gets_it_for_up_to_an_hour(
    status: int, asked: str, seconds: int
) -> None:
    decision = judged(answered(status, headers={"retry-after": asked}), retry={"within": "P1D"})
    assert isinstance(decision, Again)
    if seconds:
        assert decision.at == NOW + seconds * SECOND
    else:
        assert decision.at <= NOW + 2 * SECOND


@pytest.mark.parametrize(
    ("asked", "said"), [("600", "600 s"), ("3600", "an hour or more"), ("86400", "an hour or more")]
)
def test_patience_beyond_within_ends_the_trying_and_that_is_said(asked: str, said: str) -> None:
    decision = judged(answered(503, headers={"retry-after": asked}))
    assert isinstance(decision, Move)
    assert (decision.failure, decision.text) == (
        "call.server_error",
        f"answered 503; Retry-After asks for {said}, `within` (5m) ends before",
    )


@pytest.mark.parametrize(
    ("tries", "first_at"), [(3, NOW), (1, NOW - 300 * SECOND)], ids=["attempts", "within"]
)
def test_what_would_not_be_tried_again_anyway_is_not_blamed_on_the_server(
    tries: int, first_at: int
) -> None:
    result = answered(503, tries=tries, first_at=first_at, headers={"retry-after": "600"})
    decision = judged(result)
    assert isinstance(decision, Move)
    assert decision.text == "answered 503"


def test_a_step_changes_only_the_keys_of_retry_that_it_names() -> None:
    policy = RetryPolicy.model_validate({"attempts": 5, "when": ["429"], "delay": "1s"})
    terms = Terms(retry=policy)
    assert isinstance(judged(answered(429, tries=4), terms), Again)
    assert failure_of(answered(503), terms, retry={}) == "call.server_error"
    assert failure_of(answered(429, tries=1), terms, retry={"attempts": 1}) == "call.rate_limited"
    changed = policy.overridden_by(RetryPolicy.model_validate({"attempts": 2}))
    assert changed == RetryPolicy.model_validate({"attempts": 2, "when": [429], "delay": "1s"})
    assert policy.overridden_by(None) is policy


def test_what_is_delivered_at_most_once_is_never_tried_again() -> None:
    terms = Terms(delivery="at_most_once")
    for result in (answered(503), failed("call.timed_out")):
        decision = judged(result, terms, retry={"attempts": 5})
        assert isinstance(decision, Move)


# --- and on ----------------------------------------------------------------------------------


def test_a_failed_call_is_recorded_and_the_user_goes_on() -> None:
    assert judged(answered(404)) == Move(
        status="failed", failure="call.client_error", text="answered 404", http_status=404
    )


def test_on_failure_exit_ends_with_the_step_in_the_outcome() -> None:
    assert judged(answered(404), on_failure="exit") == End(
        "failed:here", "failed", "call.client_error", "answered 404", 404
    )


def test_on_failure_next_jumps_only_after_the_retries() -> None:
    assert isinstance(judged(answered(503), on_failure={"next": "other"}), Again)
    decision = judged(answered(503, tries=3), on_failure={"next": "other"})
    assert isinstance(decision, Move)
    assert (decision.exit, decision.failure) == (0, "call.server_error")


# --- held ---------------------------------------------------------------------------------------

HOLDING = Terms(hold=3_600_000_000)
NO_TOKEN = failed("credential.unavailable")


@pytest.mark.parametrize("failure", ["credential.unavailable", "call.circuit_open"])
def test_a_call_is_held_where_its_endpoint_holds(failure: str) -> None:
    again = judged(failed(failure), HOLDING)
    assert isinstance(again, Again)
    assert (again.failure, again.held_since) == (failure, NOW)
    assert again.at == NOW + 2_000_000
    assert failure_of(failed(failure)) == failure, "without a hold it fails"
    once = Terms(hold=3_600_000_000, delivery="at_most_once")
    assert isinstance(judged(failed(failure), once), Again), "nothing was sent"


def test_what_somebody_mends_is_held_and_nothing_else() -> None:
    assert failure_of(answered(404), HOLDING) == "call.client_error"
    retried = judged(answered(503), HOLDING)
    assert isinstance(retried, Again)
    assert retried.held_since is None


def test_a_hold_is_as_long_as_the_endpoint_says_and_its_pauses_grow() -> None:
    hour = 3_600_000_000
    for elapsed, pause in [(10_000_000, 10_000_000), (600_000_000, 60_000_000)]:
        again = judged(failed("credential.rejected", first_at=NOW - elapsed), HOLDING)
        assert isinstance(again, Again)
        assert (again.at - NOW, again.held_since) == (pause, NOW - elapsed)
    last = judged(failed("credential.rejected", first_at=NOW - hour + 1), HOLDING)
    assert isinstance(last, Again)
    assert last.at == NOW + 1
    over = failed("credential.rejected", first_at=NOW - hour)
    assert failure_of(over, HOLDING) == "credential.rejected"


def test_who_leaves_is_not_held() -> None:
    assert failure_of(failed("credential.unavailable", tries=1_000_000), HOLDING) is not None


def test_a_date_to_wait_for_is_read_by_the_servers_own_clock() -> None:
    headers = {
        "retry-after": "Mon, 21 Sep 2026 10:00:30 GMT",
        "date": "Mon, 21 Sep 2026 10:00:00 GMT",
    }
    for now in (NOW, NOW + 86_400_000_000 * 365):
        assert retry_after(Answer(status=503, headers=headers), now) == now + 30_000_000


@pytest.mark.parametrize(
    ("first_at", "tries", "failure", "counted"),
    [
        (None, 0, None, 50),
        (7, 1, None, 7),
        (7, 0, "credential.unavailable", 7),
        (7, 0, "call.server_error", 50),
        (7, 0, None, 50),
    ],
)
def test_after_a_hold_retries_count_from_the_first_attempt_that_was_let_through(
    first_at: int | None, tries: int, failure: str | None, counted: int
) -> None:
    assert counted_from(first_at, tries, 50, failure) == counted
