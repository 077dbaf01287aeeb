"""``journey tokens`` and ``journey operators``."""

from __future__ import annotations

import json

import pytest

from engine.access.roles import ROLES
from engine.access.tokens import KINDS, well_formed
from engine.cli import operators, tokens
from tests.unit.cli.commands import Ended, Journey


def created(journey: Journey, *more: str) -> Ended:
    ended = journey("tokens", "create", "shop", "--kind", "user_data", *more)
    assert ended.code == 0, ended.err
    return ended


def listed(journey: Journey, what: str, *more: str) -> list[dict[str, object]]:
    ended = journey(what, "list", "--json", *more)
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


def test_the_choices_of_the_options_are_those_there_are() -> None:
    assert (tokens.KINDS, operators.ROLES) == (KINDS, ROLES)


def test_a_token_stands_alone_on_standard_output_and_nowhere_again(journey: Journey) -> None:
    ended = created(journey)
    token = ended.out.rstrip("\n")
    assert well_formed(token)
    assert ended.err == "this is shown once: keep it now; it has no end\n"
    table = journey("tokens", "list").out
    assert f"jrn_user_data_…{token[-4:]}" in table
    assert token not in table + json.dumps(listed(journey, "tokens")) + journey("audit").out
    for file in (journey.folder / ".journey").iterdir():
        assert token.encode() not in file.read_bytes()


def test_a_token_as_json_says_when_it_ends(journey: Journey) -> None:
    told = json.loads(created(journey, "--expires", "P90D", "--json").out)
    assert well_formed(told["token"])
    (row,) = listed(journey, "tokens")
    assert row["expires_at"] == told["expires_at"] is not None
    assert (row["state"], row["last_used_at"]) == ("live", None)
    rotated = json.loads(journey("tokens", "rotate", "shop", "--overlap", "24h", "--json").out)
    assert rotated["token"] != told["token"]
    (row,) = listed(journey, "tokens")
    assert row["previous_until"] == rotated["previous_until"] is not None


def test_a_revoked_token_is_listed_among_all(journey: Journey) -> None:
    created(journey)
    journey("tokens", "rotate", "shop", "--overlap", "24h")
    assert "previous one is revoked" in journey("tokens", "revoke", "shop", "--previous").out
    assert journey("tokens", "revoke", "shop").out == "API token shop: revoked\n"
    assert listed(journey, "tokens") == []
    assert [row["state"] for row in listed(journey, "tokens", "--all")] == ["revoked"]
    ended = journey("tokens", "revoke", "shop")
    assert ended.code == 2
    assert ended.err.endswith("there is no live API token shop; `journey tokens list` shows them\n")


def test_a_sixth_token_is_refused(journey: Journey) -> None:
    for number in range(5):
        assert journey("tokens", "create", f"t{number}", "--kind", "user_data").code == 0
    ended = journey("tokens", "create", "t5", "--kind", "user_data")
    assert (ended.code, ended.out) == (2, "")
    assert "5 API tokens of kind user_data are live" in ended.err


@pytest.mark.parametrize("length", ["", "x", "P0D", "P1M", "-1d"])
def test_an_option_that_is_no_length_of_time_is_refused(journey: Journey, length: str) -> None:
    ended = journey("tokens", "create", "t", "--kind", "admin", "--expires", length)
    assert ended.code == 2
    assert "--expires takes a length of time, as in 24h or P90D" in ended.err


def test_an_operator_comes_in_by_a_link_that_is_printed_once(journey: Journey) -> None:
    ended = journey("operators", "add", "Ada", "--role", "admin", "--url", "https://j.example.com/")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("https://j.example.com/login/")
    assert ended.err.startswith("ada logs in by it once, until 20")
    again = json.loads(journey("operators", "login-link", "ada", "--json").out)
    assert again["url"].startswith("http://127.0.0.1:8420/login/")
    assert again["url"].rpartition("/")[2] != ended.out.strip().rpartition("/")[2]
    (row,) = listed(journey, "operators")
    assert (row["name"], row["role"], row["password"]) == ("ada", "admin", False)


def test_an_operator_is_given_a_role_logged_out_and_removed(journey: Journey) -> None:
    journey("operators", "add", "ada", "--role", "admin")
    journey("operators", "add", "bob", "--role", "viewer")
    assert journey("operators", "role", "bob", "builder").out == "operator bob is builder\n"
    assert journey("operators", "logout", "bob").out == "operator bob: 0 sessions ended\n"
    assert journey("operators", "remove", "bob").out == "operator bob removed\n"
    ended = journey("operators", "remove", "ada")
    assert ended.code == 2
    assert "ada is the last admin; give another operator that role first" in ended.err
