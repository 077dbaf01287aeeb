from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from engine.credentials.listing import search_profiles, show_profile
from engine.credentials.profiles import delete_profile, extend_origins, rename
from engine.credentials.references import Given
from engine.errors import EngineError, InUse, NotFound, OperatorError
from tests.unit.credentials.installation import NOW, Installation

pytestmark = pytest.mark.usefixtures("either_database")

HOUR = 3_600_000_000
SEALED = {"seal_from_env": "CRM_SECRET"}
OAUTH: dict[str, Any] = {
    "kind": "oauth2",
    "token_url": "https://id.example.com/token",
    "client_id": "crm",
    "client_secret": SEALED,
}


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return Installation(tmp_path, {"CRM_SECRET": "first-secret-0001"})


def secret(here: Installation, name: str = "crm", field: str = "client_secret") -> Any:
    with here.database.read() as connection:
        shown = show_profile(connection, name)
    return next(each for each in shown.secrets if each.field == field)


def test_applying_twice_changes_nothing_the_second_time(here: Installation) -> None:
    first = here.apply("crm", **OAUTH)
    assert first.created
    assert set(first.fields) == {"kind", "token_url", "client_id", "client_secret"}
    again = here.apply("crm", **OAUTH)
    assert (again.created, again.fields, again.version) == (False, (), 1)
    assert len(here.sql("SELECT * FROM audit WHERE kind <> 'key'")) == 1


def test_a_changed_field_raises_the_version_and_leaves_names_in_the_audit(
    here: Installation,
) -> None:
    here.apply("crm", **OAUTH)
    change = here.apply("crm", **{**OAUTH, "scope": "scores.write"}, title="CRM live")
    assert (change.fields, change.version) == (("title", "scope"), 2)
    row = here.sql("SELECT at, actor, verb, kind, name, fields FROM audit ORDER BY id")[-1]
    assert row == (NOW, "ann", "update", "auth profile", "crm", "title, scope")


def test_a_title_alone_changes_no_credential(here: Installation) -> None:
    here.apply("crm", **OAUTH)
    assert here.apply("crm", **OAUTH, title="CRM live").version == 1


def test_an_old_file_never_undoes_a_rotation(here: Installation) -> None:
    here.apply("crm", **OAUTH)
    here.rotate("crm", "second-secret-002")
    shown = secret(here)
    change = here.apply("crm", at=NOW + 2 * HOUR + 1, **OAUTH)
    assert change.fields == ()
    assert change.notes == ("client_secret: kept, rotated 2 h ago; --take-secrets to overwrite",)
    assert secret(here) == shown
    assert here.apply("crm", take_secrets=True, **OAUTH).fields == ("client_secret",)
    assert secret(here).fingerprint != shown.fingerprint


def test_a_value_never_seen_becomes_current(here: Installation) -> None:
    here.apply("crm", **OAUTH)
    here.rotate("crm", "second-secret-002")
    here.environment["CRM_SECRET"] = "third-secret-0003"
    assert here.apply("crm", **OAUTH).fields == ("client_secret",)
    here.environment["CRM_SECRET"] = "second-secret-002"
    assert "kept" in here.apply("crm", **OAUTH).notes[0]


@pytest.mark.parametrize("environment", [{}, {"CRM_SECRET": ""}])
def test_an_unset_variable_keeps_what_is_stored(
    here: Installation, environment: dict[str, str]
) -> None:
    here.apply("crm", **OAUTH)
    here.environment = environment
    change = here.apply("crm", **OAUTH)
    assert (change.fields, change.notes) == ((), ("client_secret: kept (CRM_SECRET isn't set)",))


def test_an_unset_variable_with_nothing_stored_is_refused(here: Installation) -> None:
    here.environment = {}
    with pytest.raises(OperatorError) as error:
        here.apply("crm", **OAUTH)
    assert str(error.value) == (
        "auth profile crm: client_secret: the variable CRM_SECRET isn't set and nothing is"
        " stored yet"
    )
    assert here.sql("SELECT * FROM auth_profiles") == []


