"""Text → plain data with places: what is read, what is refused, and how it is said."""

from __future__ import annotations

import time
import tracemalloc

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.dsl import composer
from engine.core.dsl.problems import Place
from engine.core.dsl.source import Limits, compose, read_yaml
from engine.errors import DefinitionError

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)
DEEP_ALIASES = "- &a0 []\n" + "".join(f"- &a{n} [*a{n - 1}]\n" for n in range(1, 400))

HOSTILE: list[tuple[str, str | bytes, str]] = [
    ("empty", b"", "yaml.empty"),
    ("only a comment", "# nothing\n", "yaml.empty"),
    ("null", "~\n", "yaml.empty"),
    ("only a byte order mark", b"\xef\xbb\xbf", "yaml.empty"),
    ("NUL", b"a: \0", "yaml.binary"),
    ("binary", bytes(range(256)), "yaml.binary"),
    ("an image", b"\x89PNG\r\n\x1a\n" + b"\xff" * 100, "yaml.encoding"),
    ("UTF-16", "a: 1".encode("utf-16"), "yaml.encoding"),
    ("UTF-16, no mark", "a: 1".encode("utf-16-le"), "yaml.binary"),
    ("Latin-1", b"a: 1\nb: caf\xe9\n", "yaml.encoding"),
    ("a lone surrogate", "a: \ud800", "yaml.encoding"),
    ("terminal codes", "a: \x1b[31mred\n", "yaml.character"),
    ("an escaped NUL", 'a: "\\0"\n', "yaml.character"),
    ("2 MB", b"a: " + b"x" * 2_000_000, "yaml.too_big"),
    ("30,000 brackets", "[" * 30_000, "yaml.too_deep"),
    ("30,000 braces", "{" * 30_000, "yaml.complex_key"),
    ("30,000 dashes", "- " * 30_000, "yaml.too_deep"),
    ("30,000 question marks", "? " * 30_000, "yaml.complex_key"),
    ("deep mappings", "{a: " * 30_000, "yaml.too_deep"),
    ("deep blocks", "\n".join("  " * n + "a:" for n in range(60)), "yaml.too_deep"),
    ("deep by aliases", DEEP_ALIASES, "yaml.too_deep"),
    ("a million laughs", LAUGHS, "yaml.too_many_nodes"),
    ("60,000 values", "- x\n" * 60_000, "yaml.too_many_nodes"),
    ("half a megabyte of comments", "#\n" * 260_000, "yaml.empty"),
    ("a cyclic alias", "a: &a [*a]\n", "yaml.alias"),
    ("an unknown alias", "a: *nobody\n", "yaml.alias"),
    ("40,000 unknown aliases", "[" + "*a," * 40_000, "yaml.alias"),
    ("ampersands", "&" * 100_000, "yaml.syntax"),
    ("colons", "a: " * 100_000, "yaml.syntax"),
    ("a merge key", "a: &a {x: 1}\nb:\n  <<: *a\n", "yaml.merge_key"),
    ("a Python object", "a: !!python/object/apply:os.system ['x']\n", "yaml.tag"),
    ("a tag", "a: !!str 5\n", "yaml.tag"),
    ("a tagged mapping", "a: !!set {b}\n", "yaml.tag"),
    ("a tagged key", "!!str a: 5\n", "yaml.tag"),
    ("a tag directive", "%TAG ! tag:x,2000:\n---\na: !x 1\n", "yaml.tag"),
    ("an unknown version", "%YAML 3.0\n---\na: 1\n", "yaml.syntax"),
    ("two documents", "a: 1\n---\nb: 2\n", "yaml.documents"),
    ("duplicate keys", "a: 1\nb: 2\na: 3\n", "yaml.duplicate_key"),
    ("duplicate keys, one quoted", 'a: 1\n"a": 3\n', "yaml.duplicate_key"),
    ("100,000 duplicate keys", "{" + "a: 1," * 100_000, "yaml.duplicate_key"),
    ("a list as a key", "? [a]\n: 1\n", "yaml.complex_key"),
    ("an alias as a key", "a: &a x\n*a : 1\n", "yaml.complex_key"),
    ("no key", "? \n: 1\n", "yaml.key"),
    ("an open quote", 'a: "x\nb: c\n', "yaml.syntax"),
    ("an open list", "a: [1, 2\nb: 3\n", "yaml.syntax"),
    ("bad indentation", "a:\n   b: 1\n  c: 2\n", "yaml.syntax"),
    ("a tab", "a:\n\t- b\n", "yaml.tab"),
    ("a tab in deeper lines", "a:\n  b: 1\n\tc: 1\n", "yaml.tab"),
    ("a leading zero", "a: 01234\n", "yaml.number"),
    ("2^63", "a: 9223372036854775808\n", "yaml.number"),
    ("a hexadecimal number beyond 64 bits", "a: 0x" + "f" * 5_000 + "\n", "yaml.number"),
    ("100,000 digits", "a: " + "9" * 100_000 + "\n", "yaml.number"),
    ("infinity", "a: -.inf\n", "yaml.number"),
    ("a float beyond all bounds", "a: 1e999\n", "yaml.number"),
]


