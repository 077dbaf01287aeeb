from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.credentials.vault import Place, Vault, WrappedKey, new_key
from engine.errors import CredentialFailure, SettingsError

KEK = bytes(range(32))
KEY = new_key(KEK)
VAULT = Vault(KEK, [KEY])
PLACE = Place("auth_secrets", 7, "password", 3)


@given(st.text())
def test_what_is_sealed_opens_in_its_place(value: str) -> None:
    assert VAULT.open(VAULT.seal(value, PLACE), PLACE) == value


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
    sealed = VAULT.seal("hunter2", PLACE)
    with pytest.raises(CredentialFailure) as failure:
        VAULT.open(sealed, elsewhere)
    assert failure.value.code == "credential.unreadable"
    assert "hunter2" not in str(failure.value)


def test_places_that_read_alike_when_joined_are_different_places() -> None:
    sealed = VAULT.seal("hunter2", Place("t", "1", "2f", 3))
    with pytest.raises(CredentialFailure):
        VAULT.open(sealed, Place("t", "12", "f", 3))


def test_one_flipped_bit_anywhere_and_it_does_not_open() -> None:
    scheme, key_id, content = VAULT.seal("hunter2", PLACE).split(".")
    raw = urlsafe_b64decode(content + "==")
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1
        damaged = f"{scheme}.{key_id}.{urlsafe_b64encode(changed).decode()}"
        with pytest.raises(CredentialFailure):
            VAULT.open(damaged, PLACE)


@pytest.mark.parametrize("sealed", ["", "v1", "v1.x.y", "v2.a.b", "v1..", "v1.é.%%", "a.b.c.d"])
def test_what_is_no_sealed_value_is_unreadable(sealed: str) -> None:
    with pytest.raises(CredentialFailure) as failure:
        VAULT.open(sealed, PLACE)
    assert failure.value.code == "credential.unreadable"


def test_the_same_value_is_never_sealed_alike() -> None:
    assert VAULT.seal("hunter2", PLACE) != VAULT.seal("hunter2", PLACE)


def test_a_value_sealed_under_a_key_that_only_decrypts_still_opens() -> None:
    sealed = VAULT.seal("hunter2", PLACE)
    older = WrappedKey(KEY.id, "decrypt_only", KEY.wrapped)
    assert Vault(KEK, [older, new_key(KEK)]).open(sealed, PLACE) == "hunter2"


def test_a_retired_key_opens_nothing() -> None:
    sealed = VAULT.seal("hunter2", PLACE)
    retired = WrappedKey(KEY.id, "retired", KEY.wrapped)
    with pytest.raises(CredentialFailure):
        Vault(KEK, [retired, new_key(KEK)]).open(sealed, PLACE)


def test_another_key_encryption_key_is_refused_in_one_line() -> None:
    with pytest.raises(SettingsError, match="JOURNEY_KEK") as error:
        Vault(bytes(32), [KEY])
    assert "\n" not in str(error.value)


def test_a_wrapped_key_under_another_id_does_not_open() -> None:
    with pytest.raises(SettingsError):
        Vault(KEK, [WrappedKey("0badcafe", "active", KEY.wrapped)])


@pytest.mark.parametrize("count", [0, 2])
def test_the_ring_has_exactly_one_active_key(count: int) -> None:
    with pytest.raises(SettingsError, match=f"{count} active keys"):
        Vault(KEK, [new_key(KEK) for _ in range(count)])


def test_fingerprints_are_keyed_and_outlive_data_keys() -> None:
    shown = VAULT.fingerprint("hunter2")
    assert len(shown) == 64
    assert Vault(KEK, [new_key(KEK)]).fingerprint("hunter2") == shown
    other = bytes(32)
    assert Vault(other, [new_key(other)]).fingerprint("hunter2") != shown
