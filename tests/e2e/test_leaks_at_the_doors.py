"""No secret on any page, in any answer of the HTTP API, or in a line of the process behind them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from engine.console.routes import PAGES
from tests.databases import BOTH_IN_SOAK
from tests.e2e.canaries import files, leaks
from tests.e2e.in_process import InProcess
from tests.e2e.test_leaks import KINDS, SECRETS, TalkativeServer, fates, written
from tests.e2e.test_up import up
from tests.integration.serving import NO_TLS
from tests.partners import AuthorizationServer, running

TYPED = {
    "console": "cnry-typed/console 12+",
    "refused": "cnry-refused\x02console 13",
    "http": 'cnry-over-http"/ 14',
    "astray": "cnry-over-http-astray 15",
    "hook": "cnry-of-a-hook/ 16",
    "operator": "cnry-of-an-operator 17",
    "wrong": "cnry-wrong-password 18",
    "inbound": "cnry-foreign-token 19",
}
"""Secrets that people give at the doors: where they belong, and where not."""

LINK = re.compile(r'(?:href|src|action)="(/[^"#]*)')
FATES = ("spelt", "unauthorized", "broken")
UNLINKED = (
    *("/endpoints/_new", "/events/explain?user=u0&event=hello", "/user/erase?id=u0"),
    "/policy/delete?kind=event&name=hello",
)
OFTEN = 4
"""So many pages of one route are opened, of those that a link leads to."""


@dataclass
class Surfaces:
    """Everything that came out of the doors: where, and what."""

    url: str
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)

    def keep(self, answer: httpx.Response) -> httpx.Response:
        """Remember an answer whole, but for a session that it gives its browser."""
        fields = [each for each in answer.headers.items() if each[0] != "set-cookie"]
        head = "\n".join(f"{name}: {value}" for name, value in fields)
        where = f"{answer.request.method} {answer.request.url.path}"
        self.seen.append((where, head.encode() + b"\n\n" + answer.content))
        self.statuses.add(answer.status_code)
        return answer


class Operator:
    """A browser of the admin ``ada``, who came in by her link."""

    def __init__(self, surfaces: Surfaces, link: str) -> None:
        self.surfaces = surfaces
        closing = {"connection": "close"}
        self.http = httpx.Client(base_url=surfaces.url, timeout=60, headers=closing, verify=NO_TLS)
        came = self.http.post(
            urlsplit(link).path, data={"go": "1"}
        )  # its answer holds the session, this once
        assert came.status_code == 303, came.text
        page = self.http.get("/account").text
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        assert found is not None
        self.csrf = found[1]

    @property
    def session(self) -> str:
        """The cookie's value."""
        return next(iter(self.http.cookies.values()))

    def post(self, path: str, /, **form: str) -> httpx.Response:
        """Send a form."""
        found = self.http.post(path, data={"csrf": self.csrf, **form})
        return self.surfaces.keep(found)

    def crawl(self) -> set[str]:
        """Open pages by the links that lead to them, from page to page; the routes of those."""
        waiting = ["/journeys", *UNLINKED]
        waiting += [f"/profiles/all-{kind}{more}" for kind in KINDS for more in ("", "/edit")]
        opened, known = Counter[str](), {"/logout", *waiting}
        while waiting:
            path = waiting.pop()
            opened[_route(path)] += 1
            answer = self.surfaces.keep(self.http.get(path))
            for link in map(unescape, LINK.findall(answer.text)):
                target = urljoin(path, link)
                if target not in known and opened[_route(target)] < OFTEN:
                    known.add(target)
                    waiting.append(target)
        return set(opened)


def _route(path: str) -> str:
    """The path of the page that ``path`` is one of, as in the table of routes; itself otherwise."""
    bare = path.partition("?")[0]
    for page in sorted(PAGES, key=lambda each: each.path.count("{")):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", page.path), bare):
            return page.path
    return bare


