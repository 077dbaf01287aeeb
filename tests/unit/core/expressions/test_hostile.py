"""Escapes and bombs: each is refused when it is compiled, or bounded when it runs."""

from __future__ import annotations

import sys

import pytest

from engine.core.expressions.errors import ExpressionError, Unfillable
from engine.core.expressions.grammar import EVENT_ROOTS, compile_expression
from engine.core.expressions.limits import MAX_STRING
from engine.core.expressions.scope import Scope
from engine.core.expressions.values import compile_path, compile_value

REFUSED = [
    # ways to Python's objects
    "''.__class__",
    "''.__class__.__mro__[1].__subclasses__()",
    "().__class__.__base__.__subclasses__()",
    "[].__class__",
    "{}.__class__",
    "user.__class__",
    "user.__class__.__mro__",
    "user['__class__']",
    "user.x.__init__.__globals__",
    "user.get('x')",
    "user.items()",
    "user.keys()",
    "user.pop('id')",
    "user.update({'tier': 'gold'})",
    "user.email.encode('utf-16')",
    "user.email.format(user)",
    "'{0.__class__}'.format(user)",
    "'%s' % user",
    "'%1000000d' % 1",
    "'%(x)s' % {'x': user}",
    "user.tags.append(1)",
    "(user | first).__class__",
    "(1).__class__",
    "1 .real()",
    "now.__class__",
    "now.tzinfo",
    "now.replace(year=1)",
    "user | attr('__class__')",
    "user.x | attr('mro')()",
    "user.x | map('__class__') | attr('x')",
    "user.x | select('eq', 1)",
    "user.x | selectattr('x')",
    "user.x | groupby('x')",
    "user.x | batch(2)",
    "user.x | format(1)",
    "user.x | pprint",
    "user.x | xmlattr",
    "user.x | safe",
    "user.x | list",
    "user.x | sort",
    "user.x | sum",
    "user.x | indent(1000000000)",
    "user.x | center(1000000000)",
    "user.x | wordwrap(1)",
    "user.x | urlize",
    "user.x | random",
    "user.x | filesizeformat",
    "user.x|lower(1)",
    "user.x|lower()()",
    # Jinja2's globals and context
    "cycler",
    "cycler.__init__.__globals__.os.popen('id').read()",
    "lipsum.__globals__['os']",
    "joiner()",
    "namespace(a=1)",
    "range(1000000000)",
    "range(10**9)",
    "dict(a=1)",
    "self",
    "self._TemplateReference__context",
    "context",
    "loop",
    "caller()",
    "super()",
    "config",
    "request.application",
    "url_for.__globals__",
    "g.pop",
    "_",
    "__import__('os')",
    "__builtins__",
    "eval('1')",
    "exec('1')",
    "open('/etc/passwd')",
    "getattr(user, 'x')",
    "print(1)",
    "globals()",
    # statements, comments, templates inside
    "{% for i in user %}",
    "{%",
    "%}",
    "{{ {{",
    "{{",
    "}}",
    "{{ user.x }}",
    "{# x #}",
    "#}",
    "user.x -}}",
    "user.x %}",
    "{% raw %}",
    "a = 1",
    "a := 1",
    "lambda x: x",
    "[x for x in user]",
    "user.x if",
    "import os",
    "yield 1",
    "await user",
    "*user",
    "**user",
    # numbers and repetition
    "9" * 1_000,
    "0x" + "f" * 1_000,
    "0b" + "1" * 1_500,
    "1e999",
    "1e" + "9" * 500,
    "2 ** 99999",
    "9 ** 9 ** 9",
    "'a' * 1000000000",
    "1000000000 * 'a'",
    "'a' * 10**9",
    "user.x * 'a'",
    "-'a'[0]",
    "1_",
    # nesting
    "[" * 1_000,
    "(" * 1_000,
    "{" * 1_000,
    "[" * 900 + "]" * 900,
    "(" * 900 + "1" + ")" * 900,
    "{'a':" * 300 + "1" + "}" * 300,
    "user" + "[user" * 300 + "]" * 300,
    "not " * 499 + "1",
    "not " * 10_000 + "1",
    "-" * 1_999 + "1",
    "+" * 1_999 + "1",
    "- - " * 400 + "1",
    "-(" * 400 + "1" + ")" * 400,
    "not(" * 400 + "1" + ")" * 400,
    "1 if 1 else " * 150 + "1",
    "1+" * 900 + "1",
    "1~" * 900 + "1",
    "user.x" + "|lower" * 300,
    "user.x" + "|default(user.y" * 100 + ")" * 100,
    "date(" * 300 + "now" + ")" * 300,
    "1 <" * 500 + "1",
    "1 and " * 300 + "1",
    "[" + "1," * 900 + "1]",
    # unicode and control characters
    "us\u0435r.x",
    "user\u200b.x",
    "\u202euser.x",
    "user\uff0ex",
    "user.x \uff1d\uff1d 1",
    "user.x\x00",
    "'\x00'",
    "'\\x41'",
    "'\\N{BULLET}'",
    "'\\U0001F600'",
    "\ufeffuser.x",
    "\uff08\uff09",
    "\u2018a\u2019",
    "\x1b[31m",
    "user.²",
    "٣ + 1",
    "\ud800",
]

