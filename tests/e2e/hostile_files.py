"""Files that nobody writes by accident: what breaks parsers, composers, loaders and terminals.

``python -m tests.e2e.hostile_files FILE...`` runs ``journey check`` on each, all in one
process, and says for each what came of it as a line of JSON.
"""

# ruff: noqa: E501 - a table of texts

from __future__ import annotations

import gzip
import io
import json
import re
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

MIB = 1024 * 1024
HEAD = "dsl: 1\njourney: j\n"
GOOD = f"{HEAD}steps:\n  - {{id: done, type: exit}}\n"


def hostile_files() -> dict[str, tuple[bytes, str]]:
    """Name → (content, the code of what is wrong with it; '' where nothing is)."""
    groups = (_nesting, _aliases, _scalars, _bytes, _formats, _structure, _language, _expressions)
    found: dict[str, tuple[bytes, str]] = {}
    for group in groups:
        for name, content, code in group():
            assert name not in found, name
            found[name] = (content if isinstance(content, bytes) else content.encode(), code)
    return found


Row = tuple[str, str | bytes, str]


def _nesting() -> Iterator[Row]:
    deep, big = "yaml.too_deep", 100_000
    yield "a million brackets", "[" * (MIB - 1), deep
    yield "closed brackets", "[" * big + "]" * big, deep
    yield "braces with keys", "{a: " * big, deep
    yield "braces with quoted keys", '{"a": ' * big, deep
    yield "braces", "{" * big, "yaml.complex_key"
    yield "brackets and braces", "[{a: " * big, deep
    yield "brackets and braces as keys", "{[" * big, "yaml.complex_key"
    yield "dashes in a line", "- " * big, deep
    yield "question marks in a line", "? " * big, "yaml.complex_key"
    yield "dashes and question marks", "- ? " * big, "yaml.complex_key"
    yield "blocks", "\n".join(" " * n + "a:" for n in range(1_000)), deep
    yield "blocks of lists", "\n".join(" " * n + "-" for n in range(1_000)), deep
    yield "steps in steps", HEAD + "\n".join(_indented(30)), deep
    yield "steps in steps of flow", HEAD + "steps: " + "[{steps: " * 5_000, deep
    yield (
        "a body nested",
        HEAD + "steps:\n  - {id: a, type: set, values: {vars.x: " + "[" * 500,
        deep,
    )
    yield "otherwise in otherwise", HEAD + "steps:\n  - {otherwise: " + "{otherwise: " * 300, deep
    yield "anchors in a line", "&a " * 50_000, "yaml.quote"
    yield "nesting with comments", "".join(f"[ # {n}\n" for n in range(20_000)), deep
    yield "nesting behind good lines", GOOD + "goals: " + "[" * 200_000, deep


def _indented(levels: int) -> Iterator[str]:
    yield "steps:"
    for n in range(levels):
        pad = "      " * n
        yield f"{pad}  - id: s{n}"
        yield f"{pad}    type: branch"
        yield f"{pad}    otherwise:"
        yield f"{pad}      steps:"
    yield "      " * levels + "  - {id: last, type: exit}"


def _aliases() -> Iterator[Row]:
    nodes = "yaml.too_many_nodes"
    laughs = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    laughs += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    yield "a billion laughs", "\n".join(laughs), nodes
    maps = ["a0: &a0 {k: v}"]
    maps += [f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}}}" for n in range(1, 36)]
    yield "laughs of mappings", "\n".join(maps), nodes
    merge = ["a0: &a0 {k: v}"] + [f"a{n}: &a{n} {{<<: *a{n - 1}, k{n}: v}}" for n in range(1, 300)]
    yield "a chain of merge keys", "\n".join(merge), "yaml.merge_key"
    both = ["a0: &a0 {k: v}"] + [
        f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 60)
    ]
    yield "merge keys of lists", "\n".join(both), "yaml.merge_key"
    yield "merge keys into the root", HEAD + "x: &x {a: 1}\n<<: *x\nsteps: []\n", "yaml.merge_key"
    chain = ["- &a0 [x]"] + [f"- &a{n} [*a{n - 1}]" for n in range(1, 500)]
    yield "depth by aliases", "\n".join(chain), "yaml.too_deep"
    yield "a list in itself", HEAD + "steps: &s [*s]\n", "yaml.alias"
    yield (
        "a mapping in itself",
        HEAD + "steps: [{id: a, type: set, values: &v {vars.x: *v}}]\n",
        "yaml.alias",
    )
    yield (
        "the document in itself",
        f"&d\n{HEAD}steps: [{{id: a, type: set, values: {{vars.x: *d}}}}]\n",
        "yaml.alias",
    )
    yield "aliases of nothing", "- *nobody\n" * 30_000, "yaml.alias"
    yield "one anchor many times", "- &a x\n- *a\n" * 20_000, "journey.shape"
    yield (
        "many aliases of a long text",
        f"{HEAD}steps: [{{id: a, type: set, values: {{vars.x: [&a {'x' * 100_000}, "
        + "*a, " * 10_000
        + "]}}]",
        nodes,
    )
    yield "an alias as a key", "a: &a x\n*a : 1\n", "yaml.complex_key"
    yield "an anchor of a long name", f"{GOOD}a: &{'n' * 200_000} x\n", "key.unknown"
    yield (
        "a step by alias a thousand times",
        f"{HEAD}x: &s {{id: a, type: exit}}\nsteps: [" + "*s, " * 1_001 + "]",
        "journey.too_many_steps",
    )
    yield "values by alias", f"{HEAD}x: &v [{'1, ' * 2_000}]\nsteps: [" + "*v, " * 30 + "]", nodes


