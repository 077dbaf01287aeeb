"""What a command loads: most of a short command is its start. No test here looks at a clock."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NETWORK = {"asyncio", "engine.wire.http_transport", "httptools", "ssl", "uvloop"}
DATABASE = {"alembic", "cryptography", "engine.db.connect", "sqlalchemy", "sqlite3", "sqlmodel"}
SELDOM = {"engine.core.drawing", "logging.handlers", "rich"}
PARSERS = {"jinja2", "pydantic", "yaml"}
KINDS = {"engine.credentials.kinds"}

SCENARIOS = """\
journey: short
scenarios:
  - name: he waits two days
    enter: {at: "2026-11-22T09:00:00Z"}
    expect: {outcome: completed}
"""
ENDPOINTS = "endpoints: {crm: {base_url: https://crm.example.com}}\n"
JOURNEY = "dsl: 1\njourney: short\nsteps:\n  - {id: settle, type: wait, for: P2D}\n"


def loaded(unwanted: Iterable[str], *arguments: str, then: str = "") -> list[str]:
    """Which of the ``unwanted`` modules ``journey`` with these arguments has loaded at its end;
    what the statement ``then`` prints on standard error is in it as well.
    """
    program = (
        "import json, sys\n"
        "from engine.cli.main import main\n"
        f"assert main({list(arguments)!r}) == 0\n"
        f"{then}\n"
        f"print(json.dumps([m for m in {sorted(unwanted)!r} if m in sys.modules]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=300
    )
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture
def short(tmp_path: Path) -> str:
    """A journey with scenarios, and with endpoints that have no credentials."""
    (tmp_path / "short.scenarios.yaml").write_text(SCENARIOS)
    (tmp_path / "endpoints.yaml").write_text(ENDPOINTS)
    file = tmp_path / "short.yaml"
    file.write_text(JOURNEY)
    return str(file)


@pytest.mark.parametrize("command", ["", "check", "test", "run"])
def test_help_loads_no_parser(command: str) -> None:
    arguments = [command, "--help"] if command else ["--help"]
    assert loaded(NETWORK | DATABASE | SELDOM | PARSERS, *arguments) == []


@pytest.mark.parametrize("command", ["check", "test", "run"])
def test_what_only_reads_files_loads_no_database_and_no_network(command: str) -> None:
    journey = "journeys/cart-rescue.yaml"
    assert loaded(NETWORK | DATABASE | SELDOM, command, journey) == []


@pytest.mark.parametrize("command", ["check", "test", "run"])
def test_endpoints_without_credentials_load_no_kind_of_them(command: str, short: str) -> None:
    assert loaded(KINDS, command, short) == []


def test_many_users_load_no_more_than_one(short: str, tmp_path: Path) -> None:
    users = tmp_path / "users.csv"
    users.write_text("id\nu1\nu2\n")
    assert loaded(NETWORK | DATABASE | SELDOM, "run", short, "--users", str(users)) == []


def test_of_the_models_of_the_language_only_the_outermost_are_built(short: str) -> None:
    then = (
        "from engine.core.steps.registry import STEP_TYPES\n"
        "assert not any(model.__pydantic_complete__ for model in STEP_TYPES)"
    )
    assert loaded((), "check", short, then=then) == []
