"""The console in a real browser: by mouse, by keyboard, without JavaScript; nothing fires."""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.core.guarded_json import text_of
from engine.db.schema import open_database
from tests.e2e.in_process import InProcess
from tests.integration.hostile_rows import put_doors
from tests.integration.hostile_texts import HOSTILE
from tests.partners import CRM, AuthorizationServer, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize

playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")

OLD, NEW = "s3cret-of-the-client", "an0ther-s3cret-of-the-client"
PATIENCE_S = 120.0
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}
JOURNEY = """\
dsl: 1
journey: greet
title: A warm greeting
entry: {triggers: [{event: hello}]}
steps:
  - {id: score, type: call_api, endpoint: score, method: POST, path: "/users/{{ user.id }}/score", body: {n: 1}}
  - {id: rest, type: wait, for: P1D}
"""  # noqa: E501


@dataclass
class Watched:
    """A page of a browser, and whatever it complained of."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a page of the console."""
        answer = self.page.goto(f"{self.url}{path}")
        assert answer is not None
        assert answer.status == 200, path


@dataclass
class World:
    """``journey up`` on an installation with partners; its address and login links."""

    here: InProcess
    url: str
    oauth: AuthorizationServer
    crm: CRM
    browser: Browser

    def link(self, name: str = "admin") -> str:
        """A login link."""
        made = self.here.call("journey", "operators", "login-link", name, "--url", self.url)
        return made.out.strip()

    @contextmanager
    def watched(self, size: ViewportSize = DESK, *, javascript: bool = True) -> Iterator[Watched]:
        """A page in which the admin is logged in. Any complaint of the browser fails the test."""
        context = self.browser.new_context(viewport=size, java_script_enabled=javascript)
        context.set_default_timeout(PATIENCE_S * 1000)
        page = context.new_page()
        watched = Watched(page, self.url)
        page.on("console", lambda said: _note(watched, said))
        page.on("pageerror", lambda error: watched.complaints.append(f"{page.url}: {error}"))
        page.on("dialog", lambda dialog: watched.complaints.append(f"dialog {dialog.message}"))
        page.goto(self.link())
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{self.url}/**")
        try:
            yield watched
        finally:
            context.close()
        assert watched.complaints == []


def _note(watched: Watched, said: ConsoleMessage) -> None:
    if said.type in ("error", "warning"):
        watched.complaints.append(f"{watched.page.url}: {said.text}")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    here = InProcess(tmp_path_factory.mktemp("browser"))
    here.environment |= {"JOURNEY_EGRESS_ALLOW": "127.0.0.0/8", "JOURNEY_PORT": "0"}
    with (
        running(AuthorizationServer(secrets={OLD})) as oauth,
        running(CRM(oauth.book)) as crm,
        playwright.sync_playwright() as plays,
        here.start("journey", "up") as process,
    ):
        try:
            url = _address(process)
            browser = plays.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else []
            )
            yield World(here, url, oauth, crm, browser)
            browser.close()
        finally:
            process.kill()
            process.wait(PATIENCE_S)


def _address(process: object) -> str:
    """Where it says that it is; what else it says is read, too."""
    lines: list[str] = []
    stderr = process.stderr  # type: ignore[attr-defined]

    def read() -> None:
        lines.extend(stderr)

    found = None
    for line in stderr:
        found = re.search(r"HTTP API: (http://\S+)", line)
        if found:
            break
    assert found is not None
    threading.Thread(target=read, daemon=True).start()
    return found[1]


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_profile_from_its_making_to_a_refused_delete_in_a_running_journey(world: World) -> None:
    oauth, crm = world.oauth, world.crm
    with world.watched() as watched:
        page = watched.page
        watched.go("/endpoints")
        page.get_by_role("link", name="New endpoint").first.click()
        page.get_by_label("Name", exact=True).fill("score")
        page.get_by_label("Base URL").fill(f"{crm.url}/v2")
        page.get_by_role("button", name="Create endpoint").click()
        page.get_by_role("link", name="Add API authentication").click()
        page.get_by_role("link", name=re.compile("OAuth 2.0")).click()
        page.get_by_label("Name", exact=True).fill("score-oauth")
        page.get_by_label("Title").fill("Scores, production")
        page.get_by_label("Token URL").fill(oauth.token_url)
        page.get_by_label("Client ID").fill("crm-client")
        page.locator("input[name=client_secret]").fill(OLD)
        assert page.get_by_label("Assign to endpoint").input_value() == "score"
        page.get_by_role("button", name="Create profile").click()
        page.get_by_text("Auth profile score-oauth created").wait_for()
        assert OLD not in page.content()

        page.get_by_role("button", name="Test it now").click()
        page.get_by_text("gave a token").wait_for()
        watched.go("/endpoints/score")
        page.get_by_label("Method").select_option("POST")
        page.get_by_label("Path and query").fill("/users/u_1/score")
        page.get_by_label("JSON body").fill("{}")
        page.get_by_role("button", name="Send").click()
        page.get_by_role("heading", name="It works").wait_for()
        assert page.url.endswith("/endpoints/score")  # in place
        assert page.get_by_label("Path and query").input_value() == "/users/u_1/score"

        watched.go("/journeys/_publish")
        page.get_by_label("Text of the journey").fill(JOURNEY)
        page.get_by_role("button", name="Check and plan").click()
        page.get_by_role("button", name="Publish", exact=True).click()
        page.get_by_role("heading", name="A warm greeting").wait_for()
        _send(world, "u_old")
        _until(lambda: _called(crm, "u_old"))
        page.locator(".tile", has_text="entered").get_by_text("1", exact=True).wait_for()

        oauth.rotate(NEW)
        watched.go("/profiles/score-oauth")
        page.get_by_label("New client secret").fill(NEW)
        page.get_by_role("button", name="Rotate").click()
        page.get_by_text("the next call uses the new one").wait_for()
        assert NEW not in page.content()
        _send(world, "u_new")
        _until(lambda: _called(crm, "u_new"))
        assert [one.credential for one in crm.log if "u_new" in one.path][-1] == NEW

        watched.go("/profiles/score-oauth")
        assert "greet" in page.locator("#usage").inner_text()
        page.get_by_role("link", name="Delete…").click()
        page.get_by_role("heading", name="It is in use, and isn't deleted").wait_for()

        watched.go("/user?id=u_new")
        way = page.locator(".way").inner_text()
        assert "score" in way
        assert "credential version 3" in way  # made, assigned, rotated


def _send(world: World, user: str) -> None:
    sent = world.here.call("journey", "events", "send", "--user", user, "--event", "hello")
    assert sent.code == 0, sent.err


def _called(crm: CRM, user: str) -> bool:
    return any(one.status == 200 and f"/{user}/" in one.path for one in crm.log)


PATHS = (
    *("/journeys", "/journeys/greet", "/journeys/greet/report", "/journeys/greet/passages"),
    *("/journeys/_publish", "/users", "/user?id=u_new", "/events?user=u_new", "/calls"),
    *("/calls/redrive", "/endpoints", "/endpoints/score", "/endpoints/_new", "/profiles"),
    *("/endpoints/score/edit", "/profiles/_new", "/profiles/_new/oauth2", "/profiles/score-oauth"),
    *("/profiles/score-oauth/edit", "/tokens", "/operators", "/operators/admin", "/health"),
    *("/audit", "/account", "/", "/webhooks", "/webhooks/_new", "/keys", "/policy"),
    "/journeys/greet/changes",
)


WIDTH = "document.documentElement.scrollWidth - window.innerWidth"
ACCESSIBLE = (Path(__file__).parent / "accessible.js").read_text(encoding="utf-8")


def test_no_page_scrolls_sideways_or_complains_and_each_is_accessible(world: World) -> None:
    """What a script finds of https://www.w3.org/TR/WCAG22/: names, labels, headings, contrast."""
    with world.watched() as watched:
        for size, scheme in ((DESK, "light"), (PHONE, "dark")):
            watched.page.set_viewport_size(size)
            watched.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            for path in PATHS:
                watched.go(path)
                assert watched.page.evaluate(WIDTH) <= 0, (path, size)
                assert watched.page.evaluate(ACCESSIBLE) == [], (path, scheme)


def test_the_longest_name_of_an_attribute_leaves_room_for_its_value(world: World) -> None:
    row = {"user": "u_long", "at": "2026-11-22T09:00:00Z", "attributes": {"k" * 200: "a value"}}
    file = world.here.write("long.jsonl", text_of(row) + "\n")
    assert world.here.call("journey", "events", "send", str(file)).code == 0
    _until(lambda: world.here.query("SELECT count(*) FROM inbox") == [(0,)])
    with world.watched() as watched:
        for size in (DESK, PHONE):
            watched.page.set_viewport_size(size)
            watched.go("/user?id=u_long")
            assert watched.page.evaluate(WIDTH) <= 0, size
            value = watched.page.get_by_text("a value").first.bounding_box()
            assert value is not None
            assert value["height"] < 40, size  # in one line


def test_on_a_phone_the_menu_opens_without_javascript(world: World) -> None:
    with world.watched(PHONE, javascript=False) as watched:
        watched.go("/journeys")
        nav = watched.page.get_by_role("navigation", name="Pages")
        assert not nav.is_visible()
        watched.page.get_by_role("link", name="Menu").click()
        nav.get_by_role("link", name="Endpoints").click()
        assert watched.page.url.endswith("/endpoints")


def test_without_javascript_an_endpoint_is_made_tried_and_deleted(world: World) -> None:
    with world.watched(javascript=False) as watched:
        page = watched.page
        watched.go("/endpoints/_new")
        page.get_by_label("Name", exact=True).fill("plain")
        page.get_by_label("Base URL").fill(f"{world.crm.url}/plain")
        page.get_by_role("button", name="Create endpoint").click()
        page.get_by_role("button", name="Send").click()
        page.get_by_role("heading", name="It failed").wait_for()
        watched.go("/endpoints/plain/delete")
        page.get_by_role("button", name="Delete endpoint").click()
        page.get_by_text("Endpoint plain deleted").wait_for()


def test_by_keyboard_alone_one_comes_past_the_menu_into_a_form(world: World) -> None:
    with world.watched() as watched:
        page = watched.page
        watched.go("/endpoints/_new")
        page.keyboard.press("Tab")
        focused = "document.activeElement.textContent"
        assert page.evaluate(focused) == "Skip to content"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")  # the way back, in the crumbs
        page.keyboard.press("Tab")
        page.keyboard.type("by-keys")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.type(f"{world.crm.url}/keys")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="by-keys").wait_for()
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        page.keyboard.press("Tab")
        assert page.evaluate(outline) == "solid"


def test_by_keyboard_alone_everything_is_reached_in_order_and_seen(world: World) -> None:
    """Round the page by Tab: the skip link first, no trap, and whatever has the focus shows it."""
    focused = """() => {
        const at = document.activeElement, box = at.getBoundingClientRect();
        const style = getComputedStyle(at);
        return {
            out: at === document.body, first: at.matches(".skip"),
            top: box.top + scrollY, main: Boolean(at.closest("main")),
            seen: box.width > 0 && box.height > 0
                && (style.outlineStyle === "solid" || at.matches("[type=radio], [type=checkbox]")),
        };
    }"""
    with world.watched() as watched:
        for path in ("/", "/tokens", "/webhooks/_new", "/journeys/greet", "/policy"):
            watched.go(path)
            reached = "a[href], button, input:not([type=hidden]), select, textarea, [tabindex='0']"
            most = watched.page.locator(reached).count() + 5
            before = -1.0
            for number in range(most):
                watched.page.keyboard.press("Tab")
                found = watched.page.evaluate(focused)
                if found["out"] or (number and found["first"]):
                    break
                assert found["first"] == (number == 0), path
                assert found["seen"], (path, number, found)
                if found["main"] and watched.page.viewport_size == DESK:
                    assert found["top"] >= before - 400, (path, number, found)  # columns
                    before = found["top"]
            else:
                pytest.fail(f"{path}: the focus is trapped")


def test_without_javascript_policy_webhook_and_keys_are_changed(world: World) -> None:
    with world.watched(PHONE, javascript=False) as watched:
        page = watched.page
        watched.go("/policy")
        page.get_by_label("As a text").fill("attributes: {plan: text}\n")
        page.get_by_role("button", name="Check").click()
        page.get_by_text("What applying it changes").wait_for()
        page.get_by_role("button", name="Apply").click()
        page.get_by_text("attribute plan created").wait_for()
        watched.go("/webhooks/_new")
        page.get_by_label("Name", exact=True).fill("repository")
        page.get_by_label("Signed as").select_option("github")
        page.get_by_label("Secret").fill("0123456789abcdef")
        page.get_by_label("Whose event it is").fill("event.sender.login")
        page.get_by_role("button", name="Create webhook").click()
        page.get_by_text("Webhook repository created").wait_for()
        assert page.get_by_text(f"{world.url}/hooks/repository").is_visible()
        page.get_by_role("link", name="Delete…").click()
        page.get_by_role("button", name="Delete webhook").click()
        page.get_by_text("Webhook repository deleted").wait_for()
        watched.go("/keys")
        page.get_by_role("button", name="Rotate").click()
        page.get_by_text("sealed anew").wait_for()


def test_of_168_hostile_names_none_fires(world: World) -> None:
    lines = [
        {"user": text, "event": text, "at": "2026-11-22T09:00:00Z", "properties": {text: text}}
        for text in HOSTILE
    ]
    file = world.here.write("hostile.jsonl", "")
    kept = 0
    for line in lines:
        file.write_text(text_of(line) + "\n", encoding="utf-8")
        kept += world.here.call("journey", "events", "send", str(file)).code == 0
    assert kept > len(HOSTILE) * 0.7
    with world.watched() as watched:
        page = watched.page
        page.add_init_script(
            "window.fired = (n) => { window.didFire = n; console.error('fired', n) }"
        )
        _until(lambda: world.here.query("SELECT count(*) FROM inbox") == [(0,)])
        watched.go("/users")
        links = page.locator("tbody th a")
        assert links.count() > len(HOSTILE) * 0.5
        for path in [links.nth(n).get_attribute("href") for n in range(0, links.count(), 9)]:
            assert path is not None
            watched.go(path)
            assert page.evaluate("window.didFire") is None
            assert page.locator("form[action='//evil.example']").count() == 0
        with closing(open_database(f"sqlite:///{world.here.database}")) as database:
            put_doors(database)
        for size in (DESK, PHONE):
            page.set_viewport_size(size)
            for path in ("/", "/webhooks", "/operators", "/tokens", "/endpoints", "/audit"):
                watched.go(path)
                assert page.evaluate("window.didFire") is None
                assert page.evaluate(WIDTH) <= 0, (path, size)


def test_a_form_that_was_opened_before_another_login_does_nothing(world: World) -> None:
    with world.watched() as watched:
        page = watched.page
        watched.go("/endpoints/_new")
        page.evaluate("document.querySelector('main input[name=csrf]').value = 'x'")
        page.get_by_label("Name", exact=True).fill("never")
        page.get_by_label("Base URL").fill("http://127.0.0.1:9/")
        page.get_by_role("button", name="Create endpoint").click()
        page.get_by_role("heading", name="This form is of another session").wait_for()
        watched.complaints.clear()  # Chromium complains of the 403 itself
    assert "never" not in world.here.call("journey", "endpoints", "list").out
