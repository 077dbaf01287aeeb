"""What holds for every test: no setting of the machine leaks in, only loopback may be dialled."""

from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from engine.telemetry.redact import Redactor, known_secrets
from tests.databases import copied_files, databases_on
from tests.postgresql import Server, running_server

MEMORY = Path("/dev/shm")

# What fails in the suite isn't made small there, which takes minutes; its blob repeats it.
_AS_FOUND = (Phase.explicit, Phase.reuse, Phase.generate)
settings.register_profile(
    "suite", max_examples=100, deadline=None, print_blob=True, phases=_AS_FOUND
)
settings.register_profile("soak", max_examples=5_000, deadline=None, print_blob=True)
settings.load_profile("suite")


def pytest_configure() -> None:
    """Start from a bare environment; child processes of tests inherit it."""
    for name in list(os.environ):
        if name.startswith("JOURNEY_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["JOURNEY_EGRESS_ALLOW"] = "127.0.0.0/8,[::1]"
    os.environ["JOURNEY_PORT"] = "0"  # many processes that serve run side by side
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as of what a shell runs behind itself
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if _has_room(MEMORY):  # nothing of a test is worth waiting for a disk
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def _has_room(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free >= 2 << 30


@pytest.fixture(scope="session", autouse=True)
def _files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with copied_files(tmp_path_factory.mktemp("made")):
        yield


@pytest.fixture(scope="module", autouse=True)
def _said_and_secret() -> Iterator[None]:
    """What commands called in this process set up for all of it goes with their module: how it
    logs, and which values are secret, which no log of another's test would show.
    """
    loggers = logging.getLogger(), logging.getLogger("engine")
    handlers, raising = list(loggers[0].handlers), logging.raiseExceptions
    levels = [each.level for each in loggers]
    yield
    for handler in set(loggers[0].handlers) - set(handlers):
        loggers[0].removeHandler(handler)
        handler.close()
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    logging.raiseExceptions = raising
    vars(known_secrets).update(vars(Redactor()))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server of this process's own."""
    with running_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def either_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The test runs on both databases, in turn: what tests/databases.py gives is one of the kind
    that this says.
    """
    if request.param == "sqlite":
        yield "sqlite"
        return
    with databases_on(request.getfixturevalue("postgresql")):
        yield "postgresql"
