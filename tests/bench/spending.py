"""What a command takes, and what a process that goes on takes meanwhile."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Spent:
    """What one command took: seconds of wall and CPU, and its largest memory in MiB."""

    wall: float
    cpu: float
    memory: float


def spend(command: list[str], folder: Path) -> Spent:
    """Run a command to its end; what it took. Its output goes to ``folder/out``."""
    since = time.perf_counter()
    output = os.open(folder / "out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    process = os.posix_spawn(
        command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, output, 1)]
    )
    os.close(output)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{command[0]} ended with {os.waitstatus_to_exitcode(status)}")
    wall = time.perf_counter() - since
    return Spent(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def cpu_s(process: int) -> float:
    """The seconds of CPU that a process took so far, by the scheduler's clock (Linux)."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def memory_mib(process: int, *, peak: bool = False) -> float:
    """What a process holds in memory, or held at most, in MiB (Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    line = status.partition("VmHWM:" if peak else "VmRSS:")[2]
    return int(line.split()[0]) / 1024
