from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest

from engine.core.drawing.cards import TEXT_AT, WIDTH
from engine.core.drawing.counts import Counts, StepCounts
from engine.core.drawing.svg import svg
from tests.unit.core.drawing.journeys import program

NS = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "desc", "style", "defs", "symbol", "path", "rect", "g", "use", "text"}
ATTRIBUTES = {
    *("aria-labelledby", "class", "d", "height", "href", "id", "role", "rx", "transform"),
    *("viewBox", "width", "x", "y", "{http://www.w3.org/XML/1998/namespace}space"),
}
HOSTILE = [
    "</text><script>alert(1)</script>",
    "\"' onload='alert(1)",
    "]]><!-- --><![CDATA[",
    "&lt;b&gt; &amp; &#x3c;script&#62;",
    "javascript:alert(1)",
    "a\u202eb",
    "</style><style>*{display:none}",
    "]" * 190,
    "خروج 退出 🎉",
]
SHORT = """\
steps:
  - {id: greet, type: call_api, endpoint: crm}
  - {id: rest, type: wait, for: P1D}
"""


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)


def words(root: ET.Element) -> list[str]:
    return ["".join(text.itertext()) for text in root.iter(f"{NS}text")]


def test_it_has_a_name_and_a_description_for_whoever_does_not_see_it() -> None:
    root = parsed(svg(program(f"dsl: 1\njourney: hello\ntitle: Hello you\n{SHORT}")))
    assert root.get("role") == "img"
    named = (root.get("aria-labelledby") or "").split()
    by_id = {element.get("id"): element.text for element in root.iter() if element.get("id")}
    assert by_id[named[0]] == "Hello you"
    assert by_id[named[1]] == "Flow chart of 2 steps: greet, rest."


def test_each_node_says_everything_when_it_is_pointed_at() -> None:
    long = "user.a and " * 20 + "user.b"
    text = f"steps:\n  - {{id: a, type: call_api, endpoint: crm, when: {long}}}\n"
    titles = [title.text or "" for title in parsed(svg(program(text))).iter(f"{NS}title")]
    assert any(title.startswith("a (call_api)") and title.endswith(long) for title in titles)


def test_it_loads_nothing_and_runs_nothing() -> None:
    text = svg(program(SHORT), Counts(2, {"greet": StepCounts(2, 2)}))
    assert {element.tag.removeprefix(NS) for element in parsed(text).iter()} <= ELEMENTS | {"tspan"}
    assert not re.search(r"url\(|@import|@font-face|\son\w+=|style=", text)
    assert re.findall(r'href="([^#][^"]*)"', text) == []
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]


def test_it_is_dark_where_its_reader_is_and_light_on_paper() -> None:
    style = parsed(svg(program(SHORT))).find(f"{NS}style")
    assert style is not None
    sheet = style.text or ""
    assert "@media (prefers-color-scheme:dark)" in sheet
    assert sheet.index("@media print") > sheet.index("@media (prefers-color-scheme:dark)")
    outside = re.sub(r"@media [^{]+\{", "", sheet)
    selectors = [one for rule in outside.split("}") for one in rule.split("{")[0].split(",")]
    assert all(one.startswith((".jg", "")) and ("jg" in one or not one) for one in selectors)


def test_a_program_that_knows_no_custom_properties_sees_the_light_colours() -> None:
    sheet = svg(program(SHORT))
    for what in re.findall(r"(\w+):var\(", sheet):
        assert re.search(rf"{what}:#[0-9a-f]{{6}};{what}:var\(", sheet)
    bare = re.findall(r"[{;](?:fill|stroke):var\(", sheet)
    assert len(bare) == len(re.findall(r"#[0-9a-f]{6};(?:fill|stroke):var\(", sheet))


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_authors_write_is_text_and_nothing_else(text: str) -> None:
    drawn = svg(program(json.dumps(_with_everywhere(text), ensure_ascii=False)))
    root = parsed(drawn)
    assert {element.tag.removeprefix(NS) for element in root.iter()} <= ELEMENTS | {"tspan"}
    assert {name for element in root.iter() for name in element.attrib} <= ATTRIBUTES
    assert len(root.findall(f"{NS}style")) == 1
    assert drawn.replace("\n", "").isprintable()
    titles = [title.text or "" for title in root.iter(f"{NS}title")]
    assert titles[0] == " ".join(text.replace("\u202e", "\ufffd").split())


def _with_everywhere(text: str) -> dict[str, object]:
    condition = f"user.a == {json.dumps(text, ensure_ascii=False)}"
    return {
        "dsl": 1,
        "journey": "hostile",
        "title": text,
        "description": text,
        "goals": [{"name": "g", "event": "e", "where": condition}],
        "steps": [
            {"id": "a", "type": "call_api", "endpoint": "crm", "title": text, "when": condition},
            {"id": "b", "type": "branch", "paths": [{"name": "p", "when": condition}]},
            {"id": "c", "type": "exit", "title": text},
        ],
    }


def test_no_line_is_wider_than_its_box() -> None:
    title = "W" * 150
    root = parsed(svg(program(f"steps: [{{id: a, type: wait, for: P1D, title: {title}}}]")))
    lines = [line for line in words(root) if set(line) <= {"W", "…"}]
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(len(line) * 0.9 * 13.5 < WIDTH - TEXT_AT for line in lines)


def test_counts_stand_at_their_steps() -> None:
    text = """\
steps:
  - id: gift
    type: split
    arms: [{name: x, weight: 1}, {name: y, weight: 3}]
  - {id: ask, type: call_api, endpoint: crm}
  - {id: done, type: exit, outcome: good}
"""
    counts = Counts(
        entered=1500,
        steps={
            "gift": StepCounts(1500, 1500),
            "ask": StepCounts(1500, 1200, 200, 60, 40),
            "done": StepCounts(1460, 1460),
        },
        arms={"gift": {"x": 400, "y": 1100}},
    )
    shown = words(parsed(svg(program(text), counts)))
    assert {"1,500 entered   40 waiting   200 failed", "60 skipped"} <= set(shown)
    assert {"25 %: 400", "75 %: 1,100", "1,460 ended here", "1,500 entered"} <= set(shown)


def test_counts_of_a_step_that_is_drawn_but_was_never_counted_are_left_out() -> None:
    shown = words(parsed(svg(program(SHORT), Counts(0, {"greet": StepCounts()}))))
    assert shown.count("0 entered") == 2
