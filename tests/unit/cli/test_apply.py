from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import certifi
import pytest

from tests.databases import by_hand
from tests.unit.cli.commands import Journey

FILE = """
auth_profiles:
  crm-oauth:
    kind: oauth2
    token_url: https://id.example.com/oauth/token
    client_id: crm-client
    client_secret: {seal_from_env: CRM_SECRET}
  loyalty-basic: {kind: basic, username: bot, password: {env: LOYALTY_PASSWORD}}
endpoints:
  crm: {base_url: https://crm.example.com/v2, auth: crm-oauth}
  loyalty: {base_url: https://loyalty.example.com, auth: loyalty-basic}
  own: {base_url: https://own.example.com, auth: {kind: bearer, token: {seal_from_env: TOKEN}}}
  ping: {base_url: https://hooks.example.com}
"""
SECRETS = {"CRM_SECRET": "crm-secret-canary-1", "TOKEN": "token-canary-abcdefgh"}


def rows(folder: Path, query: str) -> list[Any]:
    with by_hand(folder / ".journey" / "engine.db") as connection:
        return connection.execute(query).fetchall()


def test_a_file_is_applied_once_and_then_changes_nothing(journey: Journey) -> None:
    file = journey.write("endpoints.yaml", FILE)
    first = journey("apply", file, **SECRETS)
    assert (first.code, "7 created" in first.err) == (0, True)
    before = rows(journey.folder, "SELECT name, version FROM auth_profiles")
    again = journey("apply", file, **SECRETS)
    assert (again.code, again.out) == (0, "")
    assert "7 unchanged" in again.err
    assert rows(journey.folder, "SELECT name, version FROM auth_profiles") == before


def test_every_secret_that_has_no_value_yet_is_told_at_once(journey: Journey) -> None:
    file = journey.write("endpoints.yaml", FILE)
    ended = journey("apply", file)
    assert (ended.code, ended.err.count("error")) == (2, 1)
    assert "crm-oauth: client_secret: the variable CRM_SECRET isn't set" in ended.err
    assert "own: token: the variable TOKEN isn't set and nothing is stored yet" in ended.err
    assert rows(journey.folder, "SELECT count(*) FROM auth_profiles") == [(0,)]


def test_profiles_are_bound_to_the_hosts_of_the_files_endpoints(journey: Journey) -> None:
    journey("apply", journey.write("e.yaml", FILE), **SECRETS)
    origins = dict(rows(journey.folder, "SELECT name, origins FROM auth_profiles"))
    assert origins["crm-oauth"] == '["https://crm.example.com:443"]'
    assert origins["own"] == '["https://own.example.com:443"]'


def test_nothing_that_is_printed_or_stored_holds_a_secret(journey: Journey) -> None:
    file = journey.write("e.yaml", FILE)
    ended = [
        journey("apply", file, **SECRETS),
        journey("auth", "show", "crm-oauth"),
        journey("auth", "list", "--json"),
        journey("auth", "show", "own", "--json"),
    ]
    stored = b"".join(path.read_bytes() for path in (journey.folder / ".journey").iterdir())
    for secret in SECRETS.values():
        assert all(secret not in each.out + each.err for each in ended)
        assert secret.encode() not in stored


def test_a_dry_run_writes_nothing(journey: Journey) -> None:
    file = journey.write("e.yaml", FILE)
    ended = journey("apply", "--dry-run", file, **SECRETS)
    assert (ended.code, "crm-oauth created" in ended.out) == (0, True)
    assert journey.files == {"e.yaml"}
    journey("apply", file, **SECRETS)
    before = rows(journey.folder, "SELECT * FROM endpoints")
    audit = rows(journey.folder, "SELECT count(*) FROM audit")
    changed = journey.write("e.yaml", FILE.replace("/v2", "/v3"))
    ended = journey("apply", "--dry-run", changed, **SECRETS)
    assert "endpoint crm changed: base_url" in ended.out
    assert rows(journey.folder, "SELECT * FROM endpoints") == before
    assert rows(journey.folder, "SELECT count(*) FROM audit") == audit


