"""``journey doctor --leaks``: every surface, and never the secret itself."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from base64 import b64encode
from contextlib import closing
from pathlib import Path

import pytest

from engine.cli.main import main
from tests.unit.cli.commands import Ended, Journey

SECRETS = {"TOKEN": "cnry-token/with+1==", "BY_ENV": "cnry-by-env-secret"}
APPLY = """\
auth_profiles:
  crm: {kind: bearer, token: {seal_from_env: TOKEN}}
  env: {kind: bearer, token: {env: BY_ENV}}
  file: {kind: bearer, token: {file: token.txt}}
endpoints:
  crm: {base_url: "https://crm.example.com", auth: crm}
"""
IN_FILE = "cnry-by-file-secret"


@pytest.fixture
def here(journey: Journey) -> Journey:
    kept = journey.folder / ".journey" / "secrets"
    kept.mkdir(parents=True)
    (kept / "token.txt").write_text(IN_FILE)
    assert journey("apply", journey.write("apply.yaml", APPLY), **SECRETS).code == 0
    return journey


def look(here: Journey, *paths: str) -> Ended:
    ended = here("doctor", "--leaks", *paths, **SECRETS)
    for secret in (*SECRETS.values(), IN_FILE):
        assert secret not in ended.out + ended.err
    return ended


def query(here: Journey, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(here.folder / ".journey" / "engine.db")) as connection:
        connection.execute(sql, values)
        connection.commit()


def test_a_sound_installation_leaks_nothing(here: Journey) -> None:
    ended = look(here)
    assert ended.code == 0, ended.out
    assert "looked for 6 secrets" in ended.out, "a KEK, two keys, three secrets"


def test_a_secret_in_a_table_is_named_with_its_column(here: Journey) -> None:
    token = b64encode(f"bot:{SECRETS['TOKEN']}".encode()).decode()
    for n in range(3):
        query(
            here,
            "INSERT INTO users VALUES (0, ?, NULL, ?, NULL)",
            f"u{n}",
            json.dumps({"x": token}),
        )
    ended = look(here)
    assert ended.code == 6
    assert "crm.token stands in users.attributes (3 rows); rotate it" in ended.out
    assert "engine.db, at byte" in ended.out


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (SECRETS["TOKEN"], "crm.token"),
        (SECRETS["BY_ENV"].encode().hex(), "env.token"),
        (IN_FILE, "file.token"),
    ],
)
def test_a_secret_in_a_log_or_an_export_is_named_with_its_place(
    here: Journey, value: str, name: str
) -> None:
    export = here.folder / "exports" / "deep"
    export.mkdir(parents=True)
    (export / "calls.csv").write_text(f"id,text\n1,{value}\n", encoding="utf-8")
    assert look(here).code == 0, "nobody named the folder"
    ended = look(here, "exports")
    assert ended.code == 6
    assert f"{name} stands in exports/deep/calls.csv, at byte 10" in ended.out


def test_the_home_folder_the_write_ahead_log_and_the_log_are_searched_unasked(
    here: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = here.folder / ".journey"
    log = here.folder / "logs" / "engine.log"
    monkeypatch.setenv("JOURNEY_LOG_FILE", str(log))
    log.parent.mkdir()
    for path in (home / "engine.db.backup-1", home / "notes.txt", log.with_name("engine.log.1")):
        path.write_text(f"... {IN_FILE} ...")
        assert re.findall(r"file\.token stands in \S*/(\S+), at byte 4;", look(here).out) == [
            path.name
        ]
        path.unlink()
        assert look(here).code == 0
    held = sqlite3.connect(home / "engine.db")
    held.execute("INSERT INTO users VALUES (0, 'u', NULL, ?, NULL)", (IN_FILE,))
    held.commit()
    held.execute("DELETE FROM users")
    held.commit()
    try:
        assert "engine.db-wal, at byte" in look(here).out
    finally:
        held.close()


def test_keys_are_looked_for_and_the_files_that_keep_them_left_out(here: Journey) -> None:
    home = here.folder / ".journey"
    assert here("keys", "rotate", "--kek").code == 0
    assert look(here).code == 0
    shutil.copy(home / "kek", here.folder / "copied.txt")
    ended = look(here, "copied.txt")
    assert (ended.code, "the key-encryption key" in ended.out) == (6, True)
    assert (home / "kek").read_text().strip() not in ended.out


@pytest.mark.parametrize("lost", ["users", "auth_profiles"])
def test_a_database_that_lacks_a_table_is_told_of(here: Journey, lost: str) -> None:
    query(here, f"DROP TABLE {lost}")
    ended = look(here)
    assert ended.code == 6
    assert f"engine.db lacks {lost}; restore it from a backup" in ended.out


def test_paths_without_leaks_are_a_slip(tmp_path: Path) -> None:
    assert main(["doctor", str(tmp_path)]) == 2
