"""scripts/demo: it works, every claim holds, and it leaves nothing behind, however it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.demo_claims import Leaks
from scripts.demo_simulation import _carts, _orders, customers
from tests.e2e.forked_commands import forked_commands

ROOT = Path(__file__).parents[2]
DEMO = (str(ROOT / "scripts" / "demo.py"),)
SMALLER = """
import sys
from scripts import demo, demo_simulation, demo_workshop
demo_simulation.CUSTOMERS = 400
commands = sys.argv.pop()
demo_workshop.Workshop._real = lambda self, command: [f"{commands}/{command[0]}", *command[1:]]
sys.exit(demo.main())
"""
"""The same with a smaller shop to simulate, and with forked commands: those in the folder that is
the last argument.
"""


@contextmanager
def demo(
    folder: Path, *options: str, program: tuple[str, ...] = DEMO
) -> Iterator[subprocess.Popen[str]]:
    """The demo under way, with ``folder`` as the place for temporary folders."""
    process = subprocess.Popen(
        [sys.executable, *program, *options],
        env={**os.environ, "TMPDIR": str(folder), "COLUMNS": "80", "JOURNEY_HOME": "/nowhere"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        cwd=folder,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_every_claim_is_ticked_and_then_the_console_stays_until_ctrl_c(tmp_path: Path) -> None:
    smaller = ("-c", SMALLER)
    with (
        forked_commands() as commands,
        demo(tmp_path, "--seconds", "3", str(commands), program=smaller) as process,
    ):
        output = told_until(process, "Ctrl-C")
        (link,) = re.findall(r"^ +(http://\S+/login/\S+)$", output, re.MULTILINE)
        assert "Log in" in httpx.get(link, trust_env=False, timeout=30).text
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=300)
        output += rest
    assert process.returncode == 0, output
    claims = re.findall(r"^   ([✓✗]) ", output, re.MULTILINE)
    assert claims.count("✓") == len(claims) >= 22, output
    assert "\x1b" not in output  # in a pipe there are no colours
    assert max(map(len, output.splitlines())) <= 80
    assert [path.name for path in tmp_path.iterdir()] == ["demo-report.html"]
    report = (tmp_path / "demo-report.html").read_text(encoding="utf-8")
    assert re.findall("<h1>(.*?)</h1>", report) == ["Cart rescue", "Win back"]
    assert report.count("<!doctype html>") == report.count("</html>") == 1
    assert_nobody_listens(output)


def test_a_demo_that_is_ended_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    with demo(tmp_path, "--seconds", "3", "--no-serve") as process:
        seen = told_until(process, "% of the customers")
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=300)
    assert process.returncode == 128 + signal.SIGTERM, seen + rest
    assert list(tmp_path.iterdir()) == []
    assert_nobody_listens(seen)


def told_until(process: subprocess.Popen[str], words: str) -> str:
    """What it says up to a line with these words."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if words in line:
            return seen
    raise AssertionError(seen)


def assert_nobody_listens(output: str) -> None:
    """Neither the partners nor the engine that the output names are there any more."""
    ports = set(re.findall(r"http://127\.0\.0\.1:(\d+)", output))
    assert len(ports) >= 4
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(port))) != 0


@pytest.mark.parametrize(
    "written",
    [
        b"... pass-word/1 ...",
        b"... pass-word%2F1 ...",
        b"Basic Ym90OnBhc3Mtd29yZC8x",  # bot:pass-word/1
        b"706173732d776f72642f31",
    ],
)
def test_a_secret_in_any_form_that_requests_have_is_found(written: bytes) -> None:
    leaks = Leaks.look({"engine.db": b"nothing", "output": written}, ["pass-word/1"])
    assert leaks.found == ("output",)
    assert leaks.secrets == 1


def test_the_made_up_shop_is_the_same_each_time_and_a_wrong_count_is_noticed() -> None:
    once, again = customers(), customers()
    assert once == again
    told: list[dict[str, Any]] = [
        {"entered": 1, "refused": 0, "goals": {"purchased": {"met": 0, "held_out": 0}}}
        | {"outcomes": {}, "waiting": 0}
        | {"steps": {"miss_you": {"succeeded": 0}, "offer": {"succeeded": 0}}}
    ]
    assert not any(claim.holds for claim in (*_carts(once, told), *_orders(once, told)))
