"""The first journey of the guide, as a reader would do it: its commands run, its outputs come."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "engine" / "docs" / "guide" / "first-journey.md"
BETWEEN = "@@ next block"


def blocks() -> list[tuple[str, str]]:
    """(commands, what is said to come out) in the page's order; '' where nothing is said."""
    found = re.findall(
        r"```sh\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    return [(commands, expected) for commands, expected in found]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_one_script(parts: list[str]) -> str:
    """The blocks in one shell, with other ports: a suite runs beside others."""
    script = f"exec 2>&1\nset -e\necho '{BETWEEN}'\n".join(["", *parts])
    for port in sorted(set(re.findall(r"\b188\d\d\b", script))):
        script = script.replace(port, str(free_port()))
    # What was started in the background ends with this script and not ten minutes later.
    return f"trap 'kill $(jobs -p)' EXIT\n{script}"


def test_every_command_of_the_first_journey_works_and_says_what_the_page_says(
    tmp_path: Path,
) -> None:
    parts = blocks()
    assert len(parts) > 10
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JOURNEY_")}
    done = subprocess.run(
        ["bash", "-c", as_one_script([commands for commands, _ in parts])],
        cwd=ROOT,
        env=environment | {"HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.split(f"{BETWEEN}\n")[1:]
    assert len(said) == len(parts)
    for (commands, expected), output in zip(parts, said, strict=True):
        for line in expected.splitlines():
            pattern = re.escape(line).replace(r"\.\.\.", ".*")
            assert re.search(f"^{pattern}$", output, re.MULTILINE), (commands, line, output)
    assert (tmp_path / "journeys" / ".journey" / "engine.db").is_file()


def test_every_block_of_the_page_is_run_or_compared() -> None:
    text = PAGE.read_text(encoding="utf-8")
    fences = re.findall(r"^```(\w*)$", text, re.MULTILINE)[::2]
    assert set(fences) == {"sh", "text"}
    assert fences.count("sh") == len(blocks())
    assert fences.count("text") == sum(bool(expected) for _, expected in blocks())