def _scalars() -> Iterator[Row]:
    yield "one word of a mebibyte", "a" * MIB, "journey.shape"
    yield "a text of a mebibyte", f'{GOOD}title: "{"x" * (MIB - 99)}"\n', "text.title"
    yield "a key of a megabyte", f"{'k' * 1_000_000}: 1\n", "yaml.syntax"
    yield "a quoted key of a megabyte", f'"{"k" * 1_000_000}": 1\n', "yaml.syntax"
    yield "an explicit key of a megabyte", f"{GOOD}? {'k' * 1_000_000}\n: 1\n", "key.unknown"
    yield "a key of 1,000 characters", f"{GOOD}{'k' * 1_000}: 1\n", "key.unknown"
    yield "a million digits", f"{GOOD}max_age: {'9' * 1_000_000}\n", "yaml.number"
    yield "a hexadecimal number", f"{GOOD}max_age: 0x{'f' * 900_000}\n", "yaml.number"
    yield "an octal number", f"{GOOD}max_age: 0o{'7' * 900_000}\n", "yaml.number"
    yield "a float beyond all", f"{GOOD}max_age: 1e309\n", "yaml.number"
    yield "a float with a huge exponent", f"{GOOD}max_age: 1e{'9' * 300}\n", "yaml.number"
    yield "a float of a million digits", f"{GOOD}max_age: 0.{'1' * 900_000}\n", "yaml.number"
    yield "not a number", f"{GOOD}max_age: .nan\n", "yaml.number"
    yield "infinity", f"{GOOD}max_age: -.inf\n", "yaml.number"
    yield "two to the 63rd", f"{GOOD}max_age: 9223372036854775808\n", "yaml.number"
    yield "octal", f"{GOOD}max_age: 0123\n", "yaml.number"
    yield "sexagesimal", f"{GOOD}max_age: 190:20:30\n", "duration.invalid"
    yield "a date", f"{GOOD}max_age: 2026-02-30\n", "duration.invalid"
    yield "a timestamp", f"{GOOD}max_age: 2026-02-30 25:61:61 +99:99\n", "duration.invalid"
    yield "underscores", f"{GOOD}max_age: {'1_' * 100_000}1\n", "duration.invalid"
    yield "a duration of many digits", f"{GOOD}max_age: P{'9' * 100_000}D\n", "duration.invalid"
    yield "a duration of many parts", f"{GOOD}max_age: {'1d ' * 100_000}\n", "duration.invalid"
    yield "a folded text", f"{GOOD}title: >\n" + "  word\n" * 100_000, "text.title"
    yield "a literal text of empty lines", f"{GOOD}title: |\n" + "\n" * 900_000, "text.title"
    yield "a quoted text over lines", f'{GOOD}title: "' + "a\n" * 200_000 + '"\n', "text.title"
    yield "a plain text over lines", f"{GOOD}title: a\n" + " b\n" * 200_000, "text.title"
    yield "escapes", f'{GOOD}title: "' + "\\x41" * 200_000 + '"\n', "text.title"
    yield "an unknown escape", f'{GOOD}title: "\\q"\n', "yaml.syntax"
    yield "an escaped NUL", f'{GOOD}title: "a\\0b"\n', "yaml.character"
    yield "an escaped surrogate", f'{GOOD}title: "\\uD800"\n', "yaml.syntax"
    yield "an escape beyond Unicode", f'{GOOD}title: "\\UFFFFFFFF"\n', "yaml.syntax"
    yield "an open quote", f'{GOOD}title: "never closed\n' + "a: b\n" * 50_000, "yaml.syntax"
    yield "an open single quote", f"{GOOD}title: 'never closed\n" + "a: b\n" * 50_000, "yaml.syntax"
    yield "quotes", f"{GOOD}title: " + "'" * 500_001 + "\n", "yaml.syntax"
    yield "backslashes", f'{GOOD}title: "' + "\\" * 500_001 + "\n", "yaml.syntax"
    yield "a zone of many parts", f"{GOOD}timezone: {'../' * 50_000}etc/passwd\n", "zone.unknown"
    yield "a zone that is a file", f"{GOOD}timezone: ../../../../etc/passwd\n", "zone.unknown"
    yield (
        "a schedule that explodes",
        f"{GOOD}entry: {{triggers: [{{schedule: '{','.join(['*/1'] * 40)} * * * *'}}]}}\n",
        "",
    )
    yield (
        "a schedule that never comes",
        f"{GOOD}entry: {{triggers: [{{schedule: '0 0 31 2 *'}}]}}\n",
        "schedule.invalid",
    )
    yield (
        "a schedule of long ranges",
        f"{GOOD}entry: {{triggers: [{{schedule: '0-{'9' * 150} * * * *'}}]}}\n",
        "schedule.invalid",
    )


