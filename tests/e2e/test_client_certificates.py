"""Client certificates and authorities of endpoints and token servers, against real TLS servers."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.contract.test_transport_tls import AUTHORITY, DAY, STRANGER
from tests.e2e.canaries import files, leaks
from tests.e2e.in_process import InProcess
from tests.partners import Answers, AuthorizationServer, running

JOURNEY = """\
dsl: 1
journey: paying
steps:
  - {id: pay, type: call_api, endpoint: bank, path: /pay, body: {n: 1}, retry: {attempts: 1}}
"""
CA = f"ca: {json.dumps(AUTHORITY.pem)}\n"


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A server that talks only to clients whom our authority knows."""
    (tmp_path / "server.pem").write_text(AUTHORITY.leaf("localhost"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(cadata=AUTHORITY.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture
def here(tmp_path: Path) -> InProcess:
    """An installation with a journey and a folder for secret files."""
    (tmp_path / "mounted").mkdir()
    found = InProcess(tmp_path, {"JOURNEY_SECRET_DIRS": str(tmp_path / "mounted")})
    found.write("journey.yaml", JOURNEY)
    return found


@pytest.fixture
def bank(tls: ssl.SSLContext) -> Iterator[Answers]:
    with running(Answers(record=True), tls=tls) as partner:
        yield partner


def keys_of(pem: str) -> list[str]:
    """What of a certificate's text must be seen nowhere: each line of its private key."""
    return pem.partition("PRIVATE KEY-----\n")[2].split("\n-")[0].splitlines()


def pay(here: InProcess, user: str) -> str | None:
    """One user's call: the code it failed with, None if it didn't."""
    done = here.call("run-journey", "journey.yaml", "--user", user, "--live", "--json")
    (step,) = [line for line in done.lines if line["type"] == "step"]
    failure: str | None = step["failure"]
    return failure


def test_an_endpoints_certificate_is_sealed_shown_rotated_and_never_printed(
    here: InProcess, bank: Answers
) -> None:
    first, second = AUTHORITY.leaf("client-a"), AUTHORITY.leaf("client-b")
    here.write(
        "apply.yaml",
        f"endpoints:\n  bank:\n    base_url: {bank.url}\n    network:\n"
        f"      client_certificate: {{seal_from_env: CERTIFICATE}}\n      {CA}",
    )
    applied = here.call("journey", "apply", "apply.yaml", environment={"CERTIFICATE": first})
    assert applied.code == 0, applied.err
    again = here.call("journey", "apply", "apply.yaml", environment={"CERTIFICATE": first})
    assert "0 created, 0 changed, 2 unchanged" in again.err
    assert pay(here, "u1") is None
    assert bank.counts["shown.client-a"] == 1
    rotate = ("journey", "auth", "rotate", "bank", "--from-env", "NEW")
    here.call(*rotate, environment={"NEW": second})
    assert pay(here, "u2") is None
    assert bank.counts["shown.client-b"] == 1
    assert (
        "don't belong together"
        in here.call(
            *rotate,
            environment={
                "NEW": first.split("-----BEGIN PRI")[0] + second[second.index("-----BEGIN PRI") :]
            },
        ).err
    )
    shown = [
        here.call("journey", *command)
        for command in (
            ("auth", "show", "bank", "--json"),
            ("auth", "list", "--json"),
            ("endpoints", "show", "bank", "--json"),
            ("audit", "--json"),
            ("doctor", "--leaks"),
            ("why", "u1", "paying"),
        )
    ]
    assert all(done.code == 0 for done in shown), [done.err for done in shown]
    surfaces = [("outputs", done.out.encode() + done.err.encode()) for done in shown]
    secrets = [*keys_of(first), *keys_of(second)]
    assert len(secrets) >= 4
    assert not list(leaks(secrets, [*surfaces, *files(here.folder / "home")]))


def test_without_the_certificate_or_with_a_strangers_no_request_is_made(
    here: InProcess, bank: Answers
) -> None:
    (here.folder / "mounted" / "bank.pem").write_text(STRANGER.leaf("mallory"))
    here.write(
        "apply.yaml",
        f"auth_profiles:\n  bank: {{kind: bearer, token: {{env: TOKEN}},"
        f" client_certificate: {{file: bank.pem}}}}\n"
        f"endpoints:\n  bank:\n    base_url: {bank.url}\n    auth: bank\n    network:\n"
        f"      {CA}",
    )
    here.environment["TOKEN"] = "a-token-to-keep"
    assert here.call("journey", "apply", "apply.yaml").code == 0
    assert pay(here, "u1") == "call.unreachable"
    (here.folder / "mounted" / "bank.pem").unlink()
    assert pay(here, "u2") == "credential.missing"
    assert bank.log == []
    (here.folder / "mounted" / "bank.pem").write_text(AUTHORITY.leaf("client-a"))
    assert pay(here, "u3") is None
    assert [each.header("authorization") for each in bank.log] == ["Bearer a-token-to-keep"]


def test_a_token_server_knows_its_client_by_the_certificate_alone(
    here: InProcess, bank: Answers, tls: ssl.SSLContext
) -> None:
    oauth = AuthorizationServer(client_auth=("none",))
    (here.folder / "mounted" / "bank.pem").write_text(AUTHORITY.leaf("client-a"))
    with running(oauth, tls=tls):
        here.write(
            "apply.yaml",
            "auth_profiles:\n  bank:\n    kind: oauth2\n"
            f"    token_url: {oauth.url}/oauth/token\n    client_id: crm-client\n"
            "    client_auth: mtls\n    client_certificate: {file: bank.pem}\n"
            f"    {CA}"
            f"endpoints:\n  bank:\n    base_url: {bank.url}\n    auth: bank\n    network:\n"
            f"      {CA}",
        )
        assert here.call("journey", "apply", "apply.yaml").code == 0
        assert pay(here, "u1") is None
    assert oauth.counts["token.issued"] == 1
    assert oauth.counts["shown.client-a"] >= 1
    assert bank.counts["shown.client-a"] == 1
    assert (bank.log[0].header("authorization") or "").startswith("Bearer ")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("auth: other, network: {client_certificate: {file: x}}", "stands in that auth profile"),
        ("network: {client_certificate: text}", "a secret may not stand in a file"),
        ("network: {ca: text}", "holds no certificate in PEM"),
        ("auth: {kind: bearer, token: {env: A}, client_certificate: x}", "may not stand in a file"),
    ],
)
def test_what_is_written_wrongly_is_said(here: InProcess, written: str, said: str) -> None:
    here.write("apply.yaml", f"endpoints:\n  bank: {{base_url: 'https://a.example', {written}}}\n")
    done = here.call("journey", "apply", "apply.yaml")
    assert (done.code, said in done.err) == (3, True), done.err


@pytest.mark.parametrize(
    ("way", "days", "word"), [("sealed", 10, "expires in"), ("file", -3, "expired on")]
)
def test_the_end_of_a_certificate_is_told_in_time(
    here: InProcess, way: str, days: int, word: str
) -> None:
    pem = AUTHORITY.leaf("client-a", timedelta(-20), days * DAY)
    (here.folder / "mounted" / "bank.pem").write_text(pem)
    option = "--from-env" if way == "sealed" else "--file"
    given = "client_certificate=" + ("PEM" if way == "sealed" else "bank.pem")
    made = here.call(
        *("journey", "auth", "set", "bank", "--kind", "none", option, given),
        environment={"PEM": pem},
    )
    assert made.code == 0, made.err
    told = here.call("journey", "doctor").out
    assert f"client_certificate {word}" in told or f"client certificate {word}" in told, told
    assert f"client certificate {word}" in here.call("journey", "auth", "list").out
    assert f"client certificate {word}" in here.call("journey", "auth", "show", "bank").out
