"""The key ring's life: whatever is stopped wherever, the ring works and the command goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from engine.credentials.kek import LocalKek, find_kek
from engine.credentials.key_ring import KeyRing, Place
from engine.credentials.loaded import load
from engine.credentials.open_vault import open_vault
from engine.credentials.store import sealed
from engine.credentials.store.keys import data_keys
from engine.credentials.store.profiles import all_profiles
from engine.credentials.vault import Vault
from engine.errors import CredentialFailure, InUse, NotFound, OperatorError, SettingsError
from engine.operations import key_status, keys
from engine.settings import Settings
from engine.telemetry.redact import Redactor
from tests.unit.credentials.installation import NOW, Installation

pytestmark = pytest.mark.usefixtures("either_database")

PROFILES = 5


class KilledError(BaseException):
    """The process ends here."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setattr(keys, "SET", 2)
    made = Installation(tmp_path)
    for n in range(PROFILES):
        made.environment["SECRET"] = f"secret-{n}"
        made.apply(f"p{n}", kind="basic", username="bot", password={"seal_from_env": "SECRET"})
    made.sql(
        "INSERT INTO token_states (profile_id, profile_version, fence, lease_until, sealed_fence,"
        " soft_expiry, hard_expiry, failures, next_try_at, forced_count, next_forced_at, requests)"
        " VALUES (1, 1, 7, 0, 7, 0, 0, 0, 0, 0, 0, 0)"
    )
    with made.database.write() as connection:
        for column, name in (("sealed_token", "access_token"), ("sealed_refresh", "refresh_token")):
            place = Place("token_states", 1, name, 7)
            text = made.vault.seal(connection, f"{name}-value", place)
            connection.exec_driver_sql(f"UPDATE token_states SET {column} = ?", (text,))
    return made


def kek_of(here: Installation) -> LocalKek:
    found = find_kek(here.settings)
    assert found is not None
    return found


def states(here: Installation) -> list[str]:
    return [row[0] for row in here.sql("SELECT state FROM data_keys WHERE id <> 'fingerprint'")]


def opened(here: Installation, vault: Vault | None = None) -> list[str]:
    """Every sealed value, opened: by a vault that is made now unless one is given."""
    vault = vault or open_vault(here.database, here.settings).vault
    with here.database.read() as connection:
        return [
            vault.open(connection, each.sealed, each.place)
            for column in sealed.COLUMNS
            for each in sealed.sealed_values(connection, column, most=100)
        ]


VALUES = [*(f"secret-{n}" for n in range(PROFILES)), "access_token-value", "refresh_token-value"]


def rotate(here: Installation) -> keys.Rotated:
    return keys.rotate(here.database, kek_of(here), actor="ann", now=NOW)


@contextmanager
def killed_at(here: Installation, moment: int) -> Iterator[Callable[[], bool]]:
    """End the process at the ``moment``-th statement or commit; tells whether it came to that."""
    count = 0

    def tick(*_: object, **__: object) -> None:
        nonlocal count
        count += 1
        if count == moment:
            raise KilledError

    engine = here.database.engine
    event.listen(engine, "before_cursor_execute", tick)
    event.listen(engine, "commit", tick)
    try:
        yield lambda: count >= moment
    except KilledError:
        pass
    finally:
        event.remove(engine, "before_cursor_execute", tick)
        event.remove(engine, "commit", tick)


def test_a_rotation_seals_everything_under_another_key(here: Installation) -> None:
    before = here.sql("SELECT id FROM data_keys WHERE state = 'active' AND id <> 'fingerprint'")
    done = rotate(here)
    assert (done.values, done.unreadable, done.resumed) == (len(VALUES), [], False)
    assert done.key != before[0][0]
    with here.database.read() as connection:
        assert sealed.count_by_key(connection) == {done.key: len(VALUES)}
    assert sorted(states(here)) == ["active", "decrypt_only"]
    assert opened(here) == VALUES


