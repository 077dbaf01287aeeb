"""How values become text on a page."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from jinja2 import UndefinedError

from engine.console.rendering import Templates, link, span, visible

SECOND = 1_000_000


@pytest.fixture
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    folder = tmp_path_factory.mktemp("templates")
    for name, text in {
        "value": "{{ value }}",
        "exact": '<input value="{{ value|exact }}">',
        "when": "{{ value|when }}",
        "nothing": "{{ nothing.at_all }}",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    return Templates(str(folder), {}, ZoneInfo("Europe/Istanbul"))


@pytest.mark.parametrize(
    ("microseconds", "words"),
    [
        (85_000, "85 ms"),
        (0, "0 ms"),
        (12 * SECOND, "12 s"),
        (90 * SECOND, "1 min 30 s"),
        (3_600 * SECOND, "1 h"),
        (97_200 * SECOND, "1 d 3 h"),
        (86_400 * SECOND + 5 * SECOND, "1 d"),
    ],
)
def test_a_span_is_told_by_its_two_largest_units(microseconds: int, words: str) -> None:
    assert span(microseconds) == words


def test_what_steers_a_text_is_shown_and_not_obeyed() -> None:
    assert visible("a\u202eb\x1bc\nd") == "a\ufffdb\ufffdc\nd"
    assert visible("می\u200cگیریم\n👩\u200d🚀") == "می\u200cگیریم\n👩\u200d🚀"


def test_a_link_leaves_out_what_isnt_there_and_encodes_the_rest() -> None:
    assert link("/calls") == "/calls"
    assert link("/calls", journey="a b&c", step=None, code="") == "/calls?journey=a+b%26c"


def test_everything_is_escaped(templates: Templates) -> None:
    assert templates.render("value", {"value": "<b>'\""}) == "&lt;b&gt;&#39;&#34;"
    assert templates.render("value", {"value": None}) == ""
    assert templates.render("exact", {"value": '"\u202e<'}) == '<input value="&#34;\u202e&lt;">'


def test_half_a_character_breaks_no_page(templates: Templates) -> None:
    for name in ("value", "exact"):
        templates.render(name, {"value": "\ud800"}).encode()


def test_an_instant_stands_in_the_installations_zone_with_utc_beside_it(
    templates: Templates,
) -> None:
    shown = templates.render("when", {"value": 1_795_330_805_000_000})
    assert shown == (
        '<time datetime="2026-11-22T07:00:05Z" title="2026-11-22T07:00:05Z">'
        "22 Nov 2026, 10:00:05</time>"
    )
    assert "never" in templates.render("when", {"value": None})


def test_a_name_that_isnt_there_is_a_bug_and_no_empty_text(templates: Templates) -> None:
    with pytest.raises(UndefinedError):
        templates.render("nothing", {})
