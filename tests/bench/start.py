"""``start``: CPU that short commands take: help, a check, a simulation of a sample.

Beside them a Python that does nothing (``of_bare``: its CPU against theirs).
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator

from tests.bench.installation import Installation, installations
from tests.bench.shape import Bench, Case, Figures, Option, repeated
from tests.bench.spending import BIN, spend

SAMPLE = "cart"


def measure(given: Namespace) -> Iterator[Case]:
    """A case for each command."""
    with installations() as place:
        installation = place()
        installation.ask("new", "sample", "--from", SAMPLE, "--folder", str(installation.folder))
        file = str(installation.folder / "sample.yaml")
        journey, run = str(BIN / "journey"), str(BIN / "run-journey")
        commands = {
            "run-journey": [run, "--help"],
            "journey": [journey, "--help"],
            "check": [journey, "check", file],
            "simulate": [run, file, "--simulate"],
        }
        for name in given.commands.split(","):
            command = commands[name]
            yield repeated(name, given.runs, _once, installation, command)


def _once(installation: Installation, command: list[str]) -> Figures:
    python = [sys.executable, "-c", "pass"]
    bare = spend(python, installation.folder, installation.environment)
    spent = spend(command, installation.folder, installation.environment)
    return {
        "cpu_ms": spent.cpu * 1e3,
        "wall_ms": spent.wall * 1e3,
        "memory_mib": spent.memory,
        "of_bare": bare.cpu / spent.cpu,
    }


BENCH = Bench(
    "start",
    "CPU of help, check, and a simulation of a sample\n\n" + (__doc__ or ""),
    (
        Option(
            "commands", "run-journey,journey,check,simulate", "which: the help of two, and work"
        ),
        Option("runs", 11, "how often each command is run"),
    ),
    measure,
)