def _bytes() -> Iterator[Row]:
    encoding = "yaml.encoding"
    yield "nothing", b"", "yaml.empty"
    yield "spaces", b" " * 100_000, "yaml.empty"
    yield "line ends", b"\n" * MIB, "yaml.empty"
    yield "carriage returns", b"\r" * MIB, "yaml.empty"
    yield "a comment", b"# nothing", "yaml.empty"
    yield "comments", b"#\n" * (MIB // 2), "yaml.empty"
    yield "a mark and nothing", b"\xef\xbb\xbf", "yaml.empty"
    yield "two marks", "\ufeff\ufeff".encode() + GOOD.encode(), ""
    yield "a mark in the middle", (GOOD + "\ufefftitle: x\n").encode(), "yaml.syntax"
    yield "a mark", "\ufeff".encode() + GOOD.encode(), ""
    yield "NUL", GOOD.encode() + b"\0", "yaml.binary"
    yield "NULs", b"\0" * MIB, "yaml.binary"
    yield "UTF-16 LE", b"\xff\xfe" + GOOD.encode("utf-16-le"), encoding
    yield "UTF-16 BE", b"\xfe\xff" + GOOD.encode("utf-16-be"), encoding
    yield "UTF-16 without a mark", GOOD.encode("utf-16-le"), "yaml.binary"
    yield "UTF-32", GOOD.encode("utf-32"), encoding
    yield "UTF-32 BE", b"\0\0\xfe\xff" + GOOD.encode("utf-32-be"), "yaml.binary"
    yield "UTF-7", b"dsl: 1\ntitle: +AGE-\xff\n", encoding
    yield "Latin-1", GOOD.encode() + "title: café\n".encode("latin-1"), encoding
    yield "a byte too many", GOOD.encode() + b"title: \xc3", encoding
    yield "an overlong slash", GOOD.encode() + b"title: \xc0\xaf\n", encoding
    yield "a surrogate in UTF-8", GOOD.encode() + b"title: \xed\xa0\x80\n", encoding
    yield "beyond Unicode in UTF-8", GOOD.encode() + b"title: \xf4\x90\x80\x80\n", encoding
    yield "every byte", bytes(range(1, 256)), encoding
    yield "terminal codes", GOOD + "title: \x1b[2J\x1b]0;owned\x07\n", "yaml.character"
    yield "C1 codes", GOOD + "title: \x9b31m\n", "yaml.character"
    yield "a bell in a key", GOOD + "\x07: 1\n", "yaml.character"
    yield "a vertical tab", GOOD + "title: a\x0bb\n", "yaml.character"
    yield "a form feed between lines", GOOD + "\x0ctitle: a\n", "yaml.character"
    yield "a non-character", GOOD + "title: \uffff\n", "yaml.character"
    yield "right-to-left in a key", GOOD + "\u202etitle: a\n", "key.unknown"
    yield "confusable keys", GOOD + "titl\u0435: a\n", "key.unknown"
    yield "combining characters", f"{GOOD}e{chr(0x301) * 100_000}: a\n", "yaml.syntax"
    yield "only carriage returns", GOOD.replace("\n", "\r"), ""
    yield "mixed line ends", GOOD.replace("\n", "\r\n", 1), ""
    yield "line separators", GOOD.replace("\n", "\u2028"), ""
    yield "exactly a mebibyte", GOOD + "#" * (MIB - len(GOOD)), ""
    yield "a mebibyte and one", GOOD + "#" * (MIB - len(GOOD) + 1), "yaml.too_big"
    yield "three mebibytes", b"a: b\n" * (3 * MIB // 5), "yaml.too_big"


def _formats() -> Iterator[Row]:
    encoding, zipped = "yaml.encoding", io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("journey.yaml", GOOD)
    yield "gzip", gzip.compress(GOOD.encode() * 100, mtime=0), "yaml.binary"
    yield "zlib", zlib.compress(GOOD.encode() * 100), encoding
    yield "zip", zipped.getvalue(), "yaml.binary"
    yield "PNG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "yaml.binary"
    yield "JPEG", b"\xff\xd8\xff\xe0\x10JFIF\x01", encoding
    yield "ELF", b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03", "yaml.binary"
    yield "PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<</Type/Catalog>>\n", "yaml.encoding"
    yield "a pickle", b"\x80\x04\x95\x10\0\0\0.", "yaml.binary"
    yield "a pickle of text", b"cos\nsystem\n(S'id'\ntR.", "journey.shape"
    yield "HTML", "<!doctype html>\n<html><body onload='x'>\n</body></html>\n", "journey.shape"
    yield (
        "XML with entities",
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]>\n<x>&a;</x>',
        "journey.shape",
    )
    yield "TOML", '[journey]\nname = "x"\n', "yaml.syntax"
    yield "INI", "[journey]\nname=x\n", "yaml.syntax"
    yield (
        "JSON of another kind",
        json.dumps({"dsl": 1, "journey": "j", "steps": [{"id": "a", "type": "exit"}], "x": [None]}),
        "key.unknown",
    )
    yield "JSON Lines", '{"dsl": 1}\n{"dsl": 1}\n', "yaml.syntax"
    yield "CSV", "id,email\n1,a@b.example\n", "journey.shape"
    yield "a shell script", '#!/bin/sh\nrm -rf "$HOME"\n', "journey.shape"
    yield "Python", "import os\nos.system('id')\n", "journey.shape"
    yield "a diff", "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n", "journey.shape"
    yield "a conflict of git", f"<<<<<<< HEAD\n{GOOD}=======\n{GOOD}>>>>>>> other\n", "yaml.syntax"


def _structure() -> Iterator[Row]:
    tag = "yaml.tag"
    yield "a Python object", GOOD + "title: !!python/object/apply:os.system ['id']\n", tag
    yield "a Python name", GOOD + "title: !!python/name:os.system\n", tag
    yield "a Python module", GOOD + "title: !!python/module:os\n", tag
    yield "a Python tuple", GOOD + "title: !!python/tuple [1]\n", tag
    yield "a Ruby object", GOOD + "title: !ruby/object:Gem::Installer {i: x}\n", tag
    yield "a binary", GOOD + "title: !!binary aGVsbG8=\n", tag
    yield "a set", GOOD + "title: !!set {a, b}\n", tag
    yield "an ordered map", GOOD + "title: !!omap [a: 1]\n", tag
    yield "a timestamp by tag", GOOD + "title: !!timestamp 2026-01-01\n", tag
    yield "an int by tag", GOOD + "title: !!int 'x'\n", tag
    yield "a verbatim tag", GOOD + "title: !<tag:yaml.org,2002:str> x\n", tag
    yield "a tag of a document", f"--- !x\n{GOOD}", tag
    yield "an include", GOOD + "title: !include /etc/passwd\n", tag
    yield "an environment variable by tag", GOOD + "title: !env HOME\n", tag
    yield "a tag directive", f"%TAG ! tag:x,2000:\n---\n{GOOD}title: !y z\n", tag
    yield "tags directives", "%TAG !a! tag:x\n" * 10_000 + "---\na: 1\n", "yaml.syntax"
    yield "a version", f"%YAML 1.1\n---\n{GOOD}", ""
    yield "an unknown version", f"%YAML 9.9\n---\n{GOOD}", "yaml.syntax"
    yield "a directive of another tool", f"%FOO bar\n---\n{GOOD}", "yaml.syntax"
    yield "two documents", f"{GOOD}---\n{GOOD}", "yaml.documents"
    yield "a thousand documents", "---\na: 1\n" * 1_000, "yaml.documents"
    yield "empty documents", "---\n" * 50_000, "yaml.documents"
    yield "an end and more", f"{GOOD}...\nx: y\n", "yaml.syntax"
    yield "a list as a key", GOOD + "? [a, b]\n: 1\n", "yaml.complex_key"
    yield "a mapping as a key", GOOD + "{a: b}: 1\n", "yaml.complex_key"
    yield "an empty key", GOOD + ": 1\n", "yaml.key"
    yield "a null key", GOOD + "~: 1\n", "key.unknown"
    yield (
        "100,000 keys",
        "".join(f"k{n}: 1\n" for n in range(100_000))[: MIB - 1],
        "yaml.too_many_nodes",
    )
    yield "20,000 keys", GOOD + "".join(f"k{n}: 1\n" for n in range(20_000)), "key.unknown"
    yield "one key 100,000 times", "k: 1\n" * 100_000, "yaml.duplicate_key"
    yield "one key in a flow", "{" + "k: 1, " * 50_000 + "}", "yaml.duplicate_key"
    yield "100,000 items", "- 1\n" * 100_000, "yaml.too_many_nodes"
    yield "commas", "[" + "," * 500_000 + "]", "yaml.syntax"
    yield "empty items", HEAD + "steps: [" + "{}, " * 20_000 + "]", "journey.too_many_steps"
    yield "colons", "a: " * 200_000, "yaml.syntax"
    yield "tabs", "\t" * 500_000 + "a: 1\n", "yaml.tab"
    yield "tabs in lines", HEAD + "steps:\n" + "\t- id: a\n" * 1_000, "yaml.tab"
    yield (
        "a line of 900,000 characters",
        f"{HEAD}steps: [{{id: a, type: exit, x: {'y' * 900_000}}}]\n",
        "key.unknown",
    )
    yield "flow that isn't closed", GOOD + "goals: [{name: a,\n" * 3_000, "yaml.too_deep"


def _language() -> Iterator[Row]:
    exits = "".join(f"  - {{id: s{n}, type: exit}}\n" for n in range(1_001))
    yield "1,001 steps", f"{HEAD}steps:\n{exits}", "journey.too_many_steps"
    arms = ", ".join(
        f"{{name: a{n}, weight: 1, steps: [{{id: b{n}, type: exit}}]}}" for n in range(1_001)
    )
    yield (
        "1,001 steps in arms",
        f"{HEAD}steps:\n  - {{id: a, type: split, arms: [{arms}]}}\n",
        "journey.too_many_steps",
    )
    yield "steps that are a number", HEAD + "steps: 5\n", "value.type"
    yield "steps of steps", HEAD + "steps: [[[[]]]]\n", "value.type"
    yield (
        "a step of every key",
        HEAD + "steps: [{" + ", ".join(f"k{n}: 1" for n in range(5_000)) + "}]\n",
        "key.missing",
    )
    yield (
        "one id a thousand times",
        HEAD + "steps:\n" + "  - {id: a, type: exit}\n" * 1_000,
        "step.same_id",
    )
    ring = "".join(
        f"  - {{id: s{n}, type: set, values: {{vars.x: 1}}, next: s{(n + 1) % 999}}}\n"
        for n in range(999)
    )
    yield "a ring of steps", f"{HEAD}steps:\n{ring}", "flow.endless"
    knot = "".join(
        f"  - {{id: s{n}, type: branch, paths: [{{name: a, when: user.a, next: s{(n + 1) % 400}}}, {{name: b, when: user.b, next: s{(n + 13) % 400}}}]}}\n"
        for n in range(400)
    )
    yield "a knot of steps", f"{HEAD}steps:\n{knot}", "flow.endless"
    yield "prototype keys", GOOD + "__proto__: {a: 1}\n", "key.unknown"
    yield "dunder keys", GOOD + "__class__: {__init__: x}\n", "key.unknown"
    yield "a model's field", GOOD + "model_config: {extra: allow}\n", "key.unknown"
    yield "a model's copy", GOOD + "model_fields_set: [a]\n", "key.unknown"
    yield "format strings as keys", GOOD + '"{0.__class__}": 1\n', "key.unknown"
    yield "percent strings as keys", GOOD + '"%s%n%x": 1\n', "key.unknown"
    yield "markup as keys", GOOD + '"[bold red]x[/]": 1\n', "key.unknown"
    yield (
        "a name of control characters",
        'dsl: 1\njourney: "a\\u001b[31m"\nsteps: [{id: a, type: exit}]\n',
        "name.journey",
    )
    yield (
        "a name of newlines",
        'dsl: 1\njourney: "a\\nb"\nsteps: [{id: a, type: exit}]\n',
        "name.journey",
    )
    yield (
        "a name of a megabyte",
        f"dsl: 1\njourney: {'a' * 1_000_000}\nsteps: [{{id: a, type: exit}}]\n",
        "name.journey",
    )
    yield (
        "a path into the file system",
        f"{HEAD}steps: [{{id: a, type: call_api, endpoint: x, path: /../../etc/passwd}}]\n",
        "path.invalid",
    )
    yield (
        "a path to another host",
        f"{HEAD}steps: [{{id: a, type: call_api, endpoint: x, path: //evil.example}}]\n",
        "path.invalid",
    )
    yield (
        "a header that splits",
        f'{HEAD}steps: [{{id: a, type: call_api, endpoint: x, headers: {{"A\\r\\nB": x}}}}]\n',
        "header.name",
    )
    yield "a private key", f"{GOOD}title: -----BEGIN PRIVATE KEY-----MIIE\n", "secret.in_journey"
    yield (
        "weights beyond floats",
        f"{HEAD}steps: [{{id: a, type: split, arms: [{{name: x, weight: 1e308}}, {{name: y, weight: 1}}]}}]\n",
        "weight.invalid",
    )


def _expressions() -> Iterator[Row]:
    def step(when: str) -> str:
        return f'{HEAD}steps:\n  - id: a\n    type: exit\n    when: "{when}"\n'

    bad = "expression.invalid"
    yield "an expression of parentheses", step("(" * 100_000), bad
    yield "an expression of brackets", step("[" * 1_900), bad
    yield "an expression of nots", step("not " * 450 + "1"), bad
    yield "an expression of minus signs", step("-" * 1_900 + "1"), bad
    yield "an expression of dots", step("user" + ".a" * 900), bad
    yield "an expression of filters", step("user.a" + "|lower" * 300), bad
    yield "a power", step("9**9**9"), bad
    yield "a long number", step("9" * 1_500), bad
    yield "a dunder", step("user.__class__.__mro__"), bad
    yield "an import", step("__import__('os').system('id')"), bad
    yield "a statement", step("{% for x in y %}"), bad
    yield "an expression of a megabyte", step("user.x or " * 100_000 + "1"), bad
    templates = "".join(f"{{{{ user.a{n} }}}} " for n in range(1_100))
    yield (
        "1,100 templates in a text",
        f'{HEAD}steps: [{{id: a, type: call_api, endpoint: x, text: "{templates}"}}]\n',
        "value.invalid",
    )
    many = ", ".join(['"{{ user.a }}"'] * 5_001)
    yield (
        "5,001 expressions",
        f"{HEAD}steps: [{{id: a, type: call_api, endpoint: x, body: [{many}]}}]\n",
        "journey.too_many_expressions",
    )
    yield (
        "open braces",
        f"{HEAD}steps: [{{id: a, type: call_api, endpoint: x, text: '{'{{' * 50_000}'}}]\n",
        "journey.too_many_expressions",
    )
    yield (
        "closing braces",
        f"{HEAD}steps: [{{id: a, type: call_api, endpoint: x, text: 'a {'}}' * 50_000}'}}]\n",
        "",
    )


def main(files: list[str]) -> None:
    """Check each file as ``journey check`` does, and say what came of it."""
    from engine.cli.main import main as journey

    with redirect_stdout(io.StringIO()):
        journey(["check", files[0]])  # what is loaded once isn't the file's
    base = _peak()
    for file in files[1:]:
        said, complained = io.StringIO(), io.StringIO()
        began = time.process_time()
        with redirect_stdout(said), redirect_stderr(complained):
            code = journey(["check", file])
        told = {
            "exit": code,
            "said": said.getvalue(),
            "complained": complained.getvalue(),
            "seconds": time.process_time() - began,
            "peak": _peak() - base,
        }
        print(json.dumps(told), flush=True)


def _peak() -> int:
    """The most memory that this process held at once, in bytes; its parent's isn't counted, as it
    is by getrusage."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^VmHWM:\s+([0-9]+) kB$", status, re.MULTILINE)
    assert found is not None, "not Linux"
    return int(found[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1:])
