from __future__ import annotations

import re
from html.parser import HTMLParser

from engine.cli.show.page import page
from engine.core.dsl.load import load
from engine.core.dsl.program import Program, compile_journey
from engine.enrollments.summary import CallTally, FailureSeen, StepTally, Summary

HOSTILE = "</td></style><script>alert(1)</script><img src=x onerror=alert(1)>'\"\u202e"
SOURCE = """\
dsl: 1
journey: j
title: "{title}"
steps:
  - {{id: ask, type: call_api, endpoint: crm}}
  - {{id: gift, type: split, arms: [{{name: x, weight: 1}}, {{name: y, weight: 1}}]}}
"""
VOID = {"meta", "img", "br"}


def program(title: str = "J") -> Program:
    written = title.replace("\\", "\\\\").replace('"', '\\"')
    return compile_journey(load(SOURCE.format(title=written).encode(), "j.yaml").journey)


def summary(text: str = "answered 404") -> Summary:
    return Summary(
        journey="j",
        version=3,
        entered=1_500,
        finished=1_460,
        waiting=40,
        refusals={"once": 7},
        outcomes={"completed": 1_460},
        steps={"ask": StepTally("crm", 1_500, 1_200, 200, 60), "gift": StepTally(None, 1_460)},
        arms={"gift": {"x": 700, text: 760}},
        endpoints={"crm": CallTally(1_200, 200, 1_633)},
        tokens={"crm-oauth": 4},
        failures=(FailureSeen("ask", "call.client_error", 200, text, text),),
    )


class Reading(HTMLParser):
    """The tags, attributes and texts of a page; fails where tags don't close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_holds_the_numbers_the_graph_and_an_example_of_each_failure() -> None:
    texts = Reading(page(program(), summary(), "run 7")).texts
    assert {"1,500", "1,460", "40", "1,633", "60", "→ x", "760", "crm-oauth"} <= set(texts)
    assert "1,500 entered" in texts
    assert "failed 200, went on 200, stuck 0" in texts
    assert any("version 3 · run 7" in text for text in texts)
    assert ": answered 404" in texts


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    text = page(program(), summary(), "run 7")
    read = Reading(text)
    assert not read.tags & {"script", "link", "img", "iframe", "object", "form", "base"}
    assert not [name for name, _ in read.attributes if name.startswith("on") or name == "src"]
    assert all(value.startswith("#") for name, value in read.attributes if name == "href")
    assert not re.search(r"url\(|@import|@font-face", text)
    policy = dict(read.attributes)["content"] and text.split('Policy" content="')[1].split('"')[0]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")


def test_whatever_servers_and_authors_say_is_text() -> None:
    read = Reading(page(program(HOSTILE.removesuffix("\u202e")), summary(HOSTILE), HOSTILE))
    assert not read.tags & {"script", "img"}
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert "\u202e" not in "".join(read.texts)
    assert sum("<script>alert(1)</script>" in text for text in read.texts) >= 5


def test_what_did_not_happen_has_no_table() -> None:
    nothing = Summary(journey="j", version=None, steps={"ask": StepTally("crm")})
    texts = Reading(page(program(), nothing, "simulated")).texts
    headings = {"Journey", "Steps", "Endpoints", "Outcomes", "Not admitted", "Token requests"}
    assert headings & set(texts) == {"Journey", "Steps"}
    assert not any("version" in text for text in texts if text.startswith(" ·"))


def test_somebody_who_is_stuck_is_said_in_red() -> None:
    stuck = summary()
    stuck.stuck = 3
    text = page(program(), stuck, "run 7")
    assert '<p class="verdict bad">failed 200, went on 197, stuck 3</p>' in text
