"""No secret of any run on any surface: outputs, logs at DEBUG, database, WAL, errors, reports."""

from __future__ import annotations

import gzip
import json
import socket
import time
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html import escape
from pathlib import Path
from urllib.parse import parse_qs, quote, quote_plus

from tests.e2e.canaries import command_lines, files, forms, leaks
from tests.e2e.installation import Installation
from tests.partners import (
    CRM,
    AuthorizationServer,
    Partner,
    Reply,
    Request,
    running,
)

SECRETS = {
    "CLIENT_SECRET": 'cnry-client/+"secret ü1',
    "USER_PASSWORD": "cnry-user:password€ 2",
    "BASIC_PASSWORD": 'cnry-basic\\pass"wörd 3',
    "BEARER_TOKEN": "cnry-bearer/token+4==",
    "API_KEY": 'cnry-api/key "5',
    "QUERY_KEY": "cnry-query/key&=ü 6",
    "BODY_KEY": 'cnry-body"key\\é 7',
    "ROTATED_KEY": "cnry-rotated/key 8",
    "UNUSABLE": "cnry-unusable\x01key 9",
    "LITERAL": "cnry-literal-key-ten",
    "BY_FILE": "cnry-by-file/key 11",
}
PROFILES = """\
auth_profiles:
  {name}-oauth:
    {{kind: oauth2, token_url: "{oauth}", client_id: crm-client, grant: password, username: bot,
     client_secret: {{seal_from_env: CLIENT_SECRET}}, password: {{seal_from_env: USER_PASSWORD}}}}
  {name}-basic: {{kind: basic, username: bot, password: {{seal_from_env: BASIC_PASSWORD}}}}
  {name}-bearer: {{kind: bearer, token: {{env: BEARER_TOKEN}}}}
  {name}-header: {{kind: api_key, pairs: [{{name: X-Key, value: {{seal_from_env: API_KEY}}}}]}}
  {name}-query:
    {{kind: api_key, pairs: [{{name: key, in: query, value: {{seal_from_env: QUERY_KEY}}}}]}}
  {name}-body:
    {{kind: api_key, pairs: [{{name: key, in: body, value: {{seal_from_env: BODY_KEY}}}}]}}
  {name}-file: {{kind: bearer, token: {{file: token.txt}}}}
"""
BAD = """\
auth_profiles:
  a: {{kind: basic, username: CLIENT_SECRET, password: {literal}}}
  b: {{kind: bearer, token: "{literal}"}}
  c: {{kind: api_key, pairs: [{{name: X-Key, value: {literal}}}]}}
  d: {{kind: oauth2, token_url: "https://{literal}@a.example/token", client_secret: {literal}}}
  e:
    kind: oauth2
    client_secret: >
      {literal}
endpoints:
  a: {{base_url: "https://a.example", headers: {{X-Api-Key: {literal}, Authorization: {literal}}}}}
  b: {{base_url: "https://bot:{literal}@a.example"}}
  c: {{base_url: "https://a.example", auth: {{kind: bearer, token: {literal}}}}}
"""
"""Secrets where people write them, and where they are refused."""

KINDS = ("oauth", "basic", "bearer", "header", "query", "body", "file")

LOUD = """\
import logging, sys
from engine.telemetry import logs
logs.HTTP_LIBRARIES = ()
logging.getLogger("sqlalchemy").setLevel(logging.DEBUG)
from engine.cli.run_journey import main
sys.exit(main(sys.argv[1:]))
"""
"""``run-journey`` with every library at its loudest."""

MANY = """\
import json, sys
from engine.cli.main import main
for arguments in json.loads(sys.argv[1]):
    print("+", *arguments, flush=True)
    print("exit", main(arguments), flush=True)
"""
"""Many ``journey`` commands in one process."""


