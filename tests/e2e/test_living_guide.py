"""The guide's page of journeys that live, as a reader would do it: its commands run beside a
process that stays up, and their outputs come. (The first journey's start as a shell starts them.)
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.forked_commands import forked_commands
from tests.house.blocks import Block, blocks_of
from tests.house.source import DOCS, ROOT

PAGE = DOCS / "guide" / "living.md"
END = "@@ end of the block"
PATIENCE_S = 200
# What is another one each time: moments, how long after, ids of passages and processes, ports.
CHANGING = (
    r"\w{3} \d+ \w{3} \d{4} \d\d:\d\d",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    r"(?<=\+)\d+s",
    r"\b\d{19}\b",
    r"(?<=process )\d+",
    r"(?<=127\.0\.0\.1:)\d+",
)


class Shell:
    """A shell under way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, commands: str) -> str:
        """What the commands print, errors and all."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # Not everything that prints ends its line.
        self._process.stdin.write(f"{commands}\necho; echo '{END}'\n")
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line == f"{END}\n":
                return "".join(lines)
            lines.append(line)
        raise AssertionError(f"the shell ended at {commands}\n{''.join(lines)}")


@contextmanager
def shell(home: Path, port: str, commands: Path) -> Iterator[Shell]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JOURNEY_")}
    process = subprocess.Popen(
        [shutil.which("bash") or "bash"],
        cwd=ROOT,
        env=environment | {"HOME": str(home), "JOURNEY_PORT": port},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    run = Shell(process)
    run("set -e; exec 2>&1; trap 'kill $(jobs -p)' EXIT; shopt -s expand_aliases")
    run(f"alias journey={commands}/journey")
    try:
        yield run
    finally:
        process.communicate(timeout=300)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def await_listening(ports: Iterable[str]) -> None:
    """Until somebody listens at each: commands are quicker here than partners begin."""
    until = time.monotonic() + PATIENCE_S
    for port in map(int, ports):
        while not listens(port):
            assert time.monotonic() < until, port
            time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def missing(block: Block, printed: str) -> list[str]:
    """The lines that should have been printed and weren't."""
    return [
        line
        for line in block.said.splitlines()
        if not re.search(_pattern(line), printed, re.MULTILINE)
    ]


def _pattern(line: str) -> str:
    pattern = line.replace("...", "\0")
    for changing in CHANGING:
        pattern = re.sub(changing, "\0", pattern)
    # How wide a column is depends on what stands in it.
    words = " +".join(re.escape(word) for word in pattern.split())
    return f"^ *{words} *$".replace(re.escape("\0"), ".*").replace("\0", ".*")


def test_every_command_of_the_page_works_beside_a_living_process(tmp_path: Path) -> None:
    blocks = [block for block in blocks_of(PAGE) if block.kind == "sh"]
    ports = {port: free_port() for port in ("18811", "18812", "8420")}
    with forked_commands() as here, shell(tmp_path, ports["8420"], here) as run:
        for block in blocks:
            commands = re.sub("|".join(ports), lambda found: ports[found[0]], block.text)
            # Instead of sleeping as long as a reader has to: what comes then only looks.
            looks = re.sub(r"^sleep \d+\n", "", commands)
            until = time.monotonic() + PATIENCE_S
            while (lacking := missing(block, printed := run(looks))) and looks != commands:
                assert time.monotonic() < until, (block.place, lacking, printed)
                time.sleep(1)  # each look is a process or two
            assert not lacking, (block.place, lacking, printed)
            if "tests.partners" in block.text:
                await_listening((ports["18811"], ports["18812"]))
