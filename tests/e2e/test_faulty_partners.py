"""Services that do everything wrong: the step says so with its code, everybody goes on."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.e2e.in_process import InProcess
from tests.e2e.installation import Finished, Installation
from tests.partners import Answers, Faulty, running

SECRET = "c4n4ry-bearer-secret-5a1d"
LINE = "JOURNEY_EGRESS_ALLOW=127.0.0.0/8,[::1]"
ATTEMPTS = 2
FAULTS: dict[str, tuple[str | None, int | None, int]] = {
    "status/200": (None, 200, 1),
    "status/204": (None, 204, 1),
    "informational/5": (None, 200, 1),
    "html/0": (None, 200, 1),
    "status/301": ("call.client_error", 301, 1),
    "redirect/301": ("call.client_error", 301, 1),
    "redirect/307": ("call.client_error", 307, 1),
    "redirect/308": ("call.client_error", 308, 1),
    "status/400": ("call.client_error", 400, 1),
    "status/403": ("call.client_error", 403, 1),
    "status/404": ("call.client_error", 404, 1),
    "status/409": ("call.client_error", 409, 1),
    "status/429": ("call.rate_limited", 429, ATTEMPTS),
    "status/500": ("call.server_error", 500, ATTEMPTS),
    "status/503": ("call.server_error", 503, ATTEMPTS),
    "status/599": ("call.server_error", 599, ATTEMPTS),
    "slow/9": ("call.timed_out", None, ATTEMPTS),
    "drip/9": ("call.timed_out", None, ATTEMPTS),
    "stall/10": ("call.timed_out", None, ATTEMPTS),
    "half/0": ("call.unreachable", None, ATTEMPTS),
    "close/0": ("call.unreachable", None, ATTEMPTS),
    "reset/0": ("call.unreachable", None, ATTEMPTS),
    "garbage/0": ("call.bad_response", None, 1),
    "headers/2000": ("call.bad_response", None, 1),
    "header/3000000": ("call.bad_response", None, 1),
    "huge/3000000": ("call.bad_response", None, 1),
    "endless/0": ("call.bad_response", None, 1),
    "gzip/1100": ("call.bad_response", None, 1),
    "badjson/0": ("call.bad_response", 200, 1),
    "nojson/0": ("call.bad_response", 200, 1),
    "nan/0": ("call.bad_response", 200, 1),
    "twice/0": ("call.bad_response", 200, 1),
    "deep/100000": ("call.bad_response", 200, 1),
}
"""What the server does → the failure, the HTTP status, and how many requests it cost."""

RESENT = ("close", "reset")
"""A kept connection that ends unanswered is replaced at once; only the server knows it had read."""

JOURNEY = """\
dsl: 1
journey: hardship
steps:
  - id: call
    type: call_api
    endpoint: faulty
    path: "/{{ user.fault }}/{{ user.how }}"
    outputs: {vars.score: "response.body.score | default(0)"}
  - {id: after, type: call_api, endpoint: fine, path: "/after/{{ user.id }}"}
"""
ENDPOINTS = """\
endpoints:
  faulty:
    base_url: "{faulty}"
    auth: {{kind: bearer, token: {{seal_from_env: TOKEN}}}}
    timeout: {{total: {timeout}}}
    retry: {{attempts: 2, delay: 10ms}}
  fine: {{base_url: "{fine}"}}
"""
RUN = ("run-journey", "journey.yaml", "--users", "users.csv", "--live")


def users(faults: dict[str, Any] | list[str], each: int = 1) -> str:
    """So many users for each fault; a user's id is ``FAULT-N``."""
    rows = ["id,fault,how:text"]
    for fault in faults:
        kind, _, how = fault.partition("/")
        rows += [f"{kind}-{how}-{n},{kind},{how}" for n in range(each)]
    return "\n".join(rows) + "\n"


@contextmanager
def service(
    folder: Path, *, url: str = "", timeout: str = "600ms", retry_after: str | None = None
) -> Iterator[tuple[InProcess, Faulty, Answers]]:
    """An installation that knows a faulty service (or the one at ``url``) and a fine one."""
    with running(Faulty()) as faulty, running(Answers()) as fine:
        faulty.change(retry_after=retry_after)
        here = InProcess(folder, {"TOKEN": SECRET})
        here.write("journey.yaml", JOURNEY)
        settings = ENDPOINTS.format(faulty=url or faulty.url, fine=fine.url, timeout=timeout)
        here.write("endpoints.yaml", settings)
        assert here.call("journey", "apply", "endpoints.yaml").code == 0
        yield here, faulty, fine


def calls_of(done: Finished, step: str = "call") -> dict[str, dict[str, Any]]:
    """User → the line of his step."""
    return {line["user"]: line for line in done.lines if line.get("step") == step}


def assert_nothing_leaked(done: Finished, here: Installation) -> None:
    texts = [done.out.encode(), done.err.encode()]
    texts += [path.read_bytes() for path in (here.folder / "home").glob("engine.db*")]
    assert not [text for text in texts if SECRET.encode() in text]


