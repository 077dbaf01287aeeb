from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.expressions.durations import MINUTE, SECOND
from engine.credentials.access_tokens.life import (
    Verdict,
    expiries,
    space_forced,
    stand_back,
    verdict,
)
from engine.credentials.store.tokens import TokenRow

LOTS = st.floats(0, 1, exclude_max=True)
ROW = TokenRow(
    profile_version=3,
    fence=9,
    sealed_token="sealed",
    fingerprint="f",
    soft_expiry=100,
    hard_expiry=120,
)


def said(row: TokenRow, now: int, *, version: int = 3, rejected: str | None = None) -> Verdict:
    return verdict(row, version=version, rejected=rejected, now=now)


def test_a_fresh_token_is_used_whoever_asks_meanwhile() -> None:
    assert said(ROW, 99) is Verdict.USE
    assert said(replace(ROW, leased=True, next_try_at=1000), 99) is Verdict.USE


def test_a_token_due_for_renewal_is_renewed_by_one_and_used_by_the_others() -> None:
    assert said(ROW, 100) is Verdict.ASK
    assert said(replace(ROW, leased=True), 100) is Verdict.USE_STILL


def test_while_standing_back_a_token_is_used_to_its_hard_end_and_then_nothing_is_asked() -> None:
    waiting = replace(ROW, next_try_at=500)
    assert said(waiting, 119) is Verdict.USE_STILL
    assert said(waiting, 120) is Verdict.BACKING_OFF
    assert said(waiting, 500) is Verdict.ASK


def test_without_a_token_one_asks_and_the_others_wait() -> None:
    assert said(TokenRow(profile_version=3), 5) is Verdict.ASK
    assert said(TokenRow(profile_version=3, leased=True), 5) is Verdict.WAIT


def test_an_instant_of_a_clock_that_was_put_back_holds_nobody() -> None:
    year = 365 * 24 * 60 * MINUTE
    failed = TokenRow(profile_version=3, failed_at=year, next_try_at=year + 5 * MINUTE)
    assert said(failed, year + 5 * MINUTE - 1) is Verdict.BACKING_OFF
    assert said(failed, year - MINUTE) is Verdict.BACKING_OFF, "another machine's clock is ahead"
    assert said(failed, year - MINUTE - 1) is Verdict.ASK
    assert said(replace(ROW, next_forced_at=year), 50, rejected="f") is Verdict.ASK


def test_only_the_token_that_was_refused_is_out() -> None:
    assert said(ROW, 50, rejected="f") is Verdict.ASK
    assert said(ROW, 50, rejected="an older one") is Verdict.USE
    assert said(replace(ROW, next_forced_at=51), 50, rejected="f") is Verdict.TOO_SOON
    assert said(replace(ROW, next_forced_at=51), 51, rejected="f") is Verdict.ASK


def test_a_refused_token_that_is_due_anyway_is_renewed_without_regard_to_spacing() -> None:
    assert said(replace(ROW, next_forced_at=10**9), 100, rejected="f") is Verdict.ASK


def test_another_version_of_the_profile_voids_the_row() -> None:
    assert said(replace(ROW, next_try_at=500, leased=True), 99, version=4) is Verdict.ASK
    assert said(ROW, 99, version=2) is Verdict.OUTDATED


@given(st.integers(SECOND // 10, 400 * 86_400 * SECOND), LOTS)
def test_a_token_is_renewed_after_its_half_life_and_before_its_end(life: int, lot: float) -> None:
    soft, hard = expiries(1000, life, lot)
    assert 1000 + life // 2 < soft <= hard < 1000 + life
    assert hard >= 1000 + life - 5 * SECOND
    assert soft >= 1000 + life - 72 * SECOND - 1


@given(st.integers(3, 60), LOTS)
def test_a_short_token_whose_end_is_cut_to_whole_seconds_is_renewed_in_time(
    seconds: int, lot: float
) -> None:
    soft, _hard = expiries(0, seconds * SECOND, lot)
    assert soft <= (seconds - 1) * SECOND


def test_failures_that_may_mend_themselves_are_repeated_at_most_six_times_in_ten_seconds() -> None:
    now, requests = 0, 0
    while now < 10 * SECOND:
        now += stand_back(requests, permanent=False, retry_after=None, lot=0.0)
        requests += 1
    assert requests <= 6


def test_failures_that_a_person_must_mend_are_repeated_at_most_thrice_a_minute_and_a_half() -> None:
    now, requests = 0, 0
    while now < 90 * SECOND:
        now += stand_back(requests, permanent=True, retry_after=None, lot=0.0)
        requests += 1
    assert requests <= 3


@given(st.integers(0, 10_000), st.booleans(), LOTS)
def test_nobody_stands_back_for_ever_or_not_at_all(n: int, permanent: bool, lot: float) -> None:
    pause = stand_back(n, permanent=permanent, retry_after=None, lot=lot)
    assert SECOND // 2 <= pause <= 15 * MINUTE


@pytest.mark.parametrize(
    ("retry_after", "pause"), [(20 * SECOND, 20 * SECOND), (86_400 * SECOND, 60 * MINUTE)]
)
def test_retry_after_is_obeyed_up_to_an_hour(retry_after: int, pause: int) -> None:
    assert stand_back(0, permanent=False, retry_after=retry_after, lot=0.5) == pause


def test_an_api_that_always_refuses_gets_at_most_four_renewals_a_minute() -> None:
    count = next_at = renewals = 0
    for now in range(0, 60 * SECOND, SECOND // 10):
        if now >= next_at:
            count, next_at = space_forced(count, next_at, now)
            renewals += 1
    assert renewals <= 4


def test_five_quiet_minutes_start_the_spacing_over() -> None:
    assert space_forced(7, 0, 5 * MINUTE + 1) == (1, 5 * MINUTE + 1 + 10 * SECOND)
    assert space_forced(7, 0, 5 * MINUTE)[0] == 8
