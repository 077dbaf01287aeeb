"""``journey keys``: what each command says and does."""

from __future__ import annotations

import json

from engine.db.schema import open_database
from tests.databases import by_hand
from tests.unit.cli.commands import Ended, Journey

APPLY = """\
auth_profiles:
  crm: {kind: bearer, token: {seal_from_env: TOKEN}}
endpoints:
  crm: {base_url: "https://crm.example.com", auth: crm}
"""
TOKEN = "a-token-of-some-length"


def status(journey: Journey, code: int = 0) -> list[dict[str, object]]:
    said = journey("keys", "status", "--json")
    assert said.code == code, said.err
    return [json.loads(line) for line in said.out.splitlines()]


def apply(journey: Journey) -> Ended:
    return journey("apply", journey.write("apply.yaml", APPLY), TOKEN=TOKEN)


def test_init_makes_keys_once(journey: Journey) -> None:
    made = journey("keys", "init")
    assert (made.code, "made the data keys" in made.out) == (0, True)
    assert "keep a copy" in made.err
    kek = (journey.folder / ".journey" / "kek").read_text()
    again = journey("keys", "init")
    assert (again.code, "the keys are there" in again.out, again.err) == (0, True, "")
    assert (journey.folder / ".journey" / "kek").read_text() == kek
    assert kek.strip() not in made.out + made.err


def test_without_keys_only_init_makes_some(journey: Journey) -> None:
    open_database(str(journey.folder / ".journey" / "engine.db")).close()
    for command in ("status", "rotate", "retire"):
        said = journey("keys", command)
        assert (said.code, "journey keys init" in said.err) == (2, True)
    assert not (journey.folder / ".journey" / "kek").exists()


def test_a_rotation_is_told_and_its_old_key_retired(journey: Journey) -> None:
    apply(journey)
    (before,) = status(journey)
    assert (before["state"], before["values"], before["opens"]) == ("active", 1, True)
    rotated = journey("keys", "rotate")
    assert "1 value sealed anew" in rotated.out
    old, new = sorted(status(journey), key=lambda key: key["id"] != before["id"])
    assert (old["state"], old["values"]) == ("decrypt_only", 0)
    assert (new["state"], new["values"]) == ("active", 1)
    assert str(old["id"]) in journey("keys", "retire").out
    assert journey("keys", "retire").out == ""
    refused = journey("keys", "retire", str(new["id"]))
    assert (refused.code, "journey keys rotate" in refused.err) == (2, True)
    assert journey("auth", "test", "crm").code == 0


def test_a_secret_that_does_not_open_is_named(journey: Journey) -> None:

    apply(journey)
    with by_hand(journey.folder / ".journey" / "engine.db") as connection:
        connection.execute("UPDATE auth_secrets SET sealed = 'v1.0badcafe.AAAA'")
    assert status(journey, 6)[0]["values"] == 0
    rotated = journey("keys", "rotate")
    assert (rotated.code, "crm.token doesn't open: set it again" in rotated.err) == (6, True)
    assert journey("auth", "rotate", "crm", "--from-env", "TOKEN", TOKEN="another-token").code == 0
    assert status(journey)[0]["opens"]


def test_another_kek_by_file_and_by_variable(journey: Journey) -> None:
    apply(journey)
    file = journey.folder / ".journey" / "kek"
    before = file.read_text()
    replaced = journey("keys", "rotate", "--kek")
    assert (replaced.code, "2 data keys are wrapped under" in replaced.out) == (0, True)
    assert "backups of the database need the former one" in replaced.err
    assert file.read_text() != before
    assert journey("auth", "test", "crm").code == 0

    new = "cd" * 32
    given = journey("keys", "rotate", "--kek", JOURNEY_KEK_NEW=new)
    assert (given.code, "set JOURNEY_KEK to it" in given.err) == (0, True)
    assert new not in given.out + given.err
    assert journey("auth", "test", "crm", JOURNEY_KEK=new).code == 0
    wrong = journey("auth", "test", "crm")
    assert (wrong.code, wrong.out, wrong.err.count("\n")) == (78, "", 1)
    assert "JOURNEY_KEK" in wrong.err
    none = journey("keys", "rotate", "--kek", JOURNEY_KEK=new)
    assert (none.code, "JOURNEY_KEK_NEW" in none.err) == (2, True)


def test_a_missing_kek_stops_every_command_that_needs_it_and_makes_none(journey: Journey) -> None:
    apply(journey)
    (journey.folder / ".journey" / "kek").unlink()
    for command in (["status"], ["rotate"], ["rotate", "--kek"], ["retire"], ["init"]):
        said = journey("keys", *command)
        assert (said.code, said.out, said.err.count("\n")) == (78, "", 1), command
        assert "put the key file back" in said.err
    assert not (journey.folder / ".journey" / "kek").exists()