def test_a_rotation_stopped_anywhere_leaves_a_ring_that_works_and_goes_on(
    here: Installation,
) -> None:
    stopped, moment, reached = 0, 1, True
    while reached:
        with killed_at(here, moment) as was_reached:
            rotate(here)
        reached = was_reached()
        stopped += reached
        moment += 1
        assert opened(here) == VALUES == opened(here, here.vault)
        active = open_vault(here.database, here.settings)
        assert active.notice == ""
        with here.database.write() as connection:
            place = Place("auth_secrets", 99, "password", 1)
            text = here.vault.seal(connection, "new", place)
            assert here.vault.open(connection, text, place) == "new"
        if moment % 3 == 0:
            rotate(here)
            with here.database.read() as connection:
                assert len(sealed.count_by_key(connection)) == 1
            keys.retire(here.database, key_id=None, actor="ann", now=NOW)
            assert states(here).count("decrypt_only") == 0
    assert stopped > 20
    assert opened(here) == VALUES


def test_a_process_that_runs_seals_under_the_new_key_and_opens_the_old(here: Installation) -> None:
    other = open_vault(here.database, here.settings).vault
    rotate(here)
    with here.database.write() as connection:
        place = Place("auth_secrets", 1, "password", 99)
        new = other.seal(connection, "x", place)
        active = next(k.id for k in data_keys(connection) if k.state == "active")
    assert new.startswith(f"v1.{active}.")
    keys.retire(here.database, key_id=None, actor="ann", now=NOW)
    assert opened(here, other) == VALUES