def test_every_fault_has_its_code_and_everybody_goes_on(tmp_path: Path) -> None:
    with service(tmp_path, retry_after="0") as (here, faulty, fine):
        here.write("users.csv", users(FAULTS))
        done = here.call(*RUN, "--json")
        assert done.code == 0, done.err
        requests = Counter(request.path.strip("/") for request in faulty.log)
        authorized = [request.header("authorization") for request in faulty.log]
        reached = len(fine.log)
    found = {}
    for line in calls_of(done).values():
        kind, how, _ = line["user"].split("-")
        found[f"{kind}/{how}"] = (line["failure"], line["http_status"], line["attempts"])
    assert found == FAULTS

    for fault, (_, _, attempts) in FAULTS.items():
        more = attempts if fault.split("/")[0] in RESENT else 0
        assert attempts <= requests[fault] <= attempts + more, fault
    assert set(requests) == set(FAULTS), "no redirect was followed"
    assert set(authorized) == {f"Bearer {SECRET}"}

    summary = done.summary
    failed = sum(1 for failure, _, _ in FAULTS.values() if failure)
    assert summary["finished"] == summary["entered"] == len(FAULTS)
    assert summary["outcomes"] == {"completed": len(FAULTS)}
    assert summary["steps"]["call"]["failed"] == failed
    assert summary["steps"]["after"]["succeeded"] == reached == len(FAULTS)
    assert summary["endpoints"]["faulty"]["attempts"] == sum(n for _, _, n in FAULTS.values())
    assert_nothing_leaked(done, here)


@pytest.mark.parametrize(
    "each", [20, pytest.param(1_000, marks=pytest.mark.soak)], ids=["ci", "full"]
)
def test_bodies_without_end_cost_little_memory_and_no_deadline(tmp_path: Path, each: int) -> None:
    wasteful = ["endless/0", "huge/30000000", "gzip/1100", "header/3000000", "deep/900000"]
    with service(tmp_path, timeout="30s") as (here, faulty, _):
        here.write("users.csv", users(["status/200"]))
        usual = peak_of(here)
        faulty.log.clear()
        here.write("users.csv", users(wasteful, each))
        hardest = peak_of(here)
    assert len(faulty.log) == each * len(wasteful)
    assert hardest - usual < 160 * 1024, f"{usual:,} KiB became {hardest:,}"


def peak_of(here: Installation) -> int:
    """A run's largest resident size, in KiB."""
    with here.start(*RUN, "--quiet") as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


def test_retry_after_is_waited_for(tmp_path: Path) -> None:
    with service(tmp_path, retry_after="1") as (here, faulty, _):
        here.write("users.csv", users(["status/429", "status/503"], 5))
        done = here.call(*RUN, "--json")
        times: dict[str, list[int]] = {}
        for request in faulty.log:
            times.setdefault(request.header("idempotency-key") or "", []).append(request.at)
    assert done.summary["calls"]["attempts"] == 10 * ATTEMPTS + 10
    assert len(times) == 10
    for first, second in times.values():
        assert 1_000_000 <= second - first < 3_000_000


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_where_nobody_listens_nothing_is_counted_as_sent(tmp_path: Path, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with service(tmp_path, url=f"http://{host}:{port}") as (here, _, fine):
        here.write("users.csv", users(["status/200"], 30))
        done = here.call(*RUN, "--json")
    assert done.code == 0
    assert {line["failure"] for line in calls_of(done).values()} == {"call.unreachable"}
    assert done.summary["endpoints"]["faulty"]["attempts"] == 0
    assert done.summary["steps"]["after"]["succeeded"] == len(fine.log) == 30


@pytest.mark.parametrize("name", ["localhost", "elsewhere.test"])
def test_a_certificate_that_nobody_signed_is_not_trusted(tmp_path: Path, name: str) -> None:
    with (
        tls_server(tmp_path / "tls.pem", name) as (port, got),
        service(tmp_path, url=f"https://localhost:{port}") as (here, _, _),
    ):
        here.write("users.csv", users(["status/200"]))
        done = here.call(*RUN, "--json")
    (line,) = calls_of(done).values()
    assert (done.code, line["failure"]) == (0, "call.unreachable")
    assert got == [], "the secret stayed here"


@contextmanager
def tls_server(file: Path, name: str) -> Iterator[tuple[int, list[bytes]]]:
    """A port that shows a certificate it signed itself, and what was said to it afterwards."""
    file.write_bytes(self_signed(name))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    got: list[bytes] = []

    def serve(listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                got.append(secure.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        yield listening.getsockname()[1], got
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def self_signed(name: str) -> bytes:
    """A key and its certificate, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + private


def test_without_the_setting_loopback_is_refused_and_the_line_to_set_is_named(
    tmp_path: Path,
) -> None:
    closed = {"JOURNEY_EGRESS_ALLOW": ""}
    one = ("--user", "x", "--set", "fault=status", "--set", 'how="200"', "--live")
    with service(tmp_path) as (here, faulty, fine):
        here.write("users.csv", users(["status/200"], 10))
        done = here.call(*RUN, "--json", environment=closed)
        for command in (
            ("journey", "report", "hardship"),
            (*RUN[:2], *one),
            ("journey", "endpoints", "test", "fine"),
            ("journey", "doctor"),
        ):
            assert LINE in here.call(*command, environment=closed).out, command
        assert (faulty.log, fine.log) == ([], [])
        here.write("endpoints.yaml", "endpoints: {new: {base_url: 'http://127.0.0.1:1'}}")
        assert LINE in here.call("journey", "apply", "endpoints.yaml", environment=closed).out
    assert done.code == 0
    assert {line["failure"] for line in calls_of(done).values()} == {"call.blocked"}
    assert done.summary["finished"] == 10
    assert done.summary["calls"] == {"succeeded": 0, "failed": 20, "attempts": 0}
