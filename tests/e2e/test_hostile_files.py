"""Files that nobody writes by accident: one clear message, exit 3, no traceback, nothing dies."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hostile_files import GOOD, MIB, hostile_files

ROOT = Path(__file__).parents[2]
FILES = hostile_files()
SMALL = {name: row for name, row in FILES.items() if len(row[0]) < 150_000}
FLOODS = frozenset(("20,000 keys", "one id a thousand times"))
"""As many mistakes as lines: the first 200 are told, each at its place."""


def checked(files: dict[str, tuple[bytes, str]], folder: Path) -> dict[str, dict[str, Any]]:
    """What ``journey check`` makes of each file, all in one process; by the name of the case."""
    paths = [folder / "good.yaml", *(folder / f"f{n}.yaml" for n in range(len(files)))]
    for path, content in zip(
        paths, [GOOD.encode(), *(row[0] for row in files.values())], strict=True
    ):
        path.write_bytes(content)
    command = [sys.executable, "-m", "tests.e2e.hostile_files", *map(str, paths)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(files, told, strict=True))


@pytest.mark.parametrize(
    "files", [SMALL, pytest.param(FILES, marks=pytest.mark.soak)], ids=["small", "all"]
)
def test_a_hostile_file_gets_one_clear_message(
    files: dict[str, tuple[bytes, str]], tmp_path: Path
) -> None:
    told = checked(files, tmp_path)
    assert {
        name: what for name in files if (what := _amiss(name, files[name][1], told[name]))
    } == {}


def _amiss(name: str, code: str, told: dict[str, Any]) -> str:
    """What isn't as it should be with what was told of a file."""
    said, complained = told["said"], told["complained"]
    codes = re.findall(r"error: .* \[([a-z_.]+)\]$", said, re.MULTILINE)
    mistakes = [one for one in codes if one != "file.more_problems"]
    if "Traceback" in said + complained or told["exit"] != (3 if code else 0):
        return f"exit {told['exit']}: {complained or said}"[-500:]
    if set(mistakes) != ({code} if code else set()):
        return f"{code} is wrong, and told is {sorted(set(mistakes))}"
    if len(mistakes) > (10 if name not in FLOODS else 200):
        return f"told {len(mistakes)} times"
    if code and not re.search(r"^\S+\.yaml:[0-9]+:[0-9]+: error: \S", said, re.MULTILINE):
        return f"no place: {said[:200]}"
    if any(c < " " and c != "\n" for c in said):
        return "control characters reach the terminal"
    if told["seconds"] > 2 or told["peak"] > 64 * MIB:
        return f"{told['seconds']:.1f} s, {told['peak'] // MIB} MiB"
    return ""


def test_the_files_are_many_and_of_many_kinds() -> None:
    assert len(FILES) >= 200
    assert len({code for _, code in FILES.values()}) >= 30
    assert len(SMALL) >= 120