def test_a_value_that_changes_while_it_is_sealed_anew_is_not_overwritten(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = KeyRing.seal

    def meanwhile(ring: KeyRing, value: str, place: Place) -> str:
        if value == "secret-2":
            monkeypatch.setattr(KeyRing, "seal", seal)
            here.rotate("p2", "changed-meanwhile")
        return seal(ring, value, place)

    monkeypatch.setattr(KeyRing, "seal", meanwhile)
    rotate(here)
    assert opened(here) == [v if v != "secret-2" else "changed-meanwhile" for v in VALUES]
    with here.database.read() as connection:
        assert len(sealed.count_by_key(connection)) == 1


def test_an_overtaken_rotation_stops_before_it_seals_under_a_key_that_is_old_again(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = KeyRing.seal

    def overtaken(ring: KeyRing, value: str, place: Place) -> str:
        monkeypatch.setattr(KeyRing, "seal", seal)
        rotate(here)
        rotate(here)
        return seal(ring, value, place)

    monkeypatch.setattr(KeyRing, "seal", overtaken)
    with pytest.raises(OperatorError, match="another rotation"):
        rotate(here)
    with here.database.read() as connection:
        assert len(sealed.count_by_key(connection)) == 1
    assert opened(here) == VALUES


def test_a_key_that_a_value_needs_is_not_retired(here: Installation) -> None:
    old = here.sql("SELECT id FROM data_keys WHERE state = 'active' AND id <> 'fingerprint'")[0][0]
    with pytest.raises(InUse, match="is active"):
        keys.retire(here.database, key_id=old, actor="ann", now=NOW)
    with pytest.raises(NotFound):
        keys.retire(here.database, key_id="0badcafe", actor="ann", now=NOW)
    kept = here.sql("SELECT sealed FROM auth_secrets WHERE id = 3")[0][0]
    rotate(here)
    here.sql("UPDATE auth_secrets SET sealed = ? WHERE id = 3", kept)
    with pytest.raises(InUse, match="1 values"):
        keys.retire(here.database, key_id=old, actor="ann", now=NOW)
    assert keys.retire(here.database, key_id=None, actor="ann", now=NOW) == ()
    assert rotate(here).resumed
    assert keys.retire(here.database, key_id=None, actor="ann", now=NOW) == (old,)
    assert here.sql("SELECT wrapped FROM data_keys WHERE id = ?", old) == [("",)]
    assert opened(here) == VALUES


def test_a_damaged_secret_is_named_and_left_alone_and_a_damaged_token_forgotten(
    here: Installation,
) -> None:
    here.sql("UPDATE auth_secrets SET sealed = sealed || 'AAAA' WHERE id = 2")
    here.sql("UPDATE token_states SET sealed_token = sealed_token || 'AAAA'")
    done = rotate(here)
    assert [(place.row, place.field) for place in done.unreadable] == [(2, "password")]
    assert here.sql("SELECT sealed_token FROM token_states") == [(None,)]
    again = rotate(here)
    assert (again.key != done.key, again.resumed) == (True, False), "it isn't tried for ever"
    here.rotate("p1", "set-again")
    assert rotate(here).unreadable == []


def test_status_says_what_is_sealed_under_which_key(here: Installation) -> None:
    rotate(here)
    here.sql("UPDATE auth_secrets SET sealed = 'v1.0badcafe.AAAA' WHERE id = 1")
    with here.database.read() as connection:
        found = key_status.status(connection, kek_of(here))
    assert [(key.state, key.values, key.opens) for key in found.keys] in (
        [("decrypt_only", 0, True), ("active", len(VALUES) - 1, True)],
        [("active", len(VALUES) - 1, True), ("decrypt_only", 0, True)],
    )
    assert found.strays == 1


def test_another_kek_takes_the_place_of_the_file_and_everything_still_opens(
    here: Installation,
) -> None:
    shown = here.vault.fingerprint("secret-1")
    before = (here.settings.home_path / "kek").read_text()
    done = keys.replace_kek(here.database, here.settings, actor="ann", now=NOW)
    assert (here.settings.home_path / "kek").read_text() != before
    assert not (here.settings.home_path / "kek.next").exists()
    assert done.data_keys == 2
    assert done.kept is not None
    assert done.kept.read_text() == before, "backups need it"
    assert done.kept.stat().st_mode & 0o077 == 0
    assert opened(here) == VALUES == opened(here, here.vault)
    assert open_vault(here.database, here.settings).vault.fingerprint("secret-1") == shown
    rotate(here)
    assert opened(here) == VALUES == opened(here, here.vault), "a running process reads the file"
    (here.settings.home_path / "kek").write_text(before)
    with pytest.raises(SettingsError):
        open_vault(here.database, here.settings)


def test_replacing_the_kek_can_be_stopped_anywhere(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, moment, reached = Path.replace, 1, True
    while reached:
        with killed_at(here, moment) as was_reached:
            keys.replace_kek(here.database, here.settings, actor="ann", now=NOW + moment)
        reached = was_reached()
        moment += 1
        assert opened(here) == VALUES
        rotate(here)
        keys.retire(here.database, key_id=None, actor="ann", now=NOW)  # else each pass is longer
        assert opened(here) == VALUES
    assert moment > 8

    def stopped(self: Path, target: Path) -> Path:
        raise KilledError

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KilledError):
        keys.replace_kek(here.database, here.settings, actor="ann", now=NOW)
    monkeypatch.setattr(Path, "replace", replace)
    assert opened(here) == VALUES, "the successor stands beside the present one"
    rotate(here)
    assert keys.replace_kek(here.database, here.settings, actor="ann", now=NOW).data_keys == 0
    assert not (here.settings.home_path / "kek.next").exists()
    assert opened(here) == VALUES


def test_a_kek_of_the_environment_is_replaced_by_one_of_the_environment(
    here: Installation,
) -> None:
    home, old, new = here.settings.home, "ab" * 32, "cd" * 32
    given = Settings(home=home, kek_new=old)
    keys.replace_kek(here.database, given, actor="ann", now=NOW)
    with pytest.raises(OperatorError, match="JOURNEY_KEK_NEW"):
        keys.replace_kek(here.database, Settings(home=home, kek=old), actor="ann", now=NOW)
    both = Settings(home=home, kek=old, kek_new=new)
    running = open_vault(here.database, both).vault
    assert keys.replace_kek(here.database, both, actor="ann", now=NOW).data_keys == 2
    kek = find_kek(both)
    assert kek is not None
    keys.rotate(here.database, kek, actor="ann", now=NOW)
    assert opened(here, running) == VALUES
    here.settings = Settings(home=home, kek=new)
    assert opened(here) == VALUES
    with pytest.raises(SettingsError):
        open_vault(here.database, Settings(home=home, kek=old))


def test_a_process_that_cannot_open_the_new_ring_says_so_and_forgets_nothing(
    here: Installation,
) -> None:
    home, old, new = here.settings.home, "ab" * 32, "cd" * 32
    keys.replace_kek(here.database, Settings(home=home, kek_new=old), actor="ann", now=NOW)
    running = open_vault(here.database, Settings(home=home, kek=old)).vault
    both = Settings(home=home, kek=old, kek_new=new)
    keys.replace_kek(here.database, both, actor="ann", now=NOW)
    assert opened(here, running) == VALUES, "what it has opened, it has"
    kek = find_kek(both)
    assert kek is not None
    keys.rotate(here.database, kek, actor="ann", now=NOW)
    with pytest.raises(CredentialFailure, match="restart") as failure:
        opened(here, running)
    assert failure.value.code == "credential.unavailable"
    with here.database.write() as connection, pytest.raises(CredentialFailure, match="restart"):
        running.seal(connection, "x", Place("auth_secrets", 1, "password", 9))


def test_two_ciphertexts_swapped_take_their_own_profiles_and_no_other(here: Installation) -> None:
    first, second = (row[0] for row in here.sql("SELECT sealed FROM auth_secrets WHERE id < 3"))
    here.sql("UPDATE auth_secrets SET sealed = ? WHERE id = 1", second)
    here.sql("UPDATE auth_secrets SET sealed = ? WHERE id = 2", first)
    assert failures(here) == {"p0": "credential.unreadable", "p1": "credential.unreadable"}


def test_one_flipped_bit_takes_one_profile(here: Installation) -> None:
    (text,) = here.sql("SELECT sealed FROM auth_secrets WHERE id = 4")[0]
    flipped = text[:-4] + chr(ord(text[-4]) ^ 1) + text[-3:]
    here.sql("UPDATE auth_secrets SET sealed = ? WHERE id = 4", flipped)
    assert failures(here) == {"p3": "credential.unreadable"}


def failures(here: Installation) -> dict[str, str]:
    """Profiles whose secrets don't open, as a process that starts now finds them."""
    vault = open_vault(here.database, here.settings).vault
    found: dict[str, str] = {}
    with here.database.read() as connection:
        profiles = all_profiles(connection)
    for stored in profiles:
        loaded = load(here.database, vault, here.references, Redactor(), stored.id)
        assert loaded is not None
        try:
            loaded.credential()
        except CredentialFailure as failure:
            assert stored.columns.name in failure.message
            found[stored.columns.name] = failure.code
    return found


def test_a_database_with_sealed_values_and_no_ring_gets_no_new_one(here: Installation) -> None:
    here.sql("DELETE FROM data_keys")
    with pytest.raises(SettingsError, match="key ring is gone"):
        open_vault(here.database, here.settings)
    assert here.sql("SELECT count(*) FROM data_keys") == [(0,)]


def test_a_ring_of_an_earlier_version_gets_the_key_its_fingerprints_had(here: Installation) -> None:
    before = kek_of(here).first_fingerprint_key()
    here.sql("DELETE FROM data_keys WHERE id = 'fingerprint'")
    vault = open_vault(here.database, here.settings).vault
    with here.database.read() as connection:
        ring = KeyRing(kek_of(here), data_keys(connection))
    assert ring.opened["fingerprint"] == before
    keys.replace_kek(here.database, here.settings, actor="ann", now=NOW)
    after = open_vault(here.database, here.settings).vault
    assert after.fingerprint("x") == vault.fingerprint("x")


def test_each_change_of_a_key_leaves_an_audit_row(here: Installation) -> None:
    rotate(here)
    keys.replace_kek(here.database, here.settings, actor="ann", now=NOW)
    keys.retire(here.database, key_id=None, actor="ann", now=NOW)
    rows = here.sql("SELECT actor, verb, fields FROM audit WHERE kind = 'key' ORDER BY id")
    assert rows == [
        ("engine", "create", "state"),
        ("engine", "create", "state"),
        ("ann", "create", "state"),
        ("ann", "rotate", "state"),
        ("ann", "activate", "state"),
        *[("ann", "rewrap", "wrapped")] * 3,
        ("ann", "retire", "state, wrapped"),
    ]