class Mirror(Partner):
    """Says everything that it was sent once more, in body and headers, with any status."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.says = status

    def answer(self, request: Request) -> Reply:
        said = {"target": request.target, "headers": request.headers, "body": request.body.decode()}
        headers = [("x-target", request.target), ("content-type", "application/json")]
        headers += [(f"x-sent-{name}", value) for name, value in request.headers.items()]
        return Reply(self.says, json.dumps(said).encode(), headers)


class Polyglot(Partner):
    """Says the secrets that it was shown in every encoding that people find ways to use, and in
    the reason phrase.
    """

    def answer(self, request: Request) -> Reply:
        shown = list(shown_in(request))
        said = [form for secret in shown for form in spellings(secret)]
        ascii_ones = [form for form in said if form.isascii() and form.decode().isprintable()]
        head = [b"HTTP/1.1 200 " + b" ".join(ascii_ones[:1])]
        head += [b"x-said-%d: %s" % pair for pair in enumerate(ascii_ones[:100])]
        # Packed on request as an archive, for one user of two.
        body = b" | ".join(said)
        body = gzip.compress(body) if len(self.log) % 2 else body
        head.append(b"content-length: %d\r\n\r\n" % len(body))
        return Reply(pieces=[(0.0, b"\r\n".join(head) + body)])


def shown_in(request: Request) -> Iterator[str]:
    """The secrets of a request, as the server of it knows them."""
    scheme, _, value = (request.header("authorization") or "").partition(" ")
    if scheme == "Basic":
        yield b64decode(value).decode().partition(":")[2]
    elif value:
        yield value
    body = request.json()
    assert isinstance(body, dict)
    for each in (request.header("x-key"), request.query.get("key"), body.get("key")):
        if each:
            yield each


def spellings(secret: str) -> Iterator[bytes]:
    """Ways to write a secret that its reader understands."""
    plain = secret.encode()
    yield from (plain, quote(secret, safe="").encode(), quote_plus(secret).encode())
    yield "".join(f"%{octet:02x}" for octet in plain).encode()
    yield json.dumps(secret).encode()
    yield json.dumps(secret, ensure_ascii=False).replace("/", "\\/").encode()
    yield "".join(f"\\u{ord(each):04x}" for each in secret).encode()
    yield "".join(f"\\u{ord(c):04X}" if n % 2 else c for n, c in enumerate(secret)).encode()
    yield escape(secret).encode()
    yield "".join(f"&#{ord(each)};" for each in secret).encode()
    yield "".join(f"&#x{ord(each):x};" for each in secret).encode()
    yield from (plain.hex().encode(), plain.hex().upper().encode(), repr(plain).encode())
    yield from (b64encode(plain), urlsafe_b64encode(plain), b64encode(b"bot:" + plain))
    yield from (secret.swapcase().encode(), secret.upper().encode(), secret.lower().encode())
    yield from (secret.encode("utf-16-le"), secret.encode("utf-16-be"))


class TalkativeServer(AuthorizationServer):
    """A token server whose refusals repeat what it was sent, even as the error's code."""

    def answer(self, request: Request) -> Reply:
        sent = request.body.decode() + (request.header("authorization") or "")
        form = parse_qs(request.body.decode())
        for secret in (*form.get("client_secret", ()), *form.get("password", ())):
            sent += " | ".join(each.decode("latin-1") for each in spellings(secret))
        return Reply.json(401, {"error": "cnry-token-error", "error_description": sent})


@contextmanager
def fates(oauth: AuthorizationServer) -> Iterator[dict[str, str]]:
    """Endpoints by what becomes of calls to them."""
    with ExitStack() as stack:
        mirrors = {n: stack.enter_context(running(Mirror(n))) for n in (200, 401, 500)}
        good = stack.enter_context(running(CRM(oauth.book)))
        polyglot = stack.enter_context(running(Polyglot()))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        yield {
            "mirrored": mirrors[200].url,
            "spelt": polyglot.url,
            "unauthorized": mirrors[401].url,
            "broken": mirrors[500].url,
            "trusted": good.url,
            "down": f"http://127.0.0.1:{port}",
            "tls": mirrors[200].url.replace("http:", "https:"),
        }


def written(fates: dict[str, str], oauth: str) -> tuple[str, str]:
    """An endpoint for each fate and kind; a journey that calls them all and keeps the answers."""
    lines, steps = ["endpoints:\n"], ["dsl: 1\njourney: canaries\nsteps:\n"]
    for fate, url in fates.items():
        for kind in KINDS:
            name = f"{fate}_{kind}"
            lines.append(
                f"  {name}: {{base_url: '{url}', auth: all-{kind}, retry: {{attempts: 1}}}}\n"
            )
            steps.append(
                f"  - {{id: {name}, type: call_api, endpoint: {name}, path: /tasks,"
                f" body: {{n: 1}}, success: {{status: [200-299, 500]}}, "
                f" outputs: {{user.{name}: response.text, vars.{name}: response.headers}}}}\n"
            )
    return PROFILES.format(name="all", oauth=oauth) + "".join(lines), "".join(steps)


def test_the_search_finds_a_secret_in_every_form() -> None:
    secret = SECRETS["BASIC_PASSWORD"]
    for form in forms(secret):
        assert list(leaks([secret], [("x", b"<<" + form + b">>")]))
    assert not list(leaks([secret], [("x", b"nothing to see")]))


