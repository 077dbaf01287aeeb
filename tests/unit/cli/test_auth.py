from __future__ import annotations

import json
from typing import Any

import pytest

from tests.databases import by_hand
from tests.unit.cli.commands import Ended, Journey

SECRET = "secret-canary-0123456789"


def shown(journey: Journey, name: str) -> Any:
    return json.loads(journey("auth", "show", name, "--json").out)


def with_basic(journey: Journey, name: str = "loyalty") -> Ended:
    return journey("auth", "set", name, "--kind", "basic", "--set", "username=bot", stdin=SECRET)


def publish(journey: Journey, endpoint: str, users: int) -> None:
    with by_hand(journey.folder / ".journey" / "engine.db") as connection:
        connection.execute(
            "INSERT INTO versions (id, journey, number, hash, source, triggers_on, published_at,"
            " published_by) VALUES (1, 'welcome', 1, '', '', 0, 0, '')"
        )
        connection.execute("INSERT INTO version_endpoints VALUES (?, 1, 'greet')", (endpoint,))
        for user in range(users):
            connection.execute(
                "INSERT INTO enrollments (bucket, id, user_id, journey, key, slot, version_id,"
                " run_id, state, reason, position, started, entered_at, data)"
                " VALUES (0, ?, ?, 'welcome', '', 0, 1, 1, 1, 0, 0, 0, 0, '{}')",
                (user + 1, f"u{user}"),
            )


def test_a_profile_is_made_with_a_piped_secret_and_advice(journey: Journey) -> None:
    ended = with_basic(journey)
    assert (ended.code, ended.out) == (
        0,
        "auth profile loyalty created: kind, username, password\n",
    )
    assert "prefer --kind oauth2" in ended.err
    profile = shown(journey, "loyalty")
    assert profile["settings"]["username"] == "bot"
    assert [secret["field"] for secret in profile["secrets"]] == ["password"]
    assert SECRET not in ended.out + ended.err + str(profile)


def test_a_secret_comes_from_a_variable_or_a_file(journey: Journey) -> None:
    (journey.folder / "token").write_text(SECRET + "\n")
    one = journey("auth", "set", "a", "--kind", "bearer", "--from-file", "token=token")
    two = journey("auth", "set", "b", "--kind", "bearer", "--from-env", "token=T", T=SECRET)
    assert (one.code, two.code) == (0, 0)
    fingerprints = {shown(journey, name)["secrets"][0]["fingerprint"] for name in "ab"}
    assert len(fingerprints) == 1
    assert shown(journey, "a")["secrets"][0]["ends_in"] == SECRET[-4:]


def test_an_api_key_is_asked_for_its_value(journey: Journey) -> None:
    ended = journey(
        "auth", "set", "m", "--kind", "api_key", "--set", "name=X-Api-Key", stdin=SECRET
    )
    assert ended.code == 0
    assert shown(journey, "m")["secrets"][0]["field"] == "X-Api-Key"


def test_a_reference_is_shown_and_nothing_is_sealed(journey: Journey) -> None:
    journey("auth", "set", "a", "--kind", "bearer", "--env", "token=MY_TOKEN")
    profile = shown(journey, "a")
    assert profile["settings"] == {"token": {"env": "MY_TOKEN"}}
    assert profile["secrets"] == []


def test_one_field_is_changed_and_the_others_stay(journey: Journey) -> None:
    with_basic(journey)
    before = shown(journey, "loyalty")["secrets"]
    ended = journey("auth", "set", "loyalty", "--set", "username=bot2", "--title", "Loyalty")
    assert (ended.code, "username" in ended.out) == (0, True)
    after = shown(journey, "loyalty")
    assert after["settings"]["username"] == "bot2"
    assert after["title"] == "Loyalty"
    assert after["secrets"] == before


def test_a_stored_secret_is_not_pointed_at_another_token_server(journey: Journey) -> None:
    arguments = ["--kind", "oauth2", "--set", "client_id=c"]
    there = ["--set", "token_url=https://id.example.com/token"]
    journey("auth", "set", "crm", *arguments, *there, stdin=SECRET)
    ended = journey("auth", "set", "crm", "--set", "token_url=https://evil.example/token")
    assert (ended.code, "token_url demands client_secret again" in ended.err) == (2, True)


