"""168 hostile names and values on every page that shows them: text they were, text they are."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import html5lib
import pytest

from engine.audit.store import record
from engine.clock import wall
from engine.console.rendering import visible
from engine.core.guarded_json import text_of
from engine.endpoints.store import find
from engine.operations.store import ENDED
from tests.examples import of_every
from tests.integration.furnished import Browser, Furnished, furnished, put_event, put_user
from tests.integration.hostile_rows import NAMES, put_doors, put_journeys
from tests.integration.hostile_texts import HOSTILE

SEQ = 1_700_000_000_000_000
SAMPLED = of_every(8, soak=4)
"""Of so many texts one goes where all have been shown to be inert before: parsing takes time."""
SAMPLED_NAMES = 4
"""Of so many names one, on each kind of page another: many can't stand in a path."""
ELEMENTS = {
    *("html", "head", "meta", "title", "link", "script", "body", "a", "div", "header", "img"),
    *("nav", "h1", "h2", "h3", "ul", "ol", "li", "p", "b", "br", "span", "form", "input"),
    *("button", "main", "footer", "time", "table", "thead", "tbody", "tr", "th", "td", "code"),
    *("pre", "section", "dl", "dt", "dd", "label", "select", "option", "optgroup", "textarea"),
    *("fieldset", "legend", "details", "summary", "figure", "meter", "abbr"),
}
OF_DRAWINGS = {
    "svg",
    "desc",
    "defs",
    "symbol",
    "path",
    "rect",
    "g",
    "use",
    "text",
    "tspan",
    "title",
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "rel", "href", "type", "src", "defer", "class", "id"),
    *("aria-label", "aria-current", "aria-hidden", "aria-describedby", "alt", "width", "height"),
    *("method", "action", "value", "tabindex", "role", "scope", "data-label", "for", "required"),
    *("autocomplete", "spellcheck", "rows", "selected", "checked", "datetime", "title", "open"),
    *("data-hx-get", "data-hx-post", "data-hx-trigger", "data-hx-select", "data-hx-swap"),
    *("data-hx-target", "label", "min", "max", "list", "readonly", "autofocus", "data-copied"),
}
OF_DRAWINGS_TOO = {
    *("viewBox", "aria-labelledby", "d", "x", "y", "rx", "transform", "space", "xmlns"),
    *("width", "height", "role", "aria-label"),
}


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    with furnished(tmp_path_factory.mktemp("console")) as here:
        _fill(here)
        put_doors(here.served.database)
        put_journeys(here.served.database)
        yield here


def _fill(console: Furnished) -> None:
    """Put the texts wherever a text from outside may stand, behind whatever checks it first."""
    served = console.served
    for number, text in enumerate(HOSTILE):
        put_user(served, text, {text: text, "nested": {text: [text]}})
        put_event(served, text, text, {text: text}, SEQ + number)
    ada = console.browser("ada")
    for number, text in enumerate(HOSTILE):
        name = f"e{number}"
        form = {"name": name, "base_url": "http://127.0.0.1:9/", "title": text, "description": text}
        if ada.post("/endpoints/_new", form).status_code != 303:
            ada.post("/endpoints/_new", {"name": name, "base_url": "http://127.0.0.1:9/"})
            with served.database.write() as connection:
                stored = find(connection, name)
                assert stored is not None
                settings = text_of({"base_url": "http://127.0.0.1:9/"})
                connection.exec_driver_sql(
                    "UPDATE endpoints SET settings = ? WHERE name = ?", (settings, name)
                )
    with served.database.write() as connection:
        for text in HOSTILE:
            kept = text.replace("\x00", "")
            record(connection, wall(), kept, kept, kept, kept, (kept,))
        for number, text in enumerate(HOSTILE):
            connection.exec_driver_sql(
                "INSERT INTO processes (id, kind, host, pid, started_at, seen_at, health)"
                " VALUES (?, ?, ?, 1, ?, ?, ?)",
                (f"p{number}", text, text, SEQ, wall(), _ended(text) if number % 2 else "[]"),
            )
            connection.exec_driver_sql(
                "INSERT INTO duties (name, process, said, error, failures, next_at)"
                " VALUES (?, '', ?, ?, 1, ?)",
                (f"{number} {text}", text, text, SEQ),
            )


def _ended(bug: str) -> str:
    return json.dumps([{"part": ENDED, "state": "wrong", "found": bug}])


def _require_inert(page: str) -> None:
    """No element and no attribute stands in it that no template has, and none leads elsewhere."""
    tree = html5lib.parse(page, treebuilder="etree", namespaceHTMLElements=False)
    for element in tree.iter():
        if not isinstance(element.tag, str):
            raise AssertionError("a comment that no template has")
        tag = element.tag.rpartition("}")[2]
        drawn = element.tag.startswith("{http://www.w3.org/2000/svg}")
        assert tag in (OF_DRAWINGS if drawn else ELEMENTS), element.tag
        for attribute, value in element.attrib.items():
            name = str(attribute).rpartition("}")[2]
            assert name in ATTRIBUTES | (OF_DRAWINGS_TOO if drawn else set()), (tag, name)
            if name in ("href", "src", "action", "data-hx-get", "data-hx-post"):
                assert value.startswith(("/", "#")), value
                assert not value.startswith("//"), value
    scripts: list[Any] = [each for each in tree.iter() if each.tag == "script"]
    assert [bool(each.get("src")) for each in scripts] == [True, True]


