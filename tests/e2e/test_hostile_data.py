"""Users' data that would like to be something else: it arrives as data, whatever it looks like."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from urllib.parse import parse_qs, parse_qsl, unquote_to_bytes, urlsplit

import pytest

from tests.e2e.in_process import InProcess
from tests.e2e.installation import Finished
from tests.partners import Answers, Request, running

JOURNEY = """\
dsl: 1
journey: hostile
steps:
  - {id: path, type: call_api, endpoint: api, path: "/path/{{ user.id }}/{{ user.data }}/end"}
  - {id: query, type: call_api, endpoint: api, path: /query, query: {id: "{{ user.id }}", q: "{{ user.data }}"}}
  - {id: header, type: call_api, endpoint: api, path: /header, headers: {X-Data: "{{ user.data }}"}, body: {id: "{{ user.id }}"}}
  - {id: json, type: call_api, endpoint: api, path: /json, body: {id: "{{ user.id }}", d: "{{ user.data }}", in: "a {{ user.data }} b"}}
  - {id: form, type: call_api, endpoint: api, path: /form, form: {id: "{{ user.id }}", d: "{{ user.data }}"}}
  - {id: text, type: call_api, endpoint: api, path: /text, query: {id: "{{ user.id }}"}, text: "{{ user.data }}"}
  - {id: keep, type: set, values: {user.kept: "{{ user.data }}", vars.d: "{{ user.data }}"}}
"""  # noqa: E501
DATA = [
    "'; DROP TABLE users; --",
    '"quoted", \\ and "}, {"x": "',
    "two\nlines",
    "split\r\nX-Injected: yes",
    "\r\n\r\nGET /stolen HTTP/1.1\r\nHost: x\r\n\r\n",
    "tab\there",
    "\x1b[2J\x1b]0;owned\x07\x1b[31mred",
    "\x9b31m c1",
    "{{ user.id }} {% set x = 1 %} ${jndi:ldap://x}",
    "=cmd|' /C calc'!A0",
    "+1-2",
    "@SUM(1)",
    "../../../etc/passwd",
    "..",
    ".",
    "%2e%2e%2f",
    "//evil.example/x",
    "http://evil.example@x",
    "a/b?c=d&e=f#g;h",
    "a%00b",
    "a\x00b",
    "<script>alert(1)</script>",
    "\u202egnp.exe\u2066",
    "şé 漢字 😀 \U0001f468\u200d\U0001f469",
    "\ufeffbom",
    "\ufffe\uffff",
    "null",
    "true",
    "1e5",
    " ",
    "x" * 20_000,
]
IDS = [
    "'; DROP TABLE users; --",
    '"q", \\',
    "../../etc/passwd",
    "%2e%2e",
    "//evil.example",
    "a/b?c=d&e=f#g",
    "{{ user.data }}",
    "=cmd()",
    "<img src=x onerror=alert(1)>",
    "\u202egnp",
    "şé😀",
    "\ufeffu",
    "a b",
    "-1",
    "null",
]


@pytest.fixture(scope="module")
def api() -> Iterator[Answers]:
    with running(Answers()) as partner:
        yield partner


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, api: Answers
) -> tuple[InProcess, Finished, dict[str, str]]:
    """Everybody's run: the installation, how it ended, and each user's data."""
    users = {IDS[n] if n < len(IDS) else f"u{n}": data for n, data in enumerate(DATA)}
    here = InProcess(tmp_path_factory.mktemp("hostile"))
    here.write("journey.yaml", JOURNEY)
    here.write("endpoints.yaml", f"endpoints:\n  api: {{base_url: '{api.url}/base'}}\n")
    lines = [json.dumps({"id": user, "attributes": {"data": data}}) for user, data in users.items()]
    here.write("users.jsonl", "\n".join(lines) + "\n")
    here.call("journey", "apply", "endpoints.yaml")
    done = here.call("run-journey", "journey.yaml", "--users", "users.jsonl", "--live", "--json")
    return here, done, users


def sent(api: Answers, kind: str) -> list[Request]:
    """The requests of one step."""
    return [each for each in api.log if urlsplit(each.target).path.startswith(f"/base/{kind}")]


def failed(done: Finished, step: str) -> set[str]:
    """Users whose step failed; it can only have been for what can't be sent."""
    lines = [each for each in done.lines if each.get("step") == step and each["failure"]]
    assert {each["failure"] for each in lines} <= {"call.unfillable"}, lines
    return {each["user"] for each in lines}


def no_segment(data: str) -> bool:
    """What a server could take for the way up, or for the end of a line."""
    controls = [c for c in data if c < " " or "\x7f" <= c < "\xa0"]
    return data in (".", "..") or bool(controls) or len(data) > 10_000


Run = tuple[InProcess, Finished, dict[str, str]]