BOUNDED = [
    "user.long ~ user.long ~ user.long",
    "user.long + user.long",
    "user.long | replace('a', user.long)",
    "user.long | replace('a', 'bb') | replace('b', user.long)",
    "user.many | join(user.long)",
    "user.many | join('x' ~ user.long)",
    "[user.many, user.many] | tojson",
    "user.long ~ user.long | upper",
    "user.sharp | upper",
    "user.huge | lower",
    "user.huge | truncate(400000)",
    "[user.huge, user.huge, user.huge]",
    "{'a': user.huge, 'b': user.huge, 'c': user.huge}",
    "[" + ",".join(["user.many"] * 90) + "] | tojson",
    "[[[user.huge, user.huge], user.huge], user.huge]",
    "user.big * user.big",
    "user.big ~ ''",
    "user.big | string",
    "user.big | tojson",
    "user.big / 3",
    "user.big | float",
    "user.big | round(2)",
    "user.deep",
    "user.deep | tojson",
    "user.strange",
    "user.strange | tojson",
    "[user.deep, user.deep]",
    "user.inf | int",
    "user.inf ~ ''",
    "user.inf | tojson",
    "user.nan | tojson",
    "user.inf * 2",
]

HARMLESS = [
    "user.format",
    "user.keys",
    "user.items",
    "user.mro",
    "user.big == user.big",
    "user.deep == user.deep",
    "user.big > 1.5",
    "user.nan == user.nan",
    "user.long in user.huge",
    "user.huge | length",
    "user.long | truncate(0)",
    "user.long | truncate(-5)",
    "user.long | truncate(3, end=user.long)",
    "user.long | replace('', user.long)",
    "user.strange == user.strange",
    "user.strange < 1",
    "user.strange ~ 'a'",
    "user.strange | length",
    "user.nan | round",
    "user.nan | int",
    "date(user.inf)",
    "date(user.nan)",
    "date(user.big)",
    "date(1e13)",
    "date('9999-12-31T23:59:59-23:59')",
    "date('0001-01-01')",
    "date('0002-01-01T00:00:00+23:59')",
    "days_since('9998-12-31T23:59:59-23:59')",
    "days_until(-99999999999999)",
    "has_event('x')",
    "visits(greet)",
]


def hostile_scope() -> Scope:
    deep: list[object] = []
    for _ in range(sys.getrecursionlimit() * 3):
        deep = [deep]
    return Scope(
        now=0,
        user={
            "long": "a" * (MAX_STRING - 10),
            "huge": "a" * 500_000,
            "sharp": "ß" * (MAX_STRING - 10),
            "many": ["ab"] * 20_000,
            "big": 10**5_000,
            "deep": deep,
            "strange": object(),
            "inf": float("inf"),
            "nan": float("nan"),
        },
        steps={"greet": "not a record"},
    )


