"""``auth test`` and ``endpoints test`` against partners that demand their authentication."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.partners import CRM, AuthorizationServer, running
from tests.unit.cli.commands import Journey


@pytest.fixture
def journey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Journey:
    return Journey(tmp_path, monkeypatch, capsys)


def test_a_profile_and_its_endpoint_are_tried_with_what_is_stored(journey: Journey) -> None:
    with (
        running(AuthorizationServer(secrets={"right-canary"})) as oauth,
        running(CRM(oauth.book)) as crm,
    ):
        fields = ["--set", f"token_url={oauth.token_url}", "--set", "client_id=crm-client"]
        journey("auth", "set", "crm-oauth", "--kind", "oauth2", *fields, stdin="wrong-canary")
        journey("endpoints", "set", "crm", "--url", crm.url, "--auth", "crm-oauth")

        refused = journey("auth", "test", "crm-oauth")
        assert (refused.code, "credential.unavailable" in refused.out) == (6, True)
        assert len(crm.log) == 0

        journey("auth", "rotate", "crm-oauth", stdin="right-canary")
        tried = journey("auth", "test", "crm-oauth", "--path", "/users/u1/score")
        assert tried.code == 0
        assert "gave a token for 3,600 s" in tried.out
        assert "GET /users/u1/score at crm: 200" in tried.out
        assert "with header authorization" in tried.out

        tried = journey("endpoints", "test", "crm", "--path", "/nowhere", "--json")
        assert (tried.code, json.loads(tried.out)["status"]) == (6, 404)
        tried = journey("endpoints", "test", "crm", "--method", "post", "--path", "/tasks")
        assert (tried.code, "201" in tried.out) == (0, True)
        for ended in (refused, tried):
            assert "canary" not in ended.out + ended.err


def test_a_successful_test_ends_the_back_off(journey: Journey) -> None:
    with (
        running(AuthorizationServer(secrets={"s"})) as oauth,
        running(CRM(oauth.book)) as crm,
    ):
        fields = ["--set", f"token_url={oauth.token_url}", "--set", "client_id=crm-client"]
        journey("auth", "set", "o", "--kind", "oauth2", *fields, stdin="s")
        journey("endpoints", "set", "crm", "--url", crm.url, "--auth", "o")
        oauth.change_secrets([])
        call = ("endpoints", "test", "crm", "--path", "/users/u1/score")
        assert "credential.unavailable" in journey(*call).out
        oauth.change_secrets(["s"])
        before = oauth.counts["token.requests"]
        assert journey(*call).code == 6, "backing off"
        assert oauth.counts["token.requests"] == before
        assert journey("auth", "test", "o").code == 0
        assert journey(*call).code == 0


def test_a_test_after_a_rotation_says_that_only_the_old_secret_is_taken(journey: Journey) -> None:
    with running(AuthorizationServer(secrets={"old-canary"})) as oauth:
        fields = ["--set", f"issuer={oauth.url}", "--set", "client_id=crm-client"]
        journey("auth", "set", "o", "--kind", "oauth2", *fields, stdin="old-canary")
        assert journey("auth", "test", "o").code == 0
        journey("auth", "rotate", "o", "--overlap", "1h", stdin="new-canary")
        tried = journey("auth", "test", "o")
        assert (tried.code, "took the previous one" in tried.out) == (6, True)
        oauth.rotate("new-canary")
        assert journey("auth", "test", "o").code == 0


@pytest.mark.parametrize("inline", [False, True])
def test_a_deleted_profiles_tokens_are_revoked(journey: Journey, inline: bool) -> None:
    oauth = AuthorizationServer(secrets={"s"}, users={"bot": "p"})
    with running(oauth), running(CRM(oauth.book)) as crm:
        profile = (
            f"{{kind: oauth2, issuer: '{oauth.url}', client_id: crm-client, grant: password,"
            " username: bot, client_secret: {seal_from_env: S}, password: {seal_from_env: P}}"
        )
        if inline:
            file = f"endpoints: {{crm: {{base_url: '{crm.url}', auth: {profile}}}}}"
        else:
            file = f"auth_profiles: {{o: {profile}}}\n"
            file += f"endpoints: {{crm: {{base_url: '{crm.url}', auth: o}}}}"
        assert journey("apply", journey.write("e.yaml", file), S="s", P="p").code == 0
        assert journey("endpoints", "test", "crm", "--path", "/users/u1/score").code == 0
        what = ("endpoints", "delete", "crm") if inline else ("auth", "delete", "o", "--force")
        ended = journey(*what)
        assert (ended.code, "its access token was revoked" in ended.err) == (0, True)
        assert oauth.counts["revoked.access_token"] == 1
        assert oauth.counts["revoked.refresh_token"] == 1


def test_a_server_that_does_not_revoke_keeps_nothing_from_being_deleted(journey: Journey) -> None:
    with running(AuthorizationServer(secrets={"s"})) as oauth, running(CRM(oauth.book)) as crm:
        fields = ["--set", f"token_url={oauth.token_url}", "--set", "client_id=crm-client"]
        fields += ["--set", f"revocation_url={oauth.revocation_url}"]
        journey("auth", "set", "o", "--kind", "oauth2", *fields, stdin="s")
        journey("endpoints", "set", "crm", "--url", crm.url, "--auth", "o")
        assert journey("endpoints", "test", "crm", "--path", "/users/u1/score").code == 0
        oauth.change(status=503)
        ended = journey("auth", "delete", "o", "--force")
        assert ended.code == 0
        assert "the server answered 503 when told to revoke it" in ended.err
        assert journey("auth", "show", "o").code == 2
