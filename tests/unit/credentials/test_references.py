from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.credentials import references
from engine.credentials.references import (
    FromEnv,
    FromFile,
    References,
    Sealed,
    SealFromEnv,
    read_source,
)
from engine.errors import CredentialFailure


def test_a_file_names_a_source_in_three_ways() -> None:
    assert read_source({"seal_from_env": "CRM_SECRET"}) == SealFromEnv("CRM_SECRET")
    assert read_source({"env": "CRM_SECRET"}) == FromEnv("CRM_SECRET")
    assert read_source({"file": "crm.key"}) == FromFile("crm.key")


@pytest.mark.parametrize("literal", ["hunter2", 12345, 1.5, True])
def test_a_literal_secret_is_refused_with_the_three_ways(literal: object) -> None:
    with pytest.raises(ValueError) as error:
        read_source(literal)
    assert "seal_from_env" in str(error.value)
    assert "{env:" in str(error.value)
    assert "{file:" in str(error.value)
    assert str(literal) not in str(error.value)


@pytest.mark.parametrize("way", ["vault", "aws_sm"])
def test_other_secret_stores_are_not_supported_yet(way: str) -> None:
    with pytest.raises(ValueError, match=f"{way} references are not supported by this version"):
        read_source({way: "kv/crm#secret"})


@pytest.mark.parametrize(
    "written", [None, [], {}, {"env": "A", "file": "b"}, {"env": ""}, {"env": 1}, {"other": "x"}]
)
def test_anything_else_is_no_source(written: object) -> None:
    with pytest.raises(ValueError, match="seal_from_env"):
        read_source(written)


@pytest.mark.parametrize("way", ["env", "seal_from_env"])
@pytest.mark.parametrize("name", ["JOURNEY_KEK", "journey_kek", "A=B", "1A", "A B"])
def test_our_own_variables_and_what_is_no_name_are_refused(way: str, name: str) -> None:
    with pytest.raises(ValueError):
        read_source({way: name})


def test_only_a_stored_profile_may_say_that_a_value_is_sealed() -> None:
    assert read_source({"sealed": True}, stored=True) == Sealed()
    with pytest.raises(ValueError):
        read_source({"sealed": True})


def test_a_variable_is_read_as_it_was_when_the_process_started() -> None:
    environment = {"CRM_SECRET": "old", "JOURNEY_KEK": "never"}
    references = References(environment, ())
    environment["CRM_SECRET"] = "new"
    assert references.read(FromEnv("CRM_SECRET")) == "old"
    assert references.variable("JOURNEY_KEK") is None


def test_a_variable_that_is_not_set_is_a_missing_credential() -> None:
    with pytest.raises(CredentialFailure, match="CRM_SECRET") as failure:
        References({}, ()).read(FromEnv("CRM_SECRET"))
    assert failure.value.code == "credential.missing"


def test_a_changed_file_is_read_again_and_its_last_newline_is_no_part_of_it(
    tmp_path: Path,
) -> None:
    references = References({}, (tmp_path,))
    file = tmp_path / "crm.key"
    for written, meant in (("one\n", "one"), ("two-longer\r\n", "two-longer"), ("a\n\n", "a\n")):
        file.write_bytes(written.encode())
        assert references.read(FromFile("crm.key")) == meant


def test_a_file_that_is_emptied_before_it_is_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, found = tmp_path / "token", References({}, (tmp_path,))
    file.write_text("one")
    assert found.read(FromFile("token")) == "one"
    file.write_text("")
    assert found.read(FromFile("token")) == "one", "somebody is about to write it"
    file.write_text("two")
    assert found.read(FromFile("token")) == "two"
    file.write_text("")
    assert found.read(FromFile("token")) == "two"
    monkeypatch.setattr(references, "EMPTY_FOR_S", 0.0)
    assert found.read(FromFile("token")) == "", "it was emptied to stay so"


def test_a_file_that_was_emptied_long_ago_is_empty(tmp_path: Path) -> None:
    file, found = tmp_path / "token", References({}, (tmp_path,))
    file.write_text("one")
    assert found.read(FromFile("token")) == "one"
    file.write_text("")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    assert found.read(FromFile("token")) == ""


def test_what_was_read_isnt_kept_once_it_is_to_be_forgotten_or_its_file_is_gone(
    tmp_path: Path,
) -> None:
    references = References({}, (tmp_path,))
    file = tmp_path / "crm.key"
    file.write_text("k3y-0f-crm")
    references.read(FromFile("crm.key"))
    assert "k3y-0f-crm" in _values(references)
    references.forget({"crm.key", "another"})
    assert _values(references) == set()
    references.read(FromFile("crm.key"))
    file.unlink()
    with pytest.raises(CredentialFailure, match="isn't in"):
        references.read(FromFile("crm.key"))
    assert _values(references) == set()


def _values(references: References) -> set[str]:
    return {each.value for each in references._files.values()}


def test_a_file_replaced_by_another_of_the_same_size_and_time_is_read_again(
    tmp_path: Path,
) -> None:
    references = References({}, (tmp_path,))
    file, draft = tmp_path / "crm.key", tmp_path / "draft"
    file.write_text("one")
    os.utime(file, ns=(1, 1))
    assert references.read(FromFile("crm.key")) == "one"
    draft.write_text("two")
    os.utime(draft, ns=(1, 1))
    draft.rename(file)
    assert references.read(FromFile("crm.key")) == "two"


def test_a_link_inside_the_folder_is_followed_when_it_is_pointed_elsewhere(
    tmp_path: Path,
) -> None:
    for name in ("v1", "v2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "crm.key").write_text(name)
    (tmp_path / "current").symlink_to("v1")
    references = References({}, (tmp_path,))
    assert references.read(FromFile("current/crm.key")) == "v1"
    (tmp_path / "new").symlink_to("v2")
    (tmp_path / "new").rename(tmp_path / "current")
    assert references.read(FromFile("current/crm.key")) == "v2"


def test_no_name_and_no_link_leads_out_of_the_secret_folders(tmp_path: Path) -> None:
    inside, outside = tmp_path / "secrets", tmp_path / "outside.key"
    inside.mkdir()
    outside.write_text("not yours")
    (inside / "link").symlink_to(outside)
    references = References({}, (inside,))
    for name in ("../outside.key", str(outside), "link"):
        with pytest.raises(CredentialFailure, match="JOURNEY_SECRET_DIRS"):
            references.read(FromFile(name))


def test_a_file_of_64_kib_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    references = References({}, (tmp_path,))
    (tmp_path / "key").write_text("x" * 65_536)
    assert len(references.read(FromFile("key"))) == 65_536
    (tmp_path / "key").write_text("x" * 65_537)
    with pytest.raises(CredentialFailure, match="64 KiB"):
        references.read(FromFile("key"))


def test_what_is_no_readable_text_file_is_a_missing_credential(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    references = References({}, (tmp_path,))
    for name in ("absent", "binary", "folder", "pipe"):
        with pytest.raises(CredentialFailure) as failure:
            references.read(FromFile(name))
        assert failure.value.code == "credential.missing"


def test_a_source_never_prints_a_given_value() -> None:
    from engine.credentials.references import Given

    assert "hunter2" not in f"{Given('hunter2')!r} {Given('hunter2')}"
