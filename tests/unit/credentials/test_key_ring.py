from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.credentials.kek import LocalKek
from engine.credentials.key_ring import (
    KeyRing,
    Place,
    WrappedKey,
    new_fingerprint_key,
    new_key,
)
from engine.errors import CredentialFailure, SettingsError


def kek(key: bytes) -> LocalKek:
    return LocalKek("a test's", lambda: (key,))


KEK = kek(bytes(range(32)))
KEY = new_key(KEK)
RING = KeyRing(KEK, [KEY])
PLACE = Place("auth_secrets", 7, "password", 3)


@given(st.text())
def test_what_is_sealed_opens_in_its_place(value: str) -> None:
    assert RING.open(RING.seal(value, PLACE), PLACE) == value


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, table="token_states"),
        replace(PLACE, row=8),
        replace(PLACE, field="username"),
        replace(PLACE, version=4),
        Place("auth_secret", "s7", "password", 3),
    ],
)
def test_a_ciphertext_copied_to_another_place_does_not_open(elsewhere: Place) -> None:
    sealed = RING.seal("hunter2", PLACE)
    with pytest.raises(CredentialFailure) as failure:
        RING.open(sealed, elsewhere)
    assert failure.value.code == "credential.unreadable"
    assert "hunter2" not in str(failure.value)


def test_places_that_read_alike_when_joined_are_different_places() -> None:
    sealed = RING.seal("hunter2", Place("t", "1", "2f", 3))
    with pytest.raises(CredentialFailure):
        RING.open(sealed, Place("t", "12", "f", 3))


def test_one_flipped_bit_anywhere_and_it_does_not_open() -> None:
    scheme, key_id, content = RING.seal("hunter2", PLACE).split(".")
    raw = urlsafe_b64decode(content + "==")
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1
        damaged = f"{scheme}.{key_id}.{urlsafe_b64encode(changed).decode()}"
        with pytest.raises(CredentialFailure):
            RING.open(damaged, PLACE)


@pytest.mark.parametrize("sealed", ["", "v1", "v1.x.y", "v2.a.b", "v1..", "v1.é.%%", "a.b.c.d"])
def test_what_is_no_sealed_value_is_unreadable(sealed: str) -> None:
    with pytest.raises(CredentialFailure) as failure:
        RING.open(sealed, PLACE)
    assert failure.value.code == "credential.unreadable"


def test_the_same_value_is_never_sealed_alike() -> None:
    assert RING.seal("hunter2", PLACE) != RING.seal("hunter2", PLACE)


def test_a_value_sealed_under_a_key_that_only_decrypts_still_opens() -> None:
    sealed = RING.seal("hunter2", PLACE)
    older = WrappedKey(KEY.id, "decrypt_only", KEY.wrapped)
    assert KeyRing(KEK, [older, new_key(KEK)]).open(sealed, PLACE) == "hunter2"


def test_a_retired_key_opens_nothing() -> None:
    sealed = RING.seal("hunter2", PLACE)
    retired = WrappedKey(KEY.id, "retired", KEY.wrapped)
    with pytest.raises(CredentialFailure):
        KeyRing(KEK, [retired, new_key(KEK)]).open(sealed, PLACE)


def test_another_key_encryption_key_is_refused_in_one_line() -> None:
    with pytest.raises(SettingsError, match="JOURNEY_KEK") as error:
        KeyRing(kek(bytes(32)), [KEY])
    assert "\n" not in str(error.value)


def test_a_wrapped_key_under_another_id_does_not_open() -> None:
    with pytest.raises(SettingsError):
        KeyRing(KEK, [WrappedKey("0badcafe", "active", KEY.wrapped)])


@pytest.mark.parametrize("count", [0, 2])
def test_the_ring_has_exactly_one_active_key(count: int) -> None:
    with pytest.raises(SettingsError, match=f"{count} active keys"):
        KeyRing(KEK, [new_key(KEK) for _ in range(count)])


def test_fingerprints_are_keyed_and_outlive_data_keys() -> None:
    key = new_fingerprint_key(KEK)
    shown = KeyRing(KEK, [KEY, key]).fingerprint("hunter2")
    assert len(shown) == 64
    assert KeyRing(KEK, [new_key(KEK), key]).fingerprint("hunter2") == shown
    assert KeyRing(KEK, [KEY, new_fingerprint_key(KEK)]).fingerprint("hunter2") != shown


def test_a_damaged_key_that_only_decrypts_takes_nothing_but_its_own_values() -> None:
    older = WrappedKey(KEY.id, "decrypt_only", KEY.wrapped[:-8] + "AAAAAAAA")
    newer = new_key(KEK)
    ring = KeyRing(KEK, [older, newer])
    assert ring.open(ring.seal("hunter2", PLACE), PLACE) == "hunter2"
    with pytest.raises(CredentialFailure):
        ring.open(RING.seal("hunter2", PLACE), PLACE)


def test_while_a_kek_is_replaced_either_opens_the_ring() -> None:
    before, after = bytes(range(32)), bytes(32)
    both = LocalKek("a test's", lambda: (before, after))
    for one in (before, after):
        KeyRing(both, [new_key(kek(one))])