def test_no_secret_of_any_run_is_on_any_surface(tmp_path: Path) -> None:
    users = 6
    usable = {name: value for name, value in SECRETS.items() if name not in ("BY_FILE", "LITERAL")}
    here = Installation(tmp_path, {**usable, "JOURNEY_LOG_LEVEL": "DEBUG"})
    here.environment["JOURNEY_LOG_FILE"] = str(tmp_path / "home" / "engine.log")
    during: set[str] = set()
    mounted, home = tmp_path / "mounted", tmp_path / "home"
    mounted.mkdir()
    home.mkdir()
    (mounted / "token.txt").write_text(SECRETS["BY_FILE"])
    here.environment["JOURNEY_SECRET_DIRS"] = str(mounted)
    oauth = AuthorizationServer(
        secrets={SECRETS["CLIENT_SECRET"]}, users={"bot": SECRETS["USER_PASSWORD"]}, life=2
    )
    with running(oauth), running(TalkativeServer()) as talkative, fates(oauth) as urls:
        apply, journey = written(urls, oauth.token_url)
        here.write("apply.yaml", apply)
        here.write("journey.yaml", journey)
        here.write("users.csv", "id\n" + "".join(f"u{n}\n" for n in range(users)))
        here.run("journey", "apply", "apply.yaml")
        loud = ("python", "-c", LOUD, "journey.yaml", "--users", "users.csv", "--live", "--json")
        with here.running(*loud) as run:
            while not run.ended:
                known = [*SECRETS.values(), *tuple(oauth.book._tokens)]
                seen = list(leaks(known, [*command_lines(), *files(home)]))
                assert not seen, seen
                during |= {path.name for path in home.iterdir()}
                time.sleep(0.1)
            summary = run.finish().summary
        recorded = ("--record", str(home / "recorded.jsonl"))
        here.run("run-journey", "journey.yaml", "--user", "alone", "--live", *recorded)
        here.write("refused.yaml", PROFILES.format(name="talk", oauth=talkative.token_url))
        here.write("bad.yaml", BAD.format(literal=SECRETS["LITERAL"]))
        many(here)
    assert summary["finished"] == users
    assert summary["endpoints"]["mirrored_basic"]["succeeded"] == users
    assert summary["endpoints"]["unauthorized_basic"]["failed"] == users
    assert "[redacted]" in str(here.query("SELECT attributes FROM users LIMIT 1"))
    assert "engine.db-wal" in during
    assert (home / "engine.log").stat().st_size > 100_000, "it was loud"

    tokens = [*oauth.book._tokens, *oauth._refresh_tokens]
    assert len(tokens) > 2
    kek = (home / "kek").read_text().strip()
    surfaces = [*files(home), ("outputs", "\n".join(here.said).encode())]
    assert {"engine.db", "engine.log"} <= {where for where, _ in surfaces}
    found = list(leaks([*SECRETS.values(), *tokens, kek], surfaces))
    assert not found, "\n".join(found[:10])


def many(here: Installation) -> None:
    """Every command that shows something of profiles, and those that fail."""
    commands = [
        ["apply", "refused.yaml"],
        ["apply", "bad.yaml"],
        ["auth", "list", "--json"],
        ["auth", "list", "--csv"],
        *(["auth", "show", f"all-{kind}", "--json"] for kind in KINDS),
        *(["auth", "test", f"all-{kind}"] for kind in KINDS),
        *(["auth", "test", f"talk-{kind}", "--endpoint", "broken_basic"] for kind in KINDS),
        *(["endpoints", "test", f"mirrored_{kind}", "--json"] for kind in KINDS),
        ["auth", "rotate", "all-header", "--from-env", "ROTATED_KEY"],
        ["auth", "rotate", "all-header", "--from-env", "UNUSABLE"],
        ["auth", "rotate", "all-bearer", "--from-env", "ROTATED_KEY"],
        ["auth", "set", "new", "--kind", "bearer", "--from-env", "token=UNUSABLE"],
        ["auth", "set", "new", "--kind", "oauth2", "--from-env", "client_secret=API_KEY"],
        ["auth", "delete", "all-basic"],
        ["auth", "usage", "all-basic"],
        ["endpoints", "show", "mirrored_query", "--json"],
        ["report", "canaries", "--json"],
        ["report", "canaries", "--csv"],
        ["report", "canaries"],
        ["doctor"],
        ["doctor", "--json"],
        ["doctor", "--leaks", "--json"],
        ["audit"],
        ["audit", "--json"],
        ["keys", "rotate"],
        ["keys", "rotate", "--kek"],
        ["keys", "retire"],
        ["keys", "status", "--json"],
        ["config", "--json"],
        ["config"],
        ["why", "u1", "canaries"],
        ["why", "alone", "canaries", "--json"],
        ["report", "canaries", "--html", "home/report.html"],
        ["graph", "journey.yaml", "--counts"],
        ["export", "canaries"],
        ["show", "canaries", "--json"],
        ["list", "--json"],
        ["enrollments", "list", "--json"],
        ["calls", "list", "--failed", "--json"],
        ["users", "show", "u1", "--json"],
        ["users", "list", "--csv"],
        ["backup", "home/backup.db"],
        ["plan", "journey.yaml"],
    ]
    said = here.run("python", "-c", MANY, json.dumps(commands))
    assert said.out.count("+ ") >= len(commands)
    assert said.err.count("error:") >= 6, said.err
