"""Values of users that would like to move a request, or a secret, somewhere else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

import pytest

from tests.contract.test_transport_hostile import HOSTILE
from tests.e2e.in_process import InProcess
from tests.e2e.installation import Finished
from tests.partners import Answers, AuthorizationServer, Reply, Request, running

SECRET = "s3cret-of-the-api-9f2c"
JOURNEY = """\
dsl: 1
journey: moved
steps:
  - {id: segment, type: call_api, endpoint: api, path: "/segment/{{ user.data }}/end", retry: {attempts: 1}}
  - {id: first, type: call_api, endpoint: api, path: "/{{ user.data }}", retry: {attempts: 1}}
  - {id: within, type: call_api, endpoint: api, path: "/within/a{{ user.data }}b{{ user.data }}", retry: {attempts: 1}}
  - {id: query, type: call_api, endpoint: api, path: /query, query: {q: "{{ user.data }}"}, retry: {attempts: 1}}
  - {id: header, type: call_api, endpoint: api, path: /header, headers: {X-Data: "{{ user.data }}"}, retry: {attempts: 1}}
  - {id: form, type: call_api, endpoint: api, path: /form, form: {d: "{{ user.data }}"}, retry: {attempts: 1}}
"""  # noqa: E501
STEPS = ("segment", "first", "within", "query", "header", "form")
CODES = (*range(300, 309), 399)


class Redirects(Answers):
    """Answers ``/302`` with 302, to where a secret would be welcome."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def answer(self, request: Request) -> Reply:
        status = int(request.path.rpartition("/")[2])
        return Reply(status, b"", [("location", self.where), ("refresh", f"0; url={self.where}")])


@pytest.fixture(scope="module")
def canary() -> Iterator[Answers]:
    with running(Answers()) as partner:
        yield partner


@pytest.fixture(scope="module")
def api() -> Iterator[Answers]:
    with running(Answers()) as partner:
        yield partner