def over_http(surfaces: Surfaces, token: str, journey: str) -> None:
    """Every GET of the management API, with names that are there; secrets right and astray."""
    headers = {"authorization": f"Bearer {token}", "connection": "close"}
    client = httpx.Client(base_url=surfaces.url, headers=headers, timeout=60, verify=NO_TLS)
    keep, api = surfaces.keep, "/api/v1"
    for path in _documented(keep(client.get(f"{api}/openapi.json")).json()):
        for profile in KINDS if "auth-profiles" in path else KINDS[:1]:
            name = f"all-{profile}" if "auth-profiles" in path else f"spelt_{profile}"
            asked = path.replace("{journey}", "canaries").replace("{name}", name)
            keep(client.get(asked.replace("{user}", "u0").replace("{enrollment}", "1")))
    for asked in ("/why?user=u0&journey=canaries", "/events/explain?user=u0&event=hello"):
        keep(client.get(api + asked))
    for kind in KINDS:
        keep(client.post(f"{api}/auth-profiles/all-{kind}/test"))
        for fate in FATES:
            keep(client.post(f"{api}/endpoints/{fate}_{kind}/test", json={"path": "/tasks"}))
        keep(client.post(f"{api}/auth-profiles/talk-{kind}/test"))
    given = {"kind": "bearer", "secrets": {"token": {"value": TYPED["http"]}}}
    assert keep(client.put(f"{api}/auth-profiles/typed", json=given)).status_code == 200
    rotation = {"secret": TYPED["http"] + "+", "overlap_s": 60}
    keep(client.post(f"{api}/auth-profiles/typed/rotate", json=rotation))
    keep(client.post(f"{api}/auth-profiles/typed/rotate", json={"secret": TYPED["refused"]}))
    astray = TYPED["astray"]
    for wrong in (
        {"kind": "bearer", "secrets": {"token": astray}},
        {"kind": "bearer", "secrets": {"token": {"value": [astray]}}},
        {"kind": "bearer", "secrets": {"token": {"value": astray, "env": astray}}},
        {"kind": "bearer", "secrets": {"token": {"env": astray}}},
        {"kind": "bearer", "fields": {"token": astray}},
        {"kind": "bearer", "token": astray},
        {"kind": astray},
    ):
        assert keep(client.put(f"{api}/auth-profiles/astray", json=wrong)).status_code >= 400
    keep(client.put(f"{api}/endpoints/astray", json={"base_url": f"https://bot:{astray}@a.test"}))
    static = {"base_url": "https://a.test", "headers": {"authorization": f"Bearer {astray}"}}
    keep(client.put(f"{api}/endpoints/astray", json=static))
    inside = journey.replace("body: {n: 1}", f"body: {{n: 'Bearer {astray}'}}", 1)
    assert keep(client.post(f"{api}/plans", json={"text": inside})).status_code == 422
    hook = {"preset": "github", "user": "event.user", "secret": TYPED["hook"]}
    assert keep(client.put(f"{api}/hooks/shop", json=hook)).status_code == 200
    keep(client.post(f"{api}/hooks/shop/rotate", json={"secret": TYPED["hook"] + "+"}))
    keep(client.get(f"{api}/hooks"))
    keep(client.get(f"{api}/audit"))
    _from_outside(surfaces, token)


def _documented(document: object) -> Iterator[str]:
    assert isinstance(document, dict)
    for path, methods in document["paths"].items():
        if "get" in methods:
            yield path


def _from_outside(surfaces: Surfaces, token: str) -> None:
    """What strangers send, and friends by mistake."""
    foreign, keep = TYPED["inbound"], surfaces.keep
    with httpx.Client(base_url=surfaces.url, timeout=60, verify=NO_TLS) as client:
        keep(client.post("/hooks/shop", json={}, headers={"x-hub-signature-256": foreign}))
        for headers in (
            {"authorization": f"Bearer {foreign}"},
            {"authorization": f"Bearer jrn_admin_{foreign.replace(' ', '')}"},
            {"authorization": f"Basic {foreign}"},
            {"x-api-key": foreign, "cookie": f"journey_session={foreign.replace(' ', '')}"},
        ):
            keep(client.get("/api/v1/journeys", headers=headers))
            keep(client.post("/v1/track", headers=headers, json={"event": "x"}))
        keep(client.get("/api/v1/journeys", params={"token": token, "api_key": foreign}))
        keep(client.post("/login", data={"name": "ada", "password": TYPED["wrong"]}))
        for path in ("/healthz", "/readyz", "/metrics", "/nothing", "/profiles"):
            keep(client.get(path))


def in_the_console(ada: Operator) -> None:
    """Every form that takes a secret, filled in rightly and wrongly."""
    value = {"token.way": "value", "token": TYPED["console"]}
    made = ada.post("/profiles/_new/bearer", profile="by-hand", **value)
    assert made.status_code == 303, made.text
    bad = {"token.way": "value", "token": TYPED["refused"]}
    assert ada.post("/profiles/_new/bearer", profile="by-hand-2", **bad).status_code == 409
    assert ada.post("/profiles/by-hand/rotate", value=TYPED["refused"]).status_code == 409
    rotated = ada.post("/profiles/by-hand/rotate", value=TYPED["console"] + "!", overlap="1h")
    assert rotated.status_code == 303
    ada.post("/profiles/by-hand/rotate", value=TYPED["console"], overlap="a while")
    for kind in KINDS:
        ada.post(f"/profiles/all-{kind}/test")
        ada.post(f"/profiles/talk-{kind}/test")
        ada.post(f"/endpoints/spelt_{kind}/test", method="GET", path="/tasks")
        ada.post(f"/endpoints/unauthorized_{kind}/test", method="GET", path="/tasks")
    password = {"new": TYPED["operator"], "again": TYPED["operator"]}
    ada.post("/account/password", current=TYPED["wrong"], password=TYPED["operator"], **password)


