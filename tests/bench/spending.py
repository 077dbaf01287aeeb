"""What a command takes, and what a process that goes on takes meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
Popen: type[subprocess.Popen[str]] = subprocess.Popen
"""How processes are started that go on."""
_STARTER = str(Path(__file__).with_name("starting.py"))


@dataclass(frozen=True)
class Spent:
    """What one command took: seconds of wall and CPU, and its largest memory in MiB."""

    wall: float
    cpu: float
    memory: float


def spend(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> Spent:
    """Run a command to its end; what it took. Its output goes to ``folder/out``; if it fails, what
    it says goes on standard error.
    """
    code, wall, cpu, memory = started(command, folder, environment).split()
    if int(code):
        sys.stderr.write((folder / "err").read_text())
        raise SystemExit(f"{' '.join(command)} ended with {int(code)}")
    return Spent(float(wall), float(cpu), float(memory) / 1024)


def started(command: list[str], folder: Path, environment: Mapping[str, str] | None) -> str:
    """What ``tests/bench/starting.py`` tells of a command."""
    starter = [sys.executable, "-I", "-S", _STARTER, str(folder)]
    told = subprocess.run(
        [*starter, *command], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return told.stdout


def cpu_s(process: int) -> float:
    """The seconds of CPU that a process took so far, by the scheduler's clock (Linux)."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def memory_mib(process: int, *, peak: bool = False) -> float:
    """What a process holds in memory, or held at most, in MiB (Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    line = status.partition("VmHWM:" if peak else "VmRSS:")[2]
    return int(line.split()[0]) / 1024