@pytest.mark.parametrize("field", ["password", "client_secret"])
def test_a_secret_on_the_command_line_is_refused(journey: Journey, field: str) -> None:
    ended = journey("auth", "set", "x", "--kind", "basic", "--set", f"{field}={SECRET}")
    assert (ended.code, "--from-env" in ended.err) == (2, True)
    assert SECRET not in ended.err


def test_what_is_wrong_with_a_profile_is_told_at_once(journey: Journey) -> None:
    fields = ["--set", "token_url=http://id.example.com/t", "--set", "scoope=x"]
    ended = journey("auth", "set", "x", "--kind", "oauth2", *fields, stdin=SECRET)
    assert ended.code == 2
    for said in ("scoope", "client_id is missing", "token_url"):
        assert said in ended.err


def test_nothing_piped_in_is_no_secret(journey: Journey) -> None:
    ended = journey("auth", "set", "x", "--kind", "bearer", stdin="")
    assert (ended.code, "no value for token" in ended.err) == (2, True)


def test_a_rotated_secret_raises_the_version_and_shows_no_value(journey: Journey) -> None:
    with_basic(journey)
    before = shown(journey, "loyalty")
    ended = journey("auth", "rotate", "loyalty", stdin="another-canary-secret\n")
    assert ended.out == "auth profile loyalty: password rotated (version 2)\n"
    after = shown(journey, "loyalty")
    assert after["secrets"][0]["fingerprint"] != before["secrets"][0]["fingerprint"]
    assert journey("auth", "rotate", "nope", stdin="x").code == 2


def test_the_old_secret_stays_beside_the_new_one_for_an_overlap(journey: Journey) -> None:
    with_basic(journey)
    ended = journey("auth", "rotate", "loyalty", "--overlap", "24h", stdin="another-secret")
    assert ended.out == (
        "auth profile loyalty: password rotated (version 2); the old one is tried for 24h\n"
    )
    slots = [(each["slot"], each["valid_until"]) for each in shown(journey, "loyalty")["secrets"]]
    assert slots[0] == (None, None)
    assert slots[1][0] == "previous"
    assert slots[1][1] > shown(journey, "loyalty")["changed_at"]
    assert "the previous one is tried until" in journey("auth", "list").out


@pytest.mark.parametrize("overlap", ["", "soon", "-1h", "0s", "1mo"])
def test_an_overlap_that_is_no_length_of_time_is_refused(journey: Journey, overlap: str) -> None:
    with_basic(journey)
    ended = journey("auth", "rotate", "loyalty", "--overlap", overlap, stdin="x")
    assert (ended.code, "--overlap takes a length of time" in ended.err) == (2, True)
    assert shown(journey, "loyalty")["version"] == 1


def test_of_a_client_secret_and_a_password_the_one_that_is_meant_must_be_named(
    journey: Journey,
) -> None:
    fields = ["--set", "token_url=https://id.example.com/t", "--set", "client_id=c"]
    fields += ["--set", "grant=password", "--set", "username=bot"]
    secrets = ["--from-env", "client_secret=S", "--from-env", "password=S"]
    journey("auth", "set", "crm", "--kind", "oauth2", *fields, *secrets, S=SECRET)
    ended = journey("auth", "rotate", "crm", stdin="another")
    assert ended.code == 2
    assert "name one with --field (client_secret, password)" in ended.err
    named = journey("auth", "rotate", "crm", "--field", "password", stdin="another")
    assert "password rotated (version 2)" in named.out


def test_a_secret_that_ends_soon_is_told_of_in_the_list_and_by_the_doctor(
    journey: Journey,
) -> None:
    with_basic(journey)
    ended = journey("auth", "rotate", "loyalty", "--expires", "2020-01-31", stdin="another-one")
    assert ended.code == 0
    assert "expired on 2020-01-31" in journey("auth", "list").out
    doctor = journey("doctor")
    assert "loyalty: its secret expired on 2020-01-31" in doctor.out
    assert journey("auth", "rotate", "loyalty", stdin="yet-another").code == 0
    assert "expired" not in journey("auth", "list").out
    wrong = journey("auth", "rotate", "loyalty", "--expires", "soon", stdin="x")
    assert (wrong.code, "--expires must be a date" in wrong.err) == (2, True)


