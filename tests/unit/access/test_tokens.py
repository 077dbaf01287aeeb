"""What API tokens look like, and whom a process lets in by them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.access import issuing
from engine.access.store import tokens as store
from engine.access.tokens import (
    KINDS,
    LOOK_EACH_S,
    LOOKS_AGAIN,
    Grant,
    LiveTokens,
    make,
    well_formed,
)
from engine.core.expressions.calendar import DAY, HOUR, MINUTE, SECOND
from engine.db.connect import Connection, Database
from engine.db.schema import open_database
from engine.errors import DatabaseUnavailable
from tests.databases import database_url

NOW = 1_700_000_000_000_000
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Elapsed:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def elapsed() -> Elapsed:
    return Elapsed()


@pytest.fixture
def database(either_database: str, tmp_path: Path) -> Iterator[Database]:
    database = open_database(database_url(tmp_path))
    yield database
    database.close()


def create(
    database: Database, name: str = "shop", kind: str = "user_data", expires_at: int | None = None
) -> str:
    with database.write() as connection:
        made = issuing.create(connection, name, kind, actor="ann", now=NOW, expires_at=expires_at)
    return made.text


# --- the text --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_says_its_kind_and_ends_in_a_check_sum(kind: str) -> None:
    text = make(kind)
    beginning, check = text[:-6], text[-6:]
    assert beginning.startswith(f"jrn_{kind}_")
    assert len(beginning) == len(f"jrn_{kind}_") + 32
    value = 0
    for digit in check:
        value = value * 62 + BASE62.index(digit)
    assert value == zlib.crc32(beginning.encode())
    assert well_formed(text)
    assert make(kind) != text


@given(at=st.integers(0, 48), put=st.sampled_from(BASE62 + "_- é\n"))
def test_a_token_with_another_character_is_none(at: int, put: str) -> None:
    text = make("admin")
    at %= len(text)
    assert well_formed(text[:at] + put + text[at + 1 :]) == (put == text[at])


@given(st.text())
def test_any_text_may_be_asked_about(text: str) -> None:
    assert not well_formed(text)


def test_a_token_of_another_kind_or_length_is_none() -> None:
    text = make("journeys")
    wrong = ["", text[:-1], f"{text}0", f"{text}\n", f" {text}", text.replace("journeys", "admin")]
    assert not any(map(well_formed, wrong))


# --- who is let in ---------------------------------------------------------------------------


def test_a_live_token_is_known_for_what_it_is(database: Database, elapsed: Elapsed) -> None:
    text = create(database, expires_at=NOW + DAY)
    tokens = LiveTokens(database, elapsed=elapsed)
    assert tokens.check(text, NOW) == Grant(1, "user_data", "shop", NOW + DAY)
    assert tokens.check(make("user_data"), NOW) is None


def test_a_mistyped_token_is_refused_without_a_look(database: Database) -> None:
    database.close()
    text = make("admin")
    tokens = LiveTokens(Database("postgresql://nobody@127.0.0.1:1/none"))
    assert tokens.check(text[:-1] + ("0" if text[-1] != "0" else "1"), NOW) is None
    with pytest.raises(DatabaseUnavailable):
        tokens.check(text, NOW)


def test_a_token_ends_by_the_clock_without_a_look(database: Database, elapsed: Elapsed) -> None:
    text = create(database, expires_at=NOW + DAY)
    tokens = LiveTokens(database, elapsed=elapsed)
    assert tokens.check(text, NOW + DAY - 1) is not None
    assert tokens.check(text, NOW + DAY) is None


def test_what_is_revoked_is_refused_in_every_process_within_half_a_second(
    database: Database, elapsed: Elapsed
) -> None:
    text = create(database)
    tokens = LiveTokens(database, elapsed=elapsed)
    assert tokens.check(text, NOW) is not None
    with database.write() as connection:
        issuing.revoke(connection, "shop", actor="ann", now=NOW)
    assert tokens.check(text, NOW) is not None
    assert LOOK_EACH_S <= 0.5
    elapsed.seconds += LOOK_EACH_S
    assert tokens.check(text, NOW) is None


def test_where_nothing_was_committed_tokens_stay_known_without_a_look(
    database: Database, elapsed: Elapsed, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not database.is_file:
        pytest.skip("a server says nothing by itself: it is asked each time")
    text = create(database)
    tokens = LiveTokens(database, elapsed=elapsed)
    assert tokens.is_stale(), "nothing was read yet"
    tokens.look()
    with monkeypatch.context() as patched:
        patched.setattr(store, "change", None)  # whoever reads it raises
        for _ in range(3):
            elapsed.seconds += 10 * LOOK_EACH_S
            assert not tokens.is_stale()
            assert tokens.check(text, NOW) is not None
    with database.write() as connection:
        issuing.revoke(connection, "shop", actor="ann", now=NOW)
    assert tokens.is_stale()
    assert tokens.is_stale(), "until there was a look"
    tokens.look()
    assert tokens.check(text, NOW) is None
    tokens.close()


def test_a_token_that_was_made_a_moment_ago_is_let_in_at_once(
    database: Database, elapsed: Elapsed
) -> None:
    tokens = LiveTokens(database, elapsed=elapsed)
    tokens.look()
    assert tokens.check(create(database), NOW) is not None
    with database.write() as connection:
        new = issuing.rotate(connection, "shop", actor="ann", now=NOW).text
    assert tokens.check(new, NOW) is not None


def test_who_guesses_causes_no_look_for_each_guess(
    database: Database, elapsed: Elapsed, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, looks = LiveTokens(database, elapsed=elapsed), 0
    tokens.look()
    read = store.change

    def counted(connection: Connection) -> int:
        nonlocal looks
        looks += 1
        return read(connection)

    monkeypatch.setattr(store, "change", counted)
    for _ in range(100):
        assert tokens.check(make("admin"), NOW) is None
    assert looks == LOOKS_AGAIN.failures
    text = create(database)
    assert tokens.check(text, NOW) is None
    elapsed.seconds += LOOKS_AGAIN.each / SECOND
    assert tokens.check(text, NOW) is not None
    assert looks == LOOKS_AGAIN.failures + 1


def test_nobody_is_let_in_by_what_was_known_before_the_database_went(
    tmp_path: Path, elapsed: Elapsed
) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'engine.db'}")
    text = create(database)
    tokens = LiveTokens(database, elapsed=elapsed)
    assert tokens.check(text, NOW) is not None
    database.close()
    for file in tmp_path.iterdir():
        file.unlink()
    (tmp_path / "engine.db").mkdir()
    elapsed.seconds += LOOK_EACH_S
    with pytest.raises(DatabaseUnavailable):
        tokens.check(text, NOW)


def test_after_a_rotation_both_secrets_are_let_in_until_the_overlap_ends(
    database: Database, elapsed: Elapsed
) -> None:
    old = create(database)
    with database.write() as connection:
        new = issuing.rotate(connection, "shop", actor="ann", now=NOW, overlap=HOUR).text
    tokens = LiveTokens(database, elapsed=elapsed)
    first, second = tokens.check(old, NOW + HOUR - 1), tokens.check(new, NOW)
    assert first is not None
    assert second is not None
    assert first.token_id == second.token_id
    assert (first.expires_at, second.expires_at) == (NOW + HOUR, None)
    assert tokens.check(old, NOW + HOUR) is None
    assert tokens.check(new, NOW + HOUR) is not None


def test_when_a_token_was_last_used_is_written_to_the_minute(
    database: Database, elapsed: Elapsed
) -> None:
    old = create(database)
    tokens = LiveTokens(database, elapsed=elapsed)

    def used() -> tuple[int | None, int | None]:
        with database.read() as connection:
            (row,) = issuing.listed(connection, NOW)
        return row.last_used_at, row.previous_used_at

    tokens.check(old, NOW)
    assert used() == (None, None)
    tokens.write_uses()
    assert used() == (NOW, None)
    tokens.check(old, NOW + MINUTE - 1)
    tokens.write_uses()
    assert used() == (NOW, None)
    tokens.check(old, NOW + MINUTE)
    with database.write() as connection:
        new = issuing.rotate(connection, "shop", actor="ann", now=NOW, overlap=HOUR).text
    tokens.write_uses()  # of a moment before the rotation: it was the old secret
    assert used() == (None, NOW + MINUTE)
    elapsed.seconds += LOOK_EACH_S
    tokens.check(new, NOW + 2 * MINUTE)
    tokens.check(old, NOW + 3 * MINUTE)
    tokens.write_uses()
    assert used() == (NOW + 2 * MINUTE, NOW + 3 * MINUTE)
