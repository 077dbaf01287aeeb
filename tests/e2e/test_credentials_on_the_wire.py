"""Each kind of auth profile puts on the wire what its RFC says, byte for byte."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode

from tests.e2e.installation import Installation
from tests.partners import CRM, Answers, AuthorizationServer, Request, running

CLIENT = "cl/i+e=n%t: é"
RAW_CLIENT = "cl/i+e=n%t é"  # a colon ends it, where nothing is encoded
SECRET = "s/e+c=r%e:t ü€"
PASSWORD = "pä:ss wörd€"
VARIABLES = {
    "SECRET": SECRET,
    "PASSWORD": PASSWORD,
    "TOKEN": "t0k/en+with=chars",
    "KEY": "k/e+y=%: value",
}

APPLY = """\
auth_profiles:
  oauth_basic: {{{oauth}, token_url: "{basic}"}}
  oauth_raw: {{{raw_oauth}, token_url: "{raw}", basic_encoding: raw}}
  oauth_post: {{{oauth}, token_url: "{post}", client_auth: post, scope: "a b"}}
  oauth_password:
    {{{oauth}, token_url: "{password}", grant: password,
     username: "ü ser", password: {{seal_from_env: PASSWORD}}}}
  user: {{kind: basic, username: bo€t, password: {{seal_from_env: PASSWORD}}}}
  token: {{kind: bearer, token: {{seal_from_env: TOKEN}}, prefix: Token}}
  bare: {{kind: bearer, token: {{seal_from_env: TOKEN}}, prefix: ""}}
  header:
    kind: api_key
    pairs:
      - {{name: X-Api-Key, value: {{seal_from_env: KEY}}, prefix: Key}}
      - {{name: X-Tenant, value: acme}}
  query: {{kind: api_key, pairs: [{{name: api_key, in: query, value: {{seal_from_env: KEY}}}}]}}
  body: {{kind: api_key, pairs: [{{name: api_key, in: body, value: {{seal_from_env: KEY}}}}]}}
  several:
    kind: api_key
    pairs:
      - {{name: X-One, value: {{seal_from_env: KEY}}}}
      - {{name: two, in: query, value: {{seal_from_env: TOKEN}}}}
      - {{name: three, in: body, value: {{seal_from_env: SECRET}}}}
endpoints:
"""
WRITTEN = f'kind: oauth2, client_id: "{CLIENT}", client_secret: {{seal_from_env: SECRET}}'
PLAIN = ("user", "token", "bare", "header", "query", "body", "several")
OAUTH = ("oauth_basic", "oauth_raw", "oauth_post", "oauth_password")


def basic(pair: str) -> str:
    return f"Basic {b64encode(pair.encode()).decode()}"


def servers_by_grant() -> dict[str, AuthorizationServer]:
    """One per OAuth profile, each strict about how the client authenticates."""
    client_auth = {"oauth_raw": "raw_basic", "oauth_post": "post"}
    return {
        name: AuthorizationServer(
            client=RAW_CLIENT if name == "oauth_raw" else CLIENT,
            secrets={SECRET},
            users={"ü ser": PASSWORD},
            client_auth={client_auth.get(name, "basic")},
            life=1.5 if name == "oauth_password" else 3600,
        )
        for name in OAUTH
    }


def test_every_kind_puts_its_credential_on_the_wire_as_its_rfc_says(tmp_path: Path) -> None:
    with ExitStack() as stack:
        oauth = {n: stack.enter_context(running(s)) for n, s in servers_by_grant().items()}
        crms = {n: stack.enter_context(running(CRM(oauth[n].book))) for n in OAUTH}
        api = stack.enter_context(running(Answers()))
        here = Installation(tmp_path, dict(VARIABLES))
        urls = {name: crms[name].url for name in OAUTH} | dict.fromkeys(PLAIN, api.url)
        tokens = {n.removeprefix("oauth_"): server.token_url for n, server in oauth.items()}
        endpoints = [f"  {n}: {{base_url: '{url}/v1', auth: {n}}}\n" for n, url in urls.items()]
        here.write(
            "apply.yaml",
            APPLY.format(oauth=WRITTEN, raw_oauth=WRITTEN.replace(CLIENT, RAW_CLIENT), **tokens)
            + "".join(endpoints),
        )
        here.run("journey", "apply", "apply.yaml")
        call = (
            "  - {{id: {id}, type: call_api, endpoint: {name}, path: '{path}',"
            " query: {{q: 1}}, body: {{n: 1}}}}\n"
        )
        steps = [call.format(id=n, name=n, path="/tasks") for n in OAUTH]
        steps += [call.format(id=n, name=n, path=f"/{n}") for n in PLAIN]
        steps += ["  - {id: pause, type: wait, for: PT2S}\n"]
        steps += [call.format(id="later", name="oauth_password", path="/tasks")]
        here.write("journey.yaml", "dsl: 1\njourney: wire\nsteps:\n" + "".join(steps))
        summary = here.run(
            "run-journey", "journey.yaml", "--user", "u1", "--live", "--json"
        ).summary
    assert summary["calls"] == {"succeeded": 12, "failed": 0, "attempts": 12}

    (asked,) = oauth["oauth_basic"].log
    encoded = basic(f"{quote(CLIENT, safe='')}:{quote(SECRET, safe='')}")
    assert asked.header("authorization") == encoded  # RFC 6749, 2.3.1: form-encoded first
    assert asked.header("content-type") == "application/x-www-form-urlencoded"
    assert asked.body == b"grant_type=client_credentials"
    (asked,) = oauth["oauth_raw"].log
    assert asked.header("authorization") == basic(f"{RAW_CLIENT}:{SECRET}")
    (asked,) = oauth["oauth_post"].log
    assert asked.header("authorization") is None
    form = {
        "grant_type": "client_credentials",
        "scope": "a b",
        "client_id": CLIENT,
        "client_secret": SECRET,
    }
    assert asked.body == urlencode(form).encode()

    first, second = oauth["oauth_password"].log
    assert (
        first.body
        == urlencode({"grant_type": "password", "username": "ü ser", "password": PASSWORD}).encode()
    )
    renewal = dict(parse_qsl(second.body.decode()))
    assert renewal.pop("refresh_token").startswith("rt_")
    assert renewal == {"grant_type": "refresh_token"}
    assert first.header("authorization") == second.header("authorization") == encoded
    assert crms["oauth_password"].counts["tasks"] == 2

    sent = {request.path.removeprefix("/v1/"): request for request in api.log}
    assert_plain_kinds(sent)


def assert_plain_kinds(sent: dict[str, Request]) -> None:
    key, token = VARIABLES["KEY"], VARIABLES["TOKEN"]
    assert sent["user"].header("authorization") == basic(f"bo€t:{PASSWORD}")
    assert sent["token"].header("authorization") == f"Token {token}"
    assert sent["bare"].header("authorization") == token
    assert sent["header"].header("x-api-key") == f"Key {key}"
    assert sent["header"].header("x-tenant") == "acme"
    assert sent["query"].target == f"/v1/query?q=1&api_key={quote(key, safe='')}"
    assert json.loads(sent["body"].body) == {"n": 1, "api_key": key}
    several = sent["several"]
    assert several.header("x-one") == key
    assert several.target == f"/v1/several?q=1&two={quote(token, safe='')}"
    assert json.loads(several.body) == {"n": 1, "three": SECRET}
    for name in PLAIN:
        assert len(sent[name].header("idempotency-key") or "") == 32
    for name in ("header", "query", "body", "several"):
        assert sent[name].header("authorization") is None
