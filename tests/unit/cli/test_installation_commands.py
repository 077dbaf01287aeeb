"""``journey doctor``, ``config`` and ``migrate``: what an operator asks of an installation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.cli.main import main
from engine.db.schema import open_database
from tests.databases import by_hand
from tests.unit.cli.commands import Journey

HOME = "JOURNEY_HOME"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(HOME, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def database(home: Path) -> Path:
    open_database(f"sqlite:///{home / 'engine.db'}").close()
    return home / "engine.db"


def apply(text: str) -> None:
    Path("endpoints.yaml").write_text(text)
    assert main(["apply", "endpoints.yaml"]) == 0


def examined(capsys: pytest.CaptureFixture[str], code: int) -> dict[str, list[dict[str, Any]]]:
    """The checks by name."""
    capsys.readouterr()
    assert main(["doctor", "--json"]) == code
    found: dict[str, list[dict[str, Any]]] = {}
    for line in capsys.readouterr().out.splitlines():
        check = json.loads(line)
        found.setdefault(check["name"], []).append(check)
    return found


def test_a_fresh_folder_is_odd_and_nothing_is_made_in_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = examined(capsys, 0)
    assert found["database"][0]["state"] == "odd"
    assert "journey apply" in found["database"][0]["remedy"]
    assert not home.exists()


def test_a_good_installation_has_nothing_but_ticks(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply("endpoints: {crm: {base_url: https://crm.example.com}}\n")
    capsys.readouterr()
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert {line[0] for line in lines} == {"✓"}
    assert any("without authentication: crm" in line for line in lines)


def test_a_misspelt_setting_is_odd(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNEY_HOMR", "x")
    found = examined(capsys, 0)["settings"][0]
    assert (found["state"], found["remedy"]) == ("odd", "did you mean `JOURNEY_HOME`?")


@pytest.mark.parametrize(
    ("variable", "value", "check"),
    [
        ("JOURNEY_EGRESS_ALLOW", "everything", "egress"),
        ("JOURNEY_TIMEZONE", "Mars/Phobos", "time zones"),
        ("JOURNEY_IN_FLIGHT", "many", "settings"),
        ("JOURNEY_LEASE", "long", "settings"),
        ("JOURNEY_PORT", "http", "settings"),
        ("JOURNEY_KEEP_EVENTS", "P1D", "settings"),
        ("JOURNEY_BACKUPS", "/dev/null/backups", "backups"),
        ("JOURNEY_KEK", "short", "key"),
    ],
)
def test_a_wrong_setting_is_wrong(
    database: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    check: str,
) -> None:
    monkeypatch.setenv(variable, value)
    assert examined(capsys, 6)[check][0]["state"] == "wrong"


@pytest.mark.parametrize(
    ("harm", "lacks"),
    [
        ("DROP TABLE duties", "duties"),
        ("DROP TABLE users", "users"),
        ("DROP TABLE installation", "installation"),
        ("ALTER TABLE endpoint_states DROP COLUMN change", "endpoint_states.change"),
    ],
)
def test_a_database_without_all_its_tables_is_wrong_and_says_what_it_lacks(
    database: Path, capsys: pytest.CaptureFixture[str], harm: str, lacks: str
) -> None:
    with by_hand(database) as connection:
        connection.execute(harm)
    (found,) = examined(capsys, 6)["database"]
    assert (found["state"], found["found"]) == ("wrong", f"{database} lacks {lacks}")


def test_a_folder_for_backups_whose_links_go_in_a_circle_is_wrong(
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    monkeypatch.setenv("JOURNEY_BACKUPS", str(circle))
    (found,) = examined(capsys, 6)["backups"]
    assert found["state"] == "wrong"


def test_a_database_without_its_installation_is_wrong_and_refused(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with by_hand(database) as connection:
        connection.execute("DELETE FROM installation")
    (found,) = examined(capsys, 6)["database"]
    said = f"{database} lacks the row of its table installation; restore it from a backup"
    assert (found["state"], found["found"]) == ("wrong", said)
    assert main(["list"]) == 78
    assert capsys.readouterr().err == f"error: {said}\n"


def test_what_cannot_be_read_is_found_and_what_else_there_is_is_told(
    home: Path, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply("auth_profiles: {m: {kind: bearer, token: {env: T}}}\nendpoints: {}\n")
    with by_hand(database) as connection:
        connection.execute("UPDATE auth_profiles SET settings = '[' WHERE name = 'm'")
        connection.execute(
            "INSERT INTO processes (id, kind, host, pid, started_at, seen_at, health)"
            " VALUES ('1', 'up', 'h', 1, 0, 0, '[')"
        )
    found = examined(capsys, 6)
    for name in ("secrets", "processes"):
        assert [check["state"] for check in found[name]] == ["wrong"]
        assert "can't be read (" in found[name][0]["found"]
    assert found["endpoints"][0]["state"] == "ok"


def test_each_part_that_cannot_be_read_is_told_by_its_own_name(
    home: Path, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply("endpoints: {api: {base_url: https://api.example.com}}\n")
    with by_hand(database) as connection:
        connection.execute("UPDATE endpoints SET settings = '['")
        connection.execute(
            "INSERT INTO duties (name, process, said, failures, next_at)"
            " VALUES ('backup', 'p', '', 0, 'x')"
        )
    found = examined(capsys, 6)
    wrong = [name for name, checks in found.items() if "wrong" in {c["state"] for c in checks}]
    assert wrong == ["endpoints", "duties"]
    assert "can't be read; apply its file again" in found["endpoints"][0]["found"]
    assert found["processes"][0]["state"] == "ok"


def test_a_file_of_anything_is_found_wrong(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database.write_bytes(bytes(range(256)) * 8)
    (found,) = examined(capsys, 6)["database"]
    assert found["state"] == "wrong"


def test_secrets_that_cannot_be_read_are_named(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_TOKEN", "hidden-value")
    apply(
        "auth_profiles:\n"
        "  crm-key: {kind: bearer, token: {env: CRM_TOKEN}}\n"
        "  sms-key: {kind: bearer, token: {file: sms.key}}\n"
        "endpoints:\n"
        "  crm: {base_url: https://crm.example.com, auth: crm-key}\n"
        "  sms: {base_url: https://sms.example.com, auth: sms-key}\n"
    )
    found = examined(capsys, 6)["secrets"]
    assert [check["found"].split(":")[0] for check in found] == ["sms-key.token"]
    monkeypatch.delenv("CRM_TOKEN")
    found = examined(capsys, 6)["secrets"]
    assert len(found) == 2
    assert "hidden-value" not in json.dumps(found)


def test_an_endpoint_that_egress_keeps_closed_is_wrong_with_the_line_that_opens_it(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    apply("endpoints: {crm: {base_url: 'http://127.0.0.1:9'}}\n")
    assert examined(capsys, 0)["endpoints"][0]["state"] == "ok"
    monkeypatch.delenv("JOURNEY_EGRESS_ALLOW")
    found = examined(capsys, 6)["endpoints"][0]["found"]
    assert "crm can't be called" in found
    assert "JOURNEY_EGRESS_ALLOW=127.0.0.0/8,[::1]" in found


def test_a_missing_key_is_wrong(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    apply("endpoints: {crm: {base_url: https://crm.example.com}}\n")
    (home / "kek").unlink()
    assert examined(capsys, 6)["key"][0]["state"] == "wrong"


def test_a_key_that_others_may_read_is_wrong(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apply("endpoints: {crm: {base_url: https://crm.example.com}}\n")
    (home / "kek").chmod(0o644)
    assert "chmod 600" in examined(capsys, 6)["key"][0]["found"]


def test_a_damaged_database_is_wrong(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    assert examined(capsys, 6)["database"][0]["state"] == "wrong"


def test_a_file_that_is_no_database_is_wrong(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir()
    (home / "engine.db").write_text("hello")
    assert "is not a database" in examined(capsys, 6)["database"][0]["found"]


def test_config_shows_every_setting_and_masks_secrets(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("zone").write_text("Europe/Berlin\n")
    Path(".env").write_text("\ufeffJOURNEY_KEK=topsecret\nJOURNEY_TIMEZONE_FILE=zone\n")
    assert main(["config", "--json"]) == 0
    out = capsys.readouterr().out
    assert "topsecret" not in out
    rows = {row["setting"]: row for row in map(json.loads, out.splitlines())}
    assert rows["JOURNEY_KEK"]["value"] == "(set)"
    assert rows["JOURNEY_KEK"]["from"] == ".env"
    assert rows[HOME]["from"] == "environment"
    assert rows["JOURNEY_TIMEZONE"]["value"] == "Europe/Berlin"
    assert rows["JOURNEY_TIMEZONE"]["from"] == "JOURNEY_TIMEZONE_FILE (.env)"
    assert rows["JOURNEY_LOG_LEVEL"]["from"] == "default"


def test_a_database_that_is_up_to_date_is_left_alone(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["migrate"]) == 0
    assert "is up to date" in capsys.readouterr().out
    assert [path.name for path in database.parent.glob("*backup*")] == []


def test_a_database_of_a_newer_version_is_not_migrated(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with by_hand(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert main(["migrate"]) == 78
    assert "newer version" in capsys.readouterr().err


def test_there_must_be_a_database_to_migrate(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["migrate"]) == 5
    assert "there is no database" in capsys.readouterr().err


def test_an_env_file_that_cannot_be_read_is_said_and_not_passed_over(journey: Journey) -> None:
    Path(".env").write_bytes("JOURNEY_HOME=here".encode("utf-16"))
    ended = journey("list")
    assert (ended.code, ended.err.count("\n")) == (78, 1)
    assert "the file .env here can't be read: it is not UTF-8" in ended.err
    Path(".env").unlink()
    Path(".env").mkdir()  # as of a virtual environment
    assert journey("config").code == 0