@pytest.mark.parametrize(
    ("source", "code"),
    [(source, code) for _, source, code in HOSTILE],
    ids=[name for name, _, _ in HOSTILE],
)
def test_a_hostile_file_gets_a_clear_problem_in_no_time(source: str | bytes, code: str) -> None:
    began = time.thread_time()
    with pytest.raises(DefinitionError) as caught:
        read_yaml(source, "x.yaml")
    assert time.thread_time() - began < 4
    first = caught.value.problems[0]
    assert first.code == code
    assert first.line >= 1
    assert first.column >= 1
    assert first.message
    assert len(caught.value.problems) <= 200


def test_a_hostile_file_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        for source in ("[" * 1_000_000, LAUGHS):
            with pytest.raises(DefinitionError):
                read_yaml(source, "x.yaml")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


TRAPS = [
    (
        "- {where: user.tier in ['a', 'b']}",
        "yaml.quote",
        11,
        """quote the value: - {where: "user.tier in ['a', 'b']"}""",
    ),
    (
        "- {path: /u/{{ user.id }}, id: x}",
        "yaml.quote",
        10,
        'quote the value: - {path: "/u/{{ user.id }}", id: x}',
    ),
    ("path: {{ user.id }}", "yaml.quote", 7, 'quote the value: path: "{{ user.id }}"'),
    (
        "a: {to: {{ user.email }}, b: 1}",
        "yaml.quote",
        9,
        'quote the value: a: {to: "{{ user.email }}", b: 1}',
    ),
    (
        "when: user.note == 'a: b'",
        "yaml.quote",
        7,
        """quote the value: when: "user.note == 'a: b'\"""",
    ),
    ("when: !user.x", "yaml.tag", 7, "say `not`: when: not user.x"),
    (
        "any: [{event: x, where: event.t in ['a', 'b'], next: c}]",
        "yaml.quote",
        25,
        """quote the value: any: [{event: x, where: "event.t in ['a', 'b']", next: c}]""",
    ),
    ("schedule: */5 * * * *", "yaml.quote", 11, 'quote the value: schedule: "*/5 * * * *"'),
    ("when: 'a' in user.tags", "yaml.quote", 7, """quote the value: when: "'a' in user.tags\""""),
    (
        'when: "a" in user.tags',
        "yaml.quote",
        7,
        """quote the value: when: '"a" in user.tags'""",
    ),
    ("a: @home", "yaml.quote", 4, 'quote the value: a: "@home"'),
]


@pytest.mark.parametrize(("line", "code", "column", "remedy"), TRAPS)
def test_what_yaml_did_is_said_with_the_line_quoted_right(
    line: str, code: str, column: int, remedy: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_yaml(f"# a comment\n{line}\n", "x.yaml")
    (problem,) = caught.value.problems
    assert (problem.code, problem.line, problem.column) == (code, 2, column)
    assert problem.remedy == remedy
    assert problem.text == line


@pytest.mark.parametrize(("line", "code", "column", "remedy"), TRAPS)
def test_the_line_that_a_remedy_shows_is_yaml(
    line: str, code: str, column: int, remedy: str
) -> None:
    read_yaml(remedy.split(": ", 1)[1] if remedy.startswith("quote") else remedy[11:], "x.yaml")


def test_only_the_types_of_yaml_1_2_are_known() -> None:
    text = """
    on: yes
    off: no
    time: 21:30
    date: 2026-03-29
    truth: [true, False, TRUE]
    nothing: [null, ~, Null, ]
    whole: [1, -1, +1, 0, 0o17, 0x1F, 9223372036854775807, -9223372036854775808]
    broken: [1.5, .5, 1e3, -0.0]
    text: ["1", 'true', 1_000, 0b1, 1.2.3, 'null', "", +, -, .]
    """
    assert read_yaml(text, "x.yaml").root.data == {
        "on": "yes",
        "off": "no",
        "time": "21:30",
        "date": "2026-03-29",
        "truth": [True, False, True],
        "nothing": [None, None, None],
        "whole": [1, -1, 1, 0, 15, 31, 2**63 - 1, -(2**63)],
        "broken": [1.5, 0.5, 1000.0, -0.0],
        "text": ["1", "true", "1_000", "0b1", "1.2.3", "null", "", "+", "-", "."],
    }


def test_keys_are_text_as_written() -> None:
    assert read_yaml("200: a\ntrue: b\n~: c\n", "x").root.data == {
        "200": "a",
        "true": "b",
        "~": "c",
    }


def test_a_byte_order_mark_and_windows_line_ends_are_taken_off() -> None:
    document = read_yaml(b"\xef\xbb\xbfa: 1\r\nb: [x]\r\n", "x.yaml")
    assert document.root.data == {"a": 1, "b": ["x"]}
    assert document.key_place(("b",)) == Place(2, 1, 1)
    assert document.lines.raw(2) == "b: [x]"


def test_every_key_and_value_has_its_place() -> None:
    document = read_yaml("a:\n  - {b: é, cd: 'e'}\n  - |\n    text\n", "x.yaml")
    assert document.key_place(("a", 0, "cd")) == Place(2, 12, 2)
    assert document.place(("a", 0, "cd")) == Place(2, 16, 3)
    assert document.place(("a", 1)).line == 3
    assert document.place(("a", 7, "gone")) == document.place(("a",))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: abc def", Place(1, 8)),
        ("a: 'abc def'", Place(1, 9)),
        ("a: |\n  abc def\n", Place(2, 7)),
        ('a: "\\x61bc def"', Place(1, 4, 12)),
        ("a: abc\n  def", Place(1, 4, 0)),
    ],
)
def test_a_character_inside_a_text_has_its_place(text: str, place: Place) -> None:
    document = read_yaml(text, "x.yaml")
    found = document.place_within(("a",), 4)
    assert found.line == place.line
    assert found.column == place.column