def test_a_value_that_cannot_be_sent_is_refused_and_not_shown(here: Installation) -> None:
    for value in ("tökén-secret", "a\nb-secret", "x" * 70_000, "\ud800-secret"):
        with pytest.raises(OperatorError) as error:
            here.apply("m", kind="bearer", token=Given(value))
        assert value not in str(error.value)


def test_nobody_points_a_stored_secret_at_another_server_without_knowing_it(
    here: Installation,
) -> None:
    here.apply("crm", **OAUTH)
    here.rotate("crm", "second-secret-002")
    elsewhere: dict[str, Any] = {**OAUTH, "token_url": "https://evil.example.com/token"}
    for environment in ({}, {"CRM_SECRET": "first-secret-0001"}):
        here.environment = environment
        with pytest.raises(OperatorError, match="client_secret again"):
            here.apply("crm", **elsewhere)
    here.environment = {"CRM_SECRET": "second-secret-002"}
    assert here.apply("crm", **elsewhere).fields == ("token_url",)


def test_a_secret_that_becomes_a_reference_is_forgotten(here: Installation) -> None:
    here.apply("crm", **OAUTH)
    change = here.apply("crm", **{**OAUTH, "client_secret": {"env": "CRM_SECRET"}})
    assert change.fields == ("client_secret",)
    assert here.sql("SELECT * FROM auth_secrets") == []
    assert secret(here).source == "env CRM_SECRET"


def test_rotating_the_value_there_is_changes_nothing(here: Installation) -> None:
    here.apply("crm", **OAUTH)
    assert here.rotate("crm", "first-secret-0001").fields == ()


def test_rotate_says_which_secrets_there_are(here: Installation) -> None:
    here.apply(
        "pairs",
        kind="api_key",
        pairs=[
            {"name": "X-Id", "value": Given("one-two-three-four")},
            {"name": "X-Key", "value": Given("five-six-seven-eight")},
            {"name": "X-Env", "value": {"env": "A"}},
        ],
    )
    for name, field, said in (
        ("pairs", None, "--field (X-Id, X-Key)"),
        ("pairs", "X-Nope", "X-Id, X-Key, X-Env"),
        ("pairs", "X-Env", "read from the variable A: change it there"),
        ("absent", None, "journey auth list"),
    ):
        with pytest.raises(EngineError) as error:
            here.rotate(name, "nine-ten-eleven-twelve", field)
        assert said in str(error.value)
        assert "nine" not in str(error.value)
    assert here.rotate("pairs", "nine-ten-eleven-twelve", "X-Key").fields == ("X-Key",)


def test_what_people_see_of_a_secret_is_a_fingerprint_and_of_no_password_the_end(
    here: Installation,
) -> None:
    here.apply("crm", **OAUTH)
    here.apply("loyalty", kind="basic", username="bot", password=Given("a-long-password-1"))
    crm, loyalty = secret(here), secret(here, "loyalty", "password")
    assert len(crm.fingerprint) == 8
    assert crm.last_four == "0001"
    assert loyalty.last_four == ""
    assert (loyalty.source, loyalty.is_set, loyalty.set_at) == ("sealed", True, NOW)
    with here.database.read() as connection:
        shown = repr(search_profiles(connection))
    assert "first-secret" not in shown
    assert "long-password" not in shown


def test_many_profiles_are_listed_by_as_many_statements_as_a_few(here: Installation) -> None:
    counts: list[int] = []
    asked: list[str] = []
    for number in range(4):
        here.apply(f"crm-{number}", **OAUTH)
        here.endpoint(f"bonus-{number}", f"crm-{number}", "https://points.example.net/v1")
        with here.database.read() as connection:
            event.listen(connection, "before_cursor_execute", lambda *said: asked.append(said[2]))
            shown = search_profiles(connection)
        assert [each.used_by for each in shown] == [(f"bonus-{n}",) for n in range(number + 1)]
        counts.append(len(asked))
        asked.clear()
    assert len(set(counts)) == 1