def test_a_rotated_secret_survives_the_old_file(journey: Journey) -> None:
    file = journey.write("e.yaml", FILE)
    journey("apply", file, **SECRETS)
    assert journey("auth", "rotate", "crm-oauth", "--from-env", "NEW", NEW="rotated-1").code == 0
    fingerprint = "SELECT fingerprint FROM auth_secrets WHERE field = 'client_secret'"
    rotated = rows(journey.folder, fingerprint)
    again = journey("apply", file, **SECRETS)
    assert "client_secret: kept, rotated" in again.out
    assert rows(journey.folder, fingerprint) == rotated
    unset = journey("apply", file)
    assert unset.code == 0
    assert rows(journey.folder, fingerprint) == rotated
    taken = journey("apply", "--take-secrets", file, **SECRETS)
    assert "crm-oauth changed: client_secret" in taken.out
    assert rows(journey.folder, fingerprint) != rotated


def test_a_variable_that_is_not_set_stops_the_first_apply_as_a_whole(journey: Journey) -> None:
    ended = journey("apply", journey.write("e.yaml", FILE), TOKEN="t-canary-abcdefgh")
    assert ended.code == 2
    assert "CRM_SECRET" in ended.err
    assert rows(journey.folder, "SELECT count(*) FROM endpoints") == [(0,)]
    assert rows(journey.folder, "SELECT count(*) FROM auth_profiles") == [(0,)]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("  x: {kind: basic, username: bot, password: hunter2-canary}", 45),
        ("  x: {kind: bearer, token: tok-canary-123456}", 28),
        ("  x: {kind: api_key, pairs: [{name: X-Api-Key, value: key-canary}]}", 55),
        ("  x: {kind: bearer, token: 12345678}", 28),
        ("  x: {kind: api_key, pairs: [{name: t, value: {env: X}}, {name: token, value: k}]}", 79),
    ],
)
def test_a_literal_secret_is_refused_with_its_place_and_the_ways(
    journey: Journey, line: str, column: int
) -> None:
    ended = journey("apply", journey.write("e.yaml", f"auth_profiles:\n{line}\n"))
    assert ended.code == 3
    assert f"e.yaml:2:{column}: " in ended.err
    assert "seal_from_env" in ended.err
    assert "canary" not in ended.err
    assert "12345678" not in ended.err
    assert journey.files == {"e.yaml"}


def test_every_problem_of_a_file_is_told_at_once(journey: Journey) -> None:
    text = """
auth_profiles:
  none: {kind: bearer, token: {env: T}}
  own: {kind: bearer, token: {env: T}}
  b: {kind: bearr}
  c: {kind: bearer, tokn: {env: T}}
endpoints:
  crm: {base_url: https://x.example, tiemout: 5s}
  loyalty: {base_url: https://u:p@x.example}
  own: {base_url: https://x.example, auth: {kind: bearer, token: {env: T}}}
  messenger: {auth: b}
  text: here
  late: {base_url: https://x.example, network: {client_certificate: x}}
contact_policy: {quiet: 22}
endpoint: {}
"""
    ended = journey("apply", journey.write("e.yaml", text))
    assert ended.code == 3
    for place, said in {
        "3:": "no authentication",
        "5:": "is none of",
        "6:": "did you mean token?",
        "8:": "did you mean `timeout`?",
        "9:": "auth profile of kind basic",
        "10:": "an auth profile is called `own`",
        "11:": "`base_url` is missing",
        "12:": "must be a mapping",
        "13:": "a secret may not stand in a file",
        "14:": "unknown key `quiet`",
        "15:": "did you mean `endpoints`?",
    }.items():
        assert f"e.yaml:{place}" in ended.err
        assert said in ended.err
    assert "Traceback" not in ended.err


def test_a_file_that_is_a_list_is_told_every_section_there_is(journey: Journey) -> None:
    ended = journey("apply", journey.write("e.yaml", "- crm\n"))
    assert ended.code == 3
    assert "must be a mapping" in ended.err
    assert "one of attributes, auth_profiles, contact_policy, endpoints, events" in ended.err


def test_a_profile_that_leads_nowhere_is_named_with_its_place(journey: Journey) -> None:
    text = FILE.replace("auth: crm-oauth", "auth: crm-oath")
    ended = journey("apply", journey.write("e.yaml", text), **SECRETS)
    assert ended.code == 3
    assert "there is no auth profile `crm-oath`" in ended.err
    assert "did you mean `crm-oauth`?" in ended.err
    assert rows(journey.folder, "SELECT count(*) FROM auth_profiles") == [(0,)]


def test_a_file_may_name_a_profile_of_the_database(journey: Journey) -> None:
    journey("apply", journey.write("e.yaml", FILE), **SECRETS)
    text = "endpoints: {other: {base_url: 'https://other.example', auth: crm-oauth}}"
    ended = journey("apply", journey.write("f.yaml", text))
    assert "auth profile crm-oauth changed: origins" in ended.out
    origins = dict(rows(journey.folder, "SELECT name, origins FROM auth_profiles"))
    assert "https://other.example:443" in str(origins["crm-oauth"])