def test_an_alias_stands_for_its_anchor_and_keeps_its_own_place() -> None:
    document = read_yaml("a: &a {x: 1}\nb: *a\n", "x.yaml")
    assert document.root.data == {"a": {"x": 1}, "b": {"x": 1}}
    assert document.place(("b",)).line == 2
    assert document.place(("b", "x")).line == 1


def test_a_comment_behind_an_unquoted_value_is_known() -> None:
    document = read_yaml("a: x # y\nb: x#y\nc: 'x' # y\n", "x.yaml")
    assert [document.root.items[key].commented for key in "abc"] == [True, False, False]


def test_several_problems_are_reported_at_once_and_in_order() -> None:
    text = "a: 1\na: 2\nb: !x y\nc: 0123\n<<: {}\n"
    with pytest.raises(DefinitionError) as caught:
        read_yaml(text, "x.yaml")
    assert [(p.line, p.code) for p in caught.value.problems] == [
        (2, "yaml.duplicate_key"),
        (3, "yaml.tag"),
        (4, "yaml.number"),
        (5, "yaml.merge_key"),
    ]


def test_limits_are_the_callers() -> None:
    with pytest.raises(DefinitionError) as caught:
        read_yaml("a: [[1]]", "x", limits=Limits(depth=2))
    assert caught.value.code == "yaml.too_deep"
    with pytest.raises(DefinitionError) as caught:
        read_yaml("a: [1]", "x", limits=Limits(bytes=3))
    assert caught.value.code == "yaml.too_big"


def test_a_line_with_a_secret_is_never_shown() -> None:
    text = (
        "a:\n  token: hunter2hunter2\n  note: sk_live_abcdefghijklmnop\n  b: !x sk_live_abcdefgh\n"
    )
    with pytest.raises(DefinitionError) as caught:
        read_yaml(text + "a: |\n  -----BEGIN PRIVATE KEY-----\n\tMIIEabc\n", "x.yaml")
    for problem in caught.value.problems:
        shown = f"{problem.message} {problem.remedy} {problem.text}"
        assert not any(secret in shown for secret in ("hunter2", "sk_live", "MIIE"))


def test_the_python_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &a [1, 'é', {b: ~}]\nc: *a\nd: |\n  x\ne: y # z\n"
    expected = read_yaml(text, "x.yaml")
    monkeypatch.setattr(composer, "_Parser", yaml.SafeLoader)
    found = read_yaml(text, "x.yaml")
    assert found.root.data == expected.root.data
    assert found.place(("a", 1)) == expected.place(("a", 1))
    assert found.root.items["e"].commented
    for _, source, _ in HOSTILE:
        if len(source) < 1_000:
            with pytest.raises(DefinitionError):
                read_yaml(source, "x.yaml")


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab:-{}[]?,&*!|>'\"%@`#~<. \n\t\\0é", max_size=60) | st.binary(max_size=60))
def test_nothing_but_a_definition_error_comes_out(source: str | bytes) -> None:
    try:
        compose(source, "x.yaml")
    except DefinitionError as error:
        assert error.problems
