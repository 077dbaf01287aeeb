"""A token that has ended works nowhere within a second: in no process, on either database."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.databases import BOTH_IN_SOAK
from tests.e2e.in_process import InProcess
from tests.e2e.test_sdks_live import port_of
from tests.e2e.test_up import up
from tests.integration.serving import NO_TLS

MOMENT_S = 1.0
PATIENCE_S = 120.0
EVENT = {"userId": "ada", "event": "seen"}


@dataclass
class Knocking:
    """Somebody who sends one event after another to a process, with one token."""

    url: str
    token: str
    answers: list[tuple[float, int]] = field(default_factory=list)
    over: bool = False

    def knock(self) -> None:
        headers = {"authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=NO_TLS) as client:
            while not self.over:
                began = time.monotonic()
                status = client.post("/v1/track", json=EVENT).status_code
                self.answers.append((began, status))
                time.sleep(0.1)

    def until(self, condition: Callable[[list[tuple[float, int]]], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition(self.answers):
            assert time.monotonic() < end, self.answers[-3:]
            time.sleep(0.01)


@contextmanager
def _knocking(urls: list[str], token: str) -> Iterator[list[Knocking]]:
    """At each of these, until the end of the block; there every one has been let in."""
    all_ = [Knocking(url, token) for url in urls]
    threads = [threading.Thread(target=each.knock, daemon=True) for each in all_]
    for thread in threads:
        thread.start()
    try:
        for each in all_:
            each.until(lambda answers: any(status == 200 for _, status in answers))
        yield all_
    finally:
        for each in all_:
            each.over = True
        for thread in threads:
            thread.join(PATIENCE_S)


def _is_over(everywhere: list[Knocking], ended_at: float) -> None:
    """Nobody is let in who begins a moment after the end, wherever he comes."""
    for each in everywhere:
        each.until(lambda answers: bool(answers) and answers[-1][0] > ended_at + MOMENT_S)
        late = {status for began, status in each.answers if began > ended_at + MOMENT_S}
        assert late <= {401, 429}, late


def _token(here: InProcess, *command: str) -> str:
    made = here.call("journey", "tokens", *command, "--json")
    assert made.code == 0, made.err
    return str(json.loads(made.out)["token"])


@contextmanager
def _two_processes(here: InProcess) -> Iterator[list[str]]:
    """Where ``journey up`` and ``journey api`` are reached, on one database."""
    with ExitStack() as stack:
        ports = [port_of(stack.enter_context(up(here, command))) for command in ("up", "api")]
        yield [f"http://127.0.0.1:{port}" for port in ports]


@pytest.mark.usefixtures("either_database")
@BOTH_IN_SOAK
def test_who_has_a_token_that_ended_is_let_in_nowhere_a_second_later(tmp_path: Path) -> None:
    here = InProcess(tmp_path)
    with _two_processes(here) as urls:
        revoked = _token(here, "create", "revoked", "--kind", "user_data")
        with _knocking(urls, revoked) as everywhere:
            assert here.call("journey", "tokens", "revoke", "revoked").code == 0
            _is_over(everywhere, time.monotonic())

        old = _token(here, "create", "rotated", "--kind", "user_data")
        with _knocking(urls, old) as everywhere:
            fresh = _token(here, "rotate", "rotated")
            _is_over(everywhere, time.monotonic())
        with _knocking(urls, fresh):
            pass


@pytest.mark.soak
@pytest.mark.usefixtures("either_database")
def test_a_token_lets_nobody_in_when_its_time_is_over(tmp_path: Path) -> None:
    here = InProcess(tmp_path)
    with _two_processes(here) as urls:
        expiring = _token(here, "create", "expiring", "--kind", "user_data", "--expires", "PT20S")
        expires_at = time.monotonic() + 20
        with _knocking(urls, expiring) as everywhere:
            _is_over(everywhere, expires_at)