def test_a_renamed_profile_keeps_its_secret_and_its_endpoint(journey: Journey) -> None:
    with_basic(journey)
    journey("endpoints", "set", "api", "--url", "https://a.example", "--auth", "loyalty")
    before = shown(journey, "loyalty")["secrets"]
    assert journey("auth", "rename", "loyalty", "bonus").code == 0
    after = shown(journey, "bonus")
    assert after["secrets"] == before
    assert after["endpoints"] == ["api"]


def test_profiles_are_found_by_name_title_kind_and_host(journey: Journey) -> None:
    with_basic(journey)
    journey("auth", "set", "x", "--kind", "bearer", "--title", "Salesforce", stdin=SECRET)
    journey("endpoints", "set", "api", "--url", "https://host.example", "--auth", "x")
    for text in ("x", "salesf", "BEARER", "host.example"):
        assert json.loads(journey("auth", "list", text, "--json").out)["name"] == "x"
    table = journey("auth", "list").out.splitlines()
    assert [line.split()[0] for line in table] == ["NAME", "loyalty", "x"]
    csv = journey("auth", "list", "--csv").out.splitlines()
    assert csv[0].startswith("name,kind,title")
    assert len(csv) == 3


def test_a_used_profile_is_not_deleted_and_the_usage_is_told(journey: Journey) -> None:
    with_basic(journey)
    journey("endpoints", "set", "api", "--url", "https://a.example", "--auth", "loyalty")
    publish(journey, "api", 3)
    ended = journey("auth", "delete", "loyalty")
    assert ended.code == 2
    assert ended.err.splitlines()[1] == (
        "  endpoint api → journey welcome (version 1, newest) → step greet → 3 users inside now"
    )
    assert journey("auth", "usage", "loyalty").out.splitlines() == [
        ended.err.splitlines()[1].strip()
    ]
    assert shown(journey, "loyalty")["name"] == "loyalty"


def test_force_deletes_a_used_profile_and_its_endpoint_says_so(journey: Journey) -> None:
    with_basic(journey)
    journey("endpoints", "set", "api", "--url", "https://a.example", "--auth", "loyalty")
    assert journey("auth", "delete", "loyalty", "--force").code == 0
    assert "loyalty (deleted)" in journey("endpoints", "list").out
    tried = journey("endpoints", "test", "api")
    assert (tried.code, "credential.missing" in tried.out) == (6, True)


def test_only_an_edit_that_says_so_lets_calls_go_without_a_deleted_profile(
    journey: Journey,
) -> None:
    with_basic(journey)
    journey("endpoints", "set", "api", "--url", "https://a.example", "--auth", "loyalty")
    assert journey("auth", "delete", "loyalty", "--force").code == 0
    assert journey("endpoints", "set", "api", "--title", "A").out.endswith("changed: title\n")
    file = "endpoints:\n  api: {base_url: https://b.example, title: B}\n"
    assert journey("apply", journey.write("e.yaml", file)).code == 0
    assert "loyalty (deleted)" in journey("endpoints", "list").out
    file = file.replace("title: B", "title: B, auth: none")
    assert "auth" in journey("apply", journey.write("e.yaml", file)).out
    assert "(deleted)" not in journey("endpoints", "list").out


def test_an_unused_profile_is_deleted(journey: Journey) -> None:
    with_basic(journey)
    assert journey("auth", "delete", "loyalty").code == 0
    assert journey("auth", "show", "loyalty").code == 2


def test_a_terminal_never_gets_control_characters_of_data(journey: Journey) -> None:
    with by_hand(journey.folder / "x.db"):
        pass
    with_basic(journey)
    with by_hand(journey.folder / ".journey" / "engine.db") as connection:
        connection.execute("UPDATE auth_profiles SET title = '\x1b[31mred' || char(10) || '=1+1'")
    assert "\x1b" not in journey("auth", "list").out
    assert len(journey("auth", "list").out.splitlines()) == 2