def test_another_endpoints_own_profile_cannot_be_named(journey: Journey) -> None:
    journey("apply", journey.write("e.yaml", FILE), **SECRETS)
    text = "endpoints: {other: {base_url: 'https://other.example', auth: own}}"
    ended = journey("apply", journey.write("f.yaml", text))
    assert (ended.code, "belongs to the endpoint" in ended.err) == (3, True)


def test_naming_a_profile_takes_the_place_of_an_endpoints_own_and_says_so(
    journey: Journey,
) -> None:
    journey("apply", journey.write("e.yaml", FILE), **SECRETS)
    text = "endpoints: {own: {base_url: 'https://own.example.com', auth: crm-oauth}}"
    ended = journey("apply", journey.write("f.yaml", text))
    assert "crm-oauth takes the place of its own" in ended.out
    assert journey("endpoints", "delete", "own").code == 0
    assert rows(journey.folder, "SELECT name FROM auth_profiles WHERE inline") == []


def test_an_endpoints_own_profile_that_is_renamed_is_one_like_any_other(journey: Journey) -> None:
    journey("apply", journey.write("e.yaml", FILE), **SECRETS)
    assert journey("auth", "rename", "own", "shared").code == 0
    text = "endpoints: {other: {base_url: 'https://other.example', auth: shared}}"
    assert journey("apply", journey.write("f.yaml", text)).code == 0
    assert journey("endpoints", "delete", "own").code == 0
    assert json.loads(journey("auth", "show", "shared", "--json").out)["endpoints"] == ["other"]


def certificate() -> str:
    """A public root, as PEM."""
    end = "-----END CERTIFICATE-----\n"
    return Path(certifi.where()).read_text("utf-8").split(end)[0] + end


MOVED = FILE.replace("crm.example.com", "evil.example")
CA = (
    "endpoints: {crm: {base_url: 'https://crm.example.com/v2', auth: crm-oauth, network: {ca: %s}}}"
)


def test_an_endpoint_that_moves_demands_the_secret_in_the_same_file(journey: Journey) -> None:
    journey("apply", journey.write("e.yaml", FILE), **SECRETS)
    alone = "endpoints: {crm: {base_url: 'https://evil.example', auth: crm-oauth}}"
    with_its_profile = journey.write("moved.yaml", MOVED)
    for file, variables in (
        (journey.write("alone.yaml", alone), SECRETS),
        (with_its_profile, {"TOKEN": SECRETS["TOKEN"]}),
        (journey.write("ca.yaml", CA % json.dumps(certificate())), SECRETS),
    ):
        refused = journey("apply", file, **variables)
        assert (refused.code, refused.err.count("\n")) == (2, 1), refused.err
        assert "demands client_secret of auth profile crm-oauth again" in refused.err
    origins = dict(rows(journey.folder, "SELECT name, origins FROM auth_profiles"))
    assert origins["crm-oauth"] == '["https://crm.example.com:443"]', "nothing of it was applied"
    assert journey("apply", with_its_profile, **SECRETS).code == 0
    back = journey("apply", "e.yaml", TOKEN=SECRETS["TOKEN"])
    assert back.code == 0, "it may be sent there since it was"


def test_an_endpoint_whose_profile_holds_references_moves_freely(journey: Journey) -> None:
    journey("apply", journey.write("e.yaml", FILE), **SECRETS)
    moved = FILE.replace("loyalty.example.com", "elsewhere.example")
    assert journey("apply", journey.write("moved.yaml", moved), **SECRETS).code == 0


def test_who_moves_an_endpoint_settles_a_rotation_first(journey: Journey) -> None:
    journey("apply", journey.write("e.yaml", FILE), **SECRETS)
    journey("auth", "rotate", "crm-oauth", "--overlap", "1h", stdin="another-secret-9")
    secrets = SECRETS | {"CRM_SECRET": "another-secret-9"}
    refused = journey("apply", journey.write("moved.yaml", MOVED), **secrets)
    assert (refused.code, "journey auth settle crm-oauth" in refused.err) == (2, True)
    settled = journey("auth", "settle", "crm-oauth")
    assert settled.out == "auth profile crm-oauth settled: client_secret\n"
    assert journey("auth", "settle", "crm-oauth").out == "auth profile crm-oauth unchanged\n"
    assert journey("apply", "moved.yaml", **secrets).code == 0


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"\x00\x01\xff", b"endpoints: [", b"endpoints: {a: 1}", b"a: " + b"[" * 20_000],
)
def test_a_file_that_cannot_be_read_is_told_in_words(journey: Journey, content: bytes) -> None:
    (journey.folder / "e.yaml").write_bytes(content)
    ended = journey("apply", "e.yaml")
    assert ended.code == 3
    assert ended.err.startswith("e.yaml:")
    assert "Traceback" not in ended.err
    assert journey.files == {"e.yaml"}