def _shows(page: str, text: str) -> bool:
    shown = " ".join(visible(text).split())
    return shown in " ".join(html.unescape(page).split())


PAGES = (
    *("/users", "/endpoints", "/endpoints?q=%3Cscript%3E", "/audit", "/health", "/profiles"),
    *("/journeys", "/journeys/greet", "/journeys/greet/report", "/calls", "/tokens", "/operators"),
    *("/profiles/_new/oauth2", "/profiles/crm-oauth/edit", "/endpoints/crm", "/journeys/_publish"),
    *("/", "/webhooks", "/webhooks/_new", "/keys", "/policy", "/calls/redrive"),
)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_element_and_no_attribute_of_anybody_elses(
    console: Furnished, path: str
) -> None:
    answer = console.browser("ada").get(path)
    assert answer.status_code == 200
    _require_inert(answer.text)


def test_a_user_of_any_name_is_shown_and_nothing_of_him_is_markup(console: Furnished) -> None:
    ada = console.browser("ada")
    for number, text in enumerate(HOSTILE):
        name = quote(text, safe="")
        answer = ada.get(f"/user?id={name}")
        assert answer.status_code == 200, text
        _require_inert(answer.text)
        assert _shows(answer.text, text), text
        if number % SAMPLED == 0:
            explained = ada.get(f"/events/explain?user={name}&seq={SEQ + number}")
            assert explained.status_code == 200, text
            _require_inert(explained.text)


def test_an_endpoint_of_any_title_is_shown_and_can_be_edited(console: Furnished) -> None:
    ada = console.browser("ada")
    shown = 0
    for number, text in list(enumerate(HOSTILE))[::SAMPLED]:
        for path in (f"/endpoints/e{number}", f"/endpoints/e{number}/edit"):
            answer = ada.get(path)
            assert answer.status_code == 200, text
            _require_inert(answer.text)
        shown += _shows(answer.text, text)
    assert shown > len(HOSTILE) / SAMPLED / 2


NAMED = (
    *("/journeys/{}", "/journeys/{}/report", "/journeys/{}/passages", "/journeys/{}/changes"),
    *("/webhooks/{}", "/webhooks/{}/edit", "/webhooks/{}/delete", "/operators/{}", "/tokens/{}"),
    "/user?journey={0}&id={0}",
)


@pytest.mark.parametrize("path", NAMED)
def test_what_has_any_name_has_its_page_and_nothing_of_it_is_markup(
    console: Furnished, path: str
) -> None:
    ada, shown = console.browser("ada"), 0
    names = NAMES[NAMED.index(path) % SAMPLED_NAMES :: SAMPLED_NAMES]
    for name in names:
        answer = ada.get(path.format(quote(name, safe="")))
        # A part of a path holds no "/", and names of operators no capital.
        assert answer.status_code in (200, 404, 405), (path, name)
        _require_inert(answer.text)
        shown += answer.status_code == 200 and _shows(answer.text, name)
    assert shown > len(names) * 0.4, path


FIELDS = (
    *("q", "user", "what", "actor", "since", "journey", "step", "code", "state", "id", "show"),
    *("after", "having"),
)
WITH_QUERIES = ("/users", "/events", "/audit", "/calls", "/journeys", "/endpoints", "/profiles")


@pytest.mark.parametrize("sampled", [8, pytest.param(1, marks=pytest.mark.soak)])
def test_a_query_of_anything_breaks_no_page(console: Furnished, sampled: int) -> None:
    ada = console.browser("ada")
    for number, text in list(enumerate(HOSTILE))[::sampled]:
        field, path = FIELDS[number % len(FIELDS)], WITH_QUERIES[number % len(WITH_QUERIES)]
        answer = ada.get(f"{path}?{field}={quote(text, safe='')}&path=1&self=2&{quote(text)}=3")
        assert answer.status_code in (200, 303, 400, 404), (path, field, text)
        if answer.status_code != 303:
            _require_inert(answer.text)


FORMS = (
    *("/endpoints/_new", "/profiles/_new/oauth2", "/tokens", "/operators", "/webhooks/_new"),
    *("/policy", "/journeys/_publish"),
)
SAID = (
    *("name", "profile", "title", "base_url", "kind", "role", "preset", "user", "event", "when"),
    *("properties", "text"),
)


@pytest.mark.parametrize("sampled", [24, pytest.param(SAMPLED, marks=pytest.mark.soak)])
def test_a_form_of_anything_is_shown_again_as_text(console: Furnished, sampled: int) -> None:
    ada: Browser = console.browser("ada")
    for text in HOSTILE[::sampled]:
        for path in FORMS:
            answer = ada.post(path, dict.fromkeys(SAID, text))
            assert answer.status_code in (409, 422, 303), (path, text)
            if answer.status_code != 303:
                _require_inert(answer.text)