def test_profiles_are_found_by_name_title_kind_and_host(here: Installation) -> None:
    here.apply("crm", **OAUTH, title="Salesforce Production")
    here.apply("loyalty", kind="basic", username="bot", password=Given("x"))
    here.endpoint("bonus", "loyalty", "https://points.example.net/v1")
    with here.database.read() as connection:
        found = {
            text: [each.name for each in search_profiles(connection, text)]
            for text in ("", "SALES", "loyal", "oauth2", "points.example", "id.example", "zzz")
        }
        assert show_profile(connection, "loyalty").used_by == ("bonus",)
    assert found == {
        "": ["crm", "loyalty"],
        "SALES": ["crm"],
        "loyal": ["loyalty"],
        "oauth2": ["crm"],
        "points.example": ["loyalty"],
        "id.example": ["crm"],
        "zzz": [],
    }


def test_a_renamed_profile_keeps_id_secret_and_version(here: Installation) -> None:
    created = here.apply("crm", **OAUTH)
    here.apply("taken", **OAUTH)
    with here.database.write() as connection:
        rename(connection, "crm", "crm-live", actor="ann", now=NOW)
        for new in ("taken", "none", "a b"):
            with pytest.raises(OperatorError):
                rename(connection, "crm-live", new, actor="ann", now=NOW)
        with pytest.raises(NotFound):
            rename(connection, "crm", "x", actor="ann", now=NOW)
    again = here.apply("crm-live", **OAUTH)
    assert (again.profile_id, again.version, again.fields) == (created.profile_id, 1, ())


def test_origins_are_only_ever_extended(here: Installation) -> None:
    here.apply("crm", **OAUTH, origins=["https://A.example.com/x"])
    with here.database.write() as connection:
        urls = ["https://b.example.com:8443/y", "https://a.example.com"]
        added = extend_origins(connection, "crm", urls, actor="ann", now=NOW)
        assert added == ("https://b.example.com:8443",)
        assert extend_origins(connection, "crm", urls, actor="ann", now=NOW) == ()
        with pytest.raises(OperatorError, match="origins"):
            extend_origins(connection, "crm", ["https://a@b/"], actor="ann", now=NOW)
    assert here.apply("crm", **OAUTH).fields == ()
    with here.database.read() as connection:
        assert show_profile(connection, "crm").origins == (
            "https://a.example.com:443",
            "https://b.example.com:8443",
        )


def test_a_profile_in_use_is_not_deleted_and_says_by_whom(here: Installation) -> None:
    here.apply("crm", **OAUTH)
    here.endpoint("scores", "crm")
    with here.database.write() as connection, pytest.raises(InUse) as error:
        delete_profile(connection, "crm", actor="ann", now=NOW)
    assert error.value.used_by == ("endpoint scores",)
    here.sql("DELETE FROM endpoints")
    with here.database.write() as connection:
        delete_profile(connection, "crm", actor="ann", now=NOW)
    for table in ("auth_profiles", "auth_secrets", "secret_fingerprints", "token_states"):
        assert here.sql(f"SELECT * FROM {table}") == []


def test_a_change_that_fails_half_way_leaves_nothing(here: Installation) -> None:
    here.sql("ALTER TABLE audit RENAME TO away")
    with pytest.raises(Exception, match="audit"):
        here.apply("crm", **OAUTH)
    assert here.sql("SELECT * FROM auth_profiles") == []
    assert here.sql("SELECT * FROM auth_secrets") == []


def test_no_secret_is_in_any_file_of_the_database(here: Installation) -> None:
    from engine.telemetry.redact import MASK, Redactor

    secrets = ("first-secret-0001", "second-secret-002", "pass-word-of-bot-7")
    here.apply("crm", **OAUTH)
    here.rotate("crm", secrets[1])
    here.apply("loyalty", kind="basic", username="bot", password=Given(secrets[2]))
    redactor = Redactor()
    redactor.learn(secrets)
    for file in here.settings.home_path.iterdir():
        assert MASK not in redactor.redact(file.read_bytes().decode("latin-1")), file
