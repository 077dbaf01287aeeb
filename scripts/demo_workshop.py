"""Where the demo works: a temporary folder with files as a user would have them, and commands."""

from __future__ import annotations

import csv
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.demo_screen import Screen
from tests.partners import Remote

ROOT = Path(__file__).resolve().parents[1]
HOSTS = {
    "https://id.example.com": "oauth",
    "https://crm.example.com": "crm",
    "https://loyalty.example.com": "loyalty",
    "https://messenger.example.com": "messenger",
}


@dataclass
class Secrets:
    """Made up for this demo: what the partners demand, and what they will demand later."""

    crm: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    new_crm: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    loyalty: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    new_loyalty: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    messenger: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def variables(self) -> dict[str, str]:
        """The environment that journeys/endpoints.yaml is applied in."""
        return {
            "CRM_SECRET": self.crm,
            "LOYALTY_PASSWORD": self.loyalty,
            "MESSENGER_KEY": self.messenger,
        }


class DemoError(Exception):
    """The demo can't go on; one line says why."""


class Workshop:
    """A folder with the journey, its users and the engine's state, and the commands run in it."""

    def __init__(self, folder: Path, screen: Screen) -> None:
        self.folder = folder
        self.screen = screen
        self.said: list[str] = []
        keep = {k: v for k, v in os.environ.items() if not k.upper().startswith("JOURNEY_")}
        self.environment = {
            **{k: v for k, v in keep.items() if not k.lower().endswith("_proxy")},
            "JOURNEY_HOME": str(folder / "home"),
            "JOURNEY_EGRESS_ALLOW": "127.0.0.0/8,[::1]",
        }

    def run(self, *command: str, variables: Mapping[str, str] | None = None) -> str:
        """Run a command to its end, showing it and what it says; its standard output."""
        self.screen.command(*command)
        done = subprocess.run(
            self._real(command),
            cwd=self.folder,
            env={**self.environment, **(variables or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        self.said += [done.stdout, done.stderr]
        self.screen.output(done.stdout + done.stderr)
        if done.returncode != 0:
            raise DemoError(f"{command[0]} {command[1]} ended with exit code {done.returncode}")
        return done.stdout

    def quietly(self, *command: str) -> str:
        """Run a command that says too much for a screen; its standard output."""
        shown, self.screen.silent = self.screen.silent, True
        try:
            return self.run(*command)
        finally:
            self.screen.silent = shown

    @contextmanager
    def running(
        self, *command: str, name: str, progress: bool = False
    ) -> Iterator[subprocess.Popen[str]]:
        """A command under way; it doesn't outlive the block. What it says goes to NAME.out and
        NAME.err; but its progress to the terminal, if there is one."""
        self.screen.command(*command)
        files = [self.folder / f"{name}.{end}" for end in ("out", "err")]
        with files[0].open("w") as out, files[1].open("w") as err:
            process = subprocess.Popen(
                self._real(command),
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=None if progress and self.screen.interactive else err,
                text=True,
            )
        try:
            yield process
        finally:
            _end(process)
            self.said += [file.read_text(encoding="utf-8") for file in files]

    def _real(self, command: tuple[str, ...]) -> list[str]:
        return [str(Path(sys.executable).with_name(command[0])), *command[1:]]


def _end(process: subprocess.Popen[str]) -> None:
    for stop in (process.terminate, process.kill):
        if process.poll() is None:
            stop()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                continue


def furnish(folder: Path, partners: Mapping[str, Remote]) -> None:
    """Put the sample journey and endpoints there as they stand in the repository, with the
    partners' real addresses."""
    (folder / "journeys").mkdir(parents=True)
    shutil.copy(ROOT / "journeys" / "loyalty-upgrade.yaml", folder / "journeys")
    endpoints = (ROOT / "journeys" / "endpoints.yaml").read_text(encoding="utf-8")
    for host, name in HOSTS.items():
        endpoints = endpoints.replace(host, partners[name].url)
    (folder / "journeys" / "endpoints.yaml").write_text(endpoints, encoding="utf-8")


def invite(folder: Path, customers: int) -> None:
    """Write so many customers into customers.csv, each like one of the samples."""
    with (ROOT / "journeys" / "customers.csv").open(encoding="utf-8", newline="") as file:
        samples = list(csv.DictReader(file))
    with (folder / "customers.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "email", "first_name", "timezone"])
        for number in range(customers):
            like = samples[number % len(samples)]
            name = f"cus_{number + 1:06}"
            writer.writerow([name, f"{name}@example.com", like["first_name"], like["timezone"]])