def finished(here: InProcess, users: int) -> bool:
    """Whether every user's passage has its end."""
    found = here.query("SELECT count(*) FROM enrollments WHERE outcome IS NOT NULL")
    return found == [(users,)]


@BOTH_IN_SOAK
@pytest.mark.usefixtures("either_database")
def test_no_secret_comes_out_of_any_door(tmp_path: Path) -> None:
    home, mounted, users = tmp_path / "home", tmp_path / "mounted", 1
    for folder in (home, mounted):
        folder.mkdir()
    (mounted / "token.txt").write_text(SECRETS["BY_FILE"])
    usable = {name: value for name, value in SECRETS.items() if name not in ("BY_FILE", "LITERAL")}
    here = InProcess(tmp_path, {**usable, "JOURNEY_LOG_LEVEL": "DEBUG"})
    here.environment["JOURNEY_LOG_FILE"] = str(home / "engine.log")
    here.environment["JOURNEY_SECRET_DIRS"] = str(mounted)
    oauth = AuthorizationServer(
        secrets={SECRETS["CLIENT_SECRET"]}, users={"bot": SECRETS["USER_PASSWORD"]}, life=2
    )
    with running(oauth), running(TalkativeServer()) as talkative, fates(oauth) as urls:
        apply, journey = written({fate: urls[fate] for fate in FATES}, oauth.token_url)
        journey = journey.replace("\nsteps:", "\nentry: {triggers: [{event: hello}]}\nsteps:")
        talk = here.write("talk.yaml", _talking(talkative.token_url))
        first = journey.replace("dsl: 1", "dsl: 1\nmax_age: 9d", 1)
        for name, text in (
            ("apply.yaml", apply),
            ("first.yaml", first),
            ("journey.yaml", journey),
        ):
            here.write(name, text)
        for command in (
            ("apply", "apply.yaml"),
            ("apply", talk),
            ("publish", "first.yaml"),  # a second version: what changed has a page, too
            ("publish", "journey.yaml"),
        ):
            done = here.call("journey", *command)
            assert done.code == 0, done.err
        token = here.call("journey", "tokens", "create", "all", "--kind", "admin").out.strip()
        link = here.call("journey", "operators", "add", "ada", "--role", "admin").out.strip()
        with up(here, "up") as it:
            it.says("console: http")
            url = next(line for line in it.lines if line.startswith("console: http")).split()[1]
            surfaces = Surfaces(url.rstrip("/").removesuffix("/login"))
            for number in range(users):
                event = {"user": f"u{number}", "event": "hello", "properties": {}}
                httpx.post(
                    f"{surfaces.url}/api/v1/events",
                    json=event,
                    headers={"authorization": f"Bearer {token}"},
                    verify=NO_TLS,
                ).raise_for_status()
            it.until(lambda: finished(here, users))
            ada = Operator(surfaces, link)
            in_the_console(ada)
            over_http(surfaces, token, journey)
            opened = ada.crawl()
            process = list(it.lines)
    audit = here.call("journey", "audit", "--json").out
    surfaces.seen += [*files(home), ("stderr", "\n".join(process).encode())]
    surfaces.seen.append(("audit", audit.encode()))
    assert {page.path for page in PAGES if page.method == "GET" and not page.open} <= opened
    assert (home / "engine.log").stat().st_size > 20_000
    assert {200, 303, 401, 404, 409, 422} <= surfaces.statuses
    kek = (home / "kek").read_text().strip()
    theirs = [token, link.rpartition("/")[2], ada.session, kek]
    issued = [*oauth.book._tokens, *oauth._refresh_tokens]
    assert len(issued) > 2
    found = list(leaks([*SECRETS.values(), *TYPED.values(), *issued, *theirs], surfaces.seen))
    assert not found, "\n".join(found[:20])


def _talking(token_url: str) -> str:
    from tests.e2e.test_leaks import PROFILES

    return PROFILES.format(name="talk", oauth=token_url)