def test_a_file_that_is_not_there_is_a_slip_of_the_command(journey: Journey) -> None:
    ended = journey("apply", "nope.yaml")
    assert (ended.code, ended.err.count("\n")) == (2, 1)


def test_a_host_that_egress_refuses_is_told_at_once(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNEY_EGRESS_ALLOW")
    file = journey.write("e.yaml", "endpoints: {here: {base_url: 'http://127.0.0.1:1'}}")
    ended = journey("apply", file)
    assert (ended.code, "JOURNEY_EGRESS_ALLOW=127.0.0.0/8,[::1]" in ended.out) == (0, True)


def test_changes_come_as_json_lines(journey: Journey) -> None:
    ended = journey("apply", "--json", journey.write("e.yaml", FILE), **SECRETS)
    changes = [json.loads(line) for line in ended.out.splitlines()]
    assert {(each["kind"], each["verb"]) for each in changes} == {
        ("auth profile", "created"),
        ("endpoint", "created"),
    }


CATALOGUE = """
attributes: {tier: text, points: number}
events:
  order_placed: {cart_id: text, total: number}
  login: {}
"""


def test_a_catalogue_is_declared_once_and_then_changes_nothing(journey: Journey) -> None:
    file = journey.write("endpoints.yaml", CATALOGUE)
    first = journey("apply", file)
    assert (first.code, first.out.splitlines()) == (
        0,
        [
            "attribute tier created",
            "attribute points created",
            "event order_placed created",
            "event login created",
        ],
    )
    again = journey("apply", file)
    assert (again.out, "4 unchanged" in again.err) == ("", True)
    audit = rows(journey.folder, "SELECT verb, kind, name, fields FROM audit WHERE kind <> 'key'")
    assert audit == [
        ("create", "attribute", "tier", "type"),
        ("create", "attribute", "points", "type"),
        ("create", "event", "order_placed", "cart_id, total"),
        ("create", "event", "login", ""),
    ]


def test_what_changes_in_a_catalogue_is_named_and_the_rest_stays(journey: Journey) -> None:
    journey("apply", journey.write("first.yaml", CATALOGUE))
    second = "attributes: {points: text}\nevents: {order_placed: {total: number, currency: text}}\n"
    dry = journey("apply", "--dry-run", journey.write("second.yaml", second))
    changed = journey("apply", "second.yaml")
    assert changed.out == dry.out
    assert changed.out.splitlines() == [
        "attribute points changed: type",
        "event order_placed changed: cart_id, currency",
    ]
    assert rows(journey.folder, "SELECT name, type FROM attributes ORDER BY name") == [
        ("points", "text"),
        ("tier", "text"),
    ]


def test_a_catalogue_that_is_wrong_declares_nothing(journey: Journey) -> None:
    file = journey.write("endpoints.yaml", CATALOGUE.replace("number}", "numbr}", 1))
    refused = journey("apply", file)
    assert refused.code == 3
    assert "endpoints.yaml:2:34" in refused.err
    assert not (journey.folder / ".journey" / "engine.db").exists()


def test_what_is_declared_is_listed_and_deleted(journey: Journey) -> None:
    file = journey.write("endpoints.yaml", "attributes: {tier: text}\nevents: {left: {by: text}}\n")
    assert journey("apply", file).code == 0
    listed = [json.loads(line) for line in journey("catalogue", "list", "--json").out.splitlines()]
    assert listed == [
        {"kind": "attribute", "name": "tier", "type": "text"},
        {"kind": "event", "name": "left", "properties": {"by": "text"}},
    ]
    assert journey("catalogue", "delete", "event", "left").out == "event left deleted\n"
    assert journey("catalogue", "delete", "event", "left").code == 2
    assert rows(journey.folder, "SELECT name FROM event_types") == []
    assert ("delete", "event", "left") in rows(journey.folder, "SELECT verb, kind, name FROM audit")
