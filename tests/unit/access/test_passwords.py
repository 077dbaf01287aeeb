"""What is kept of passwords, and what fits it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from engine.access import passwords
from engine.errors import OperatorError
from tests.unit.access.cheap import cheap_passwords

WORD = "correct horse battery"


@pytest.fixture
def cheap() -> Iterator[None]:
    with cheap_passwords():
        yield


def test_it_is_argon2_as_the_rfc_recommends() -> None:
    kept = passwords.hashed(WORD)
    assert extract_parameters(kept) == RFC_9106_LOW_MEMORY
    assert not passwords.is_outdated(kept)
    assert passwords.is_outdated(PasswordHasher(time_cost=1, memory_cost=64).hash(WORD))


@pytest.mark.usefixtures("cheap")
def test_only_the_password_fits_and_none_fits_nothing() -> None:
    kept = passwords.hashed(WORD)
    assert passwords.hashed(WORD) != kept
    assert passwords.fits(kept, WORD)
    for wrong in ("", f"{WORD} ", WORD.upper(), "\ud800", "x" * 10_000):
        assert not passwords.fits(kept, wrong)
    assert not passwords.fits(None, WORD)
    assert not passwords.fits("no hash", WORD)


@pytest.mark.usefixtures("cheap")
def test_a_letter_written_in_two_ways_is_one() -> None:
    assert passwords.fits(passwords.hashed("zw\u00f6lf Zw\u00f6lfe"), "zwo\u0308lf Zwo\u0308lfe")


@pytest.mark.usefixtures("cheap")
def test_where_there_is_no_password_as_much_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = passwords.hashed(WORD)
    verified: list[str] = []

    class Recording:
        hash = passwords.HASHER.hash

        def verify(self, kept: str, password: bytes) -> None:
            verified.append(kept)
            hasher.verify(kept, password)

    hasher = passwords.HASHER
    monkeypatch.setattr(passwords, "HASHER", Recording())
    for against in (kept, None):
        passwords.fits(against, "wrong " + WORD)
    passwords.fits(kept, "x" * 257)  # nobody's: not worth a hash
    known, unknown = map(extract_parameters, verified)
    assert known == unknown


@pytest.mark.parametrize("wrong", ["", "x" * 11, "x" * 257])
def test_a_password_that_is_too_short_or_too_long_is_refused(wrong: str) -> None:
    with pytest.raises(OperatorError, match="a password has 12 to 256 characters"):
        passwords.hashed(wrong)