Run = tuple[InProcess, Finished, dict[str, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, api: Answers, canary: Answers) -> Run:
    """Everybody's run; the last user's value is harmless."""
    values = [_filled(value, canary) for value in HOSTILE["values"]]
    users = {f"u{n}": value for n, value in enumerate([*values, "harmless"])}
    here = InProcess(tmp_path_factory.mktemp("moved"), {"SECRET": SECRET})
    here.write("journey.yaml", JOURNEY)
    here.write(
        "endpoints.yaml",
        f"endpoints:\n  api: {{base_url: '{api.url}/base', auth: {{kind: bearer, token: "
        "{env: SECRET}}}\n",
    )
    lines = [json.dumps({"id": user, "attributes": {"data": data}}) for user, data in users.items()]
    here.write("users.jsonl", "\n".join(lines) + "\n")
    here.call("journey", "apply", "endpoints.yaml")
    done = here.call("run-journey", "journey.yaml", "--users", "users.jsonl", "--live", "--json")
    assert done.code == 0, done.err
    return here, done, users


def _filled(value: str, canary: Answers) -> str:
    long = value.removeprefix("{long:").removesuffix("}")
    if value.startswith("{long:"):
        return "x" * int(long)
    return value.replace("{canary}", urlsplit(canary.url).netloc)


def test_every_value_is_sent_as_data_or_not_at_all(run: Run, api: Answers) -> None:
    _, done, users = run
    assert len(users) >= 200
    steps = [line for line in done.lines if line["type"] == "step"]
    assert Counter(line["user"] for line in steps) == Counter(dict.fromkeys(users, len(STEPS)))
    failures = {line["failure"] for line in steps}
    assert failures <= {None, "call.unfillable", "call.blocked"}, failures
    sent = sum(line["failure"] is None for line in steps)
    assert len(api.log) == sent > 500
    assert api.counts["not_http"] == 0


def test_each_request_has_the_target_that_was_written(run: Run, api: Answers) -> None:
    _, done, users = run
    sent = {(line["user"], line["step"]) for line in done.lines if line.get("failure", 1) is None}
    expected = Counter((step, _as_sent(step, users[user])) for user, step in sent)
    assert Counter(_read(request) for request in api.log) == expected
    assert {step for step, _ in expected} == set(STEPS)
    assert {step for user, step in sent if users[user] == "harmless"} == set(STEPS)


def _as_sent(step: str, value: str) -> bytes:
    # Space around a header's value is no part of it (RFC 9110, 5.5).
    return (value.strip(" \t") if step == "header" else value).encode("utf-8", "surrogatepass")


def _read(request: Request) -> tuple[str, bytes]:
    """Which step's request it is, and its user's value, read as a server reads it."""
    path, _, query = request.raw_target.partition(b"?")
    assert path.startswith(b"/base/"), request.raw_target
    assert b"//" not in path.replace(b"\\", b"/"), path
    pieces = path.removeprefix(b"/base/").split(b"/")
    if pieces[0] == b"segment" and len(pieces) == 3:
        assert pieces[2] == b"end"
        return "segment", unquote_to_bytes(pieces[1])
    if pieces[0] == b"within" and len(pieces) == 2:
        whole = unquote_to_bytes(pieces[1])
        value = whole[1 : len(whole) // 2]
        assert whole == b"a" + value + b"b" + value
        return "within", value
    if pieces == [b"query"]:
        ((name, read),) = parse_qsl(query.decode(), keep_blank_values=True, strict_parsing=True)
        assert name == "q"
        return "query", read.encode()
    if pieces == [b"header"]:
        return "header", (request.header("x-data") or "").encode()
    if pieces == [b"form"]:
        text = request.body.decode()
        ((name, read),) = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
        assert name == "d"
        return "form", read.encode()
    assert len(pieces) == 1
    return "first", unquote_to_bytes(pieces[0])


def test_the_request_goes_to_its_own_host_with_its_own_headers(run: Run, api: Answers) -> None:
    own = {
        *("host", "user-agent", "accept", "accept-encoding", "authorization", "idempotency-key"),
        *("content-type", "content-length", "x-data"),
    }
    for request in api.log:
        assert request.header("host") == urlsplit(api.url).netloc
        assert request.header("authorization") == f"Bearer {SECRET}"
        assert set(request.headers) <= own, request.headers


def test_nobody_else_was_connected_to(run: Run, canary: Answers) -> None:
    assert canary.counts["connections"] == 0


def test_the_canary_is_reached_where_it_is_the_endpoint(run: Run, canary: Answers) -> None:
    here, _, _ = run
    with running(Answers()) as other:
        here.write("other.yaml", f"endpoints:\n  other: {{base_url: '{other.url}'}}\n")
        here.call("journey", "apply", "other.yaml")
        assert here.call("journey", "endpoints", "test", "other").code == 0
        assert other.counts["connections"] == 1


def test_no_redirect_of_an_api_or_a_token_server_carries_a_secret_away(
    tmp_path: Path, canary: Answers
) -> None:
    before = canary.counts["connections"]
    here = InProcess(tmp_path, {"SECRET": SECRET})
    steps = "".join(
        f"  - {{id: s{code}, type: call_api, endpoint: api, path: /{code}}}\n"
        f"  - {{id: t{code}, type: call_api, endpoint: t{code}, path: /}}\n"
        for code in CODES
    )
    here.write("journey.yaml", f"dsl: 1\njourney: redirected\nsteps:\n{steps}")
    with running(Redirects(canary.url)) as api, running(AuthorizationServer()) as good:
        here.write(
            "endpoints.yaml",
            f"endpoints:\n  api:\n    base_url: {api.url}\n"
            "    auth: {kind: api_key, pairs: [{name: X-Api-Key, value: {env: SECRET}}]}\n"
            + "".join(
                f"  t{code}:\n    base_url: {good.url}\n    auth: {{kind: oauth2, token_url: "
                f"'{api.url}/{code}', client_id: a, client_secret: {{env: SECRET}}}}\n"
                for code in CODES
            ),
        )
        assert here.call("journey", "apply", "endpoints.yaml").code == 0
        done = here.call("run-journey", "journey.yaml", "--user", "u", "--live", "--json")
        assert done.code == 0, done.err
        told = {line["step"]: line["failure"] for line in done.lines if line["type"] == "step"}
        assert {told[f"s{code}"] for code in CODES} == {"call.client_error"}
        assert {told[f"t{code}"] for code in CODES} == {"credential.unavailable"}
        assert len(api.log) == 2 * len(CODES)
    assert canary.counts["connections"] == before