def test_everybody_comes_to_the_end(run: Run) -> None:
    _, done, users = run
    assert done.code == 0
    assert done.summary["outcomes"] == {"completed": len(users)}
    assert {line["user"] for line in done.lines if line["type"] == "step"} == set(users)


def test_what_goes_into_a_path_stays_one_segment(run: Run, api: Answers) -> None:
    _, done, users = run
    refused = {user for user, data in users.items() if no_segment(data)}
    assert failed(done, "path") == refused
    got = set()
    for request in sent(api, "path"):
        _, base, step, user, data, end = request.raw_target.split(b"/")
        assert (base, step, end) == (b"base", b"path", b"end")
        got.add((unquote_to_bytes(user).decode(), unquote_to_bytes(data).decode()))
    assert got == {(user, data) for user, data in users.items() if user not in refused}


def test_what_goes_into_a_query_stays_one_value(run: Run, api: Answers) -> None:
    _, done, users = run
    assert not failed(done, "query")
    got = [
        parse_qsl(urlsplit(each.target).query, keep_blank_values=True, strict_parsing=True)
        for each in sent(api, "query")
    ]
    assert sorted(got) == sorted([("id", user), ("q", data)] for user, data in users.items())


def test_what_goes_into_a_header_is_printable_ascii_or_stays_here(run: Run, api: Answers) -> None:
    _, done, users = run
    harmless = {
        user
        for user, data in users.items()
        if data.isascii() and data.replace("\t", "").isprintable()
    }
    assert failed(done, "header") >= set(users) - harmless
    got = {}
    for request in sent(api, "header"):
        assert "x-injected" not in request.headers
        said = request.json()
        assert isinstance(said, dict)
        got[said["id"]] = request.header("x-data")
    sendable = set(users) - failed(done, "header")
    assert got == {user: users[user].strip(" \t") for user in sendable}
    assert not [request for request in api.log if "stolen" in request.raw_path]


def test_what_goes_into_a_body_stays_a_value(run: Run, api: Answers) -> None:
    _, done, users = run
    assert not failed(done, "json") | failed(done, "form") | failed(done, "text")
    bodies = [json.loads(each.body) for each in sent(api, "json")]
    expected = [{"id": user, "d": data, "in": f"a {data} b"} for user, data in users.items()]
    assert sorted(bodies, key=repr) == sorted(expected, key=repr)
    forms = [
        parse_qs(each.body.decode(), keep_blank_values=True, strict_parsing=True)
        for each in sent(api, "form")
    ]
    expected_forms = [{"id": [user], "d": [data]} for user, data in users.items()]
    assert sorted(forms, key=repr) == sorted(expected_forms, key=repr)
    texts = {each.query["id"]: each.body.decode() for each in sent(api, "text")}
    assert texts == users


def test_data_is_stored_as_it_came(run: Run) -> None:
    here, _, users = run
    stored = {
        user: json.loads(text) for user, text in here.query("SELECT id, attributes FROM users")
    }
    assert {user: (each["data"], each["kept"]) for user, each in stored.items()} == {
        user: (data, data) for user, data in users.items()
    }


def test_whatever_is_shown_is_inert(run: Run) -> None:
    here, _, users = run
    shown = [
        here.call("journey", "report", "hostile"),
        here.call("journey", "report", "hostile", "--csv"),
        here.call("run-journey", "journey.yaml", "--users", "users.jsonl"),
        here.call("run-journey", "journey.yaml", "--users", "users.jsonl", "--live"),
    ]
    for user, data in users.items():
        if "\x00" not in data:
            one = ("--user", user, "--set", f"data={json.dumps(data)}")
            shown.append(here.call("run-journey", "journey.yaml", *one))
    for done in shown:
        assert done.code == 0, done.err
        odd = {c for c in done.out + done.err if not c.isprintable()} - {"\n"}
        assert not odd, (odd, done.out[:500])
    page = here.folder / "page.html"
    assert here.call("journey", "report", "hostile", "--html", page).code == 0
    text = page.read_text()
    assert not [each for each in (*IDS, *DATA) if "<" in each and each in text]
    for row in csv.reader(io.StringIO(shown[1].out)):
        assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_value_of_a_megabyte_is_refused_or_carried_whole(run: Run, api: Answers) -> None:
    here, _, _ = run
    command = ("run-journey", "journey.yaml", "--users", "big.jsonl", "--live", "--json")
    for user, size in (("fits", 900_000), ("does-not", 1_100_000)):
        row = {"id": user, "attributes": {"data": "ş" * (size // 2)}}
        here.write("big.jsonl", json.dumps(row, ensure_ascii=False) + "\n")
        done = here.call(*command)
        assert done.code == (0 if user == "fits" else 2), done.err
    assert "longer than 1 MiB" in done.err
    assert [each.body.decode() for each in sent(api, "text")][-1] == "ş" * 450_000
    assert here.query("SELECT count(*) FROM users WHERE id IN ('fits', 'does-not')") == [(1,)]