@pytest.mark.parametrize("source", REFUSED, ids=lambda source: ascii(source)[:60])
def test_an_escape_or_a_bomb_is_refused(source: str) -> None:
    for allow in (EVENT_ROOTS, frozenset[str]()):
        with pytest.raises(ExpressionError):
            compile_expression(source, allow=allow)


@pytest.mark.parametrize("source", BOUNDED, ids=lambda source: source[:60])
def test_a_bomb_of_data_is_bounded(source: str) -> None:
    with pytest.raises(Unfillable):
        compile_expression(source).evaluate(hostile_scope())


@pytest.mark.parametrize("source", HARMLESS)
def test_hostile_data_does_no_harm(source: str) -> None:
    result = compile_expression(source).evaluate(hostile_scope())
    assert result is None or isinstance(result, bool | int | str)


@pytest.mark.parametrize(
    "raw",
    [
        "{% for x in y %}",
        "{# comment #}",
        "{{",
        "{{ user.x",
        "{{ user.x }",
        "{{ 'a }}",
        "{{ {{ user.x }} }}",
        "{{- user.x }}",
        "{{ user.x -}}",
        "{{ }}",
        "{{ user.x }} {{ user.__class__ }}",
        {"{{ user.x }}": 1},
        {"a": ["{{ 1 + }}"]},
        {1: "a"},
        {"a": 1j},
        ["{{ 1 }}"] * 1_001,
    ],
    ids=lambda raw: str(raw)[:40],
)
def test_a_hostile_value_is_refused(raw: object) -> None:
    with pytest.raises(ExpressionError):
        compile_value(raw)


def test_a_value_nested_without_end_is_refused() -> None:
    raw: list[object] = ["{{ user.x }}"]
    for _ in range(sys.getrecursionlimit() * 2):
        raw = [raw]
    with pytest.raises(ExpressionError):
        compile_value(raw)


@pytest.mark.parametrize(
    "template",
    [
        "",
        "relative",
        "{{ user.x }}",
        "//evil.example/x",
        "/a?b=1",
        "/a#b",
        "/a b",
        "/a\nb",
        "/a\\b",
        "/..",
        "/a/../b",
        "/a/./b",
        "/%2e%2E/b",
        "/a%zz",
        "/{{ user.x }}?{{ user.y }}",
        "/{{ user.x",
        "/{% x %}",
        "/a\x00",
        "/" + "a" * 9_000,
    ],
    ids=lambda template: ascii(template)[:30],
)
def test_a_path_that_leaves_its_place_is_refused(template: str) -> None:
    with pytest.raises(ExpressionError):
        compile_path(template)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("/a/{{ user.x }}", None),
        ("/a/{{ user.x }}", ""),
        ("/a/{{ user.x }}", "."),
        ("/a/{{ user.x }}", ".."),
        ("/a/.{{ user.x }}", "."),
        ("/a/%2e{{ user.x }}", "."),
        ("/a/{{ user.x }}{{ user.x }}", "."),
        ("/a/{{ user.x }}", "a\nb"),
        ("/a/{{ user.x }}", "a\x00"),
        ("/a/{{ user.x }}", "a\x85"),
        ("/a/{{ user.x }}", "\ud800"),
        ("/a/{{ user.x }}", ["a"]),
        ("/a/{{ user.x }}", {"a": 1}),
        ("/a/{{ user.x }}", "a" * 9_000),
        ("/a/{{ user.x }}", "é" * 3_000),
    ],
    ids=lambda part: ascii(part)[:30],
)
def test_a_value_cannot_leave_its_segment(template: str, value: object) -> None:
    with pytest.raises(Unfillable):
        compile_path(template).render(Scope(now=0, user={"x": value}))


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(REFUSED) + len(BOUNDED) + len(HARMLESS) > 150
