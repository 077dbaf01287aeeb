"""The token row's lease and fence, statement by statement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.credentials.store.tokens import (
    FreshToken,
    Refusal,
    TokenRow,
    ask_again,
    carry_token,
    drop_token,
    forget_token,
    keep_refusal,
    keep_token,
    release_lease,
    take_lease,
    token_requests,
    token_row,
)
from engine.db.connect import Connection
from tests.unit.credentials.installation import Installation

pytestmark = pytest.mark.usefixtures("either_database")

TOKEN = FreshToken(1, "sealed", "refresh", "print", 100, 200, 1)
REFUSAL = Refusal(1, "credential.unavailable", "said no", "with", 400, 500)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    here = Installation(tmp_path)
    here.apply("crm", kind="none")
    with here.database.write() as connection:
        yield connection


def take(connection: Connection, seen: int, version: int = 1, lease_us: int = 60_000_000) -> object:
    return take_lease(connection, 1, version=version, seen=seen, owner="me", lease_us=lease_us)


def again(connection: Connection, fence: int, *, forget: bool = False) -> bool:
    return ask_again(connection, 1, fence, lease_us=60_000_000, forget_refresh=forget)


def test_one_more_request_is_counted_under_a_lease_that_begins_anew(connection: Connection) -> None:
    take(connection, 0)
    keep_token(connection, 1, TOKEN, 0)
    take(connection, 1, lease_us=-1)
    assert not token_row(connection, 1).leased
    assert again(connection, 2)
    row = token_row(connection, 1)
    assert (row.leased, row.sealed_refresh) == (True, "refresh")
    assert again(connection, 2, forget=True)
    assert token_row(connection, 1).sealed_refresh is None
    assert token_requests(connection) == {"crm": 4}


def test_a_lease_is_given_once_until_it_ends_or_is_given_back(connection: Connection) -> None:
    assert token_row(connection, 1) == TokenRow()
    assert take(connection, 0) == 1
    assert token_row(connection, 1).leased
    assert take(connection, 1) is None
    release_lease(connection, 1, 1)
    assert not token_row(connection, 1).leased
    assert take(connection, 1, lease_us=-1) == 2
    assert take(connection, 2) == 3


def test_a_lease_needs_the_fence_that_was_seen_and_no_older_version(
    connection: Connection,
) -> None:
    take(connection, 0, version=4, lease_us=-1)
    assert take(connection, 0, version=4) is None
    assert take(connection, 1, version=3) is None
    assert take(connection, 1, version=5) == 2


def test_nothing_is_written_under_a_fence_that_has_moved_on(connection: Connection) -> None:
    take(connection, 0, lease_us=-1)
    take(connection, 1)
    before = token_row(connection, 1)
    assert not keep_token(connection, 1, TOKEN, 0)
    assert not keep_refusal(connection, 1, 1, REFUSAL, 0)
    assert not again(connection, 1)
    drop_token(connection, 1, 1, count=9, next_forced_at=9)
    release_lease(connection, 1, 1)
    assert token_row(connection, 1) == before


def test_the_pause_of_a_failure_from_before_its_time_was_written_down_is_over(
    connection: Connection,
) -> None:
    take(connection, 0)
    keep_refusal(connection, 1, 1, REFUSAL, 1)
    connection.exec_driver_sql("UPDATE token_states SET failed_at = NULL")
    assert token_row(connection, 1).failed_at == REFUSAL.next_try_at


def test_a_token_ends_the_failures_and_the_lease(connection: Connection) -> None:
    take(connection, 0)
    assert keep_refusal(connection, 1, 1, REFUSAL, 1)
    refused = token_row(connection, 1)
    assert (refused.failures, refused.failure_text) == (1, "said no")
    assert (refused.failed_with, refused.failed_at, refused.next_try_at) == ("with", 400, 500)
    assert not refused.leased
    take(connection, 1)
    fresh = FreshToken(2, "sealed", None, "print", 100, 200, 1)
    assert keep_token(connection, 1, fresh, 0)
    kept = token_row(connection, 1)
    assert (kept.failures, kept.failure_text, kept.next_try_at, kept.leased) == (0, None, 0, False)
    assert (kept.sealed_token, kept.sealed_fence, kept.soft_expiry) == ("sealed", 2, 100)
    assert token_requests(connection) == {"crm": 1}


def test_an_edit_voids_token_back_off_and_lease_and_an_origin_more_only_the_back_off(
    connection: Connection,
) -> None:
    take(connection, 0)
    keep_token(connection, 1, TOKEN, 0)
    take(connection, 1)
    carry_token(connection, 1, 2)
    carried = token_row(connection, 1)
    assert (carried.profile_version, carried.sealed_token, carried.fence) == (2, "sealed", 2)
    assert carried.secret_version == 2
    forget_token(connection, 1, 3)
    void = TokenRow(profile_version=3, fence=3, sealed_fence=1, secret_version=2)
    assert token_row(connection, 1) == void
    assert token_requests(connection) == {"crm": 2}


def test_a_token_of_the_previous_secret_stays_one_when_the_profile_changes_otherwise(
    connection: Connection,
) -> None:
    take(connection, 0, version=7)
    keep_token(connection, 1, TOKEN, 0)
    carry_token(connection, 1, 8)
    row = token_row(connection, 1)
    assert (row.profile_version, row.secret_version) == (8, 1)
