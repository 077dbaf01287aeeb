from __future__ import annotations

import json
import resource
from collections.abc import Iterator

import pytest

from tests.unit.cli.commands import Journey


@pytest.fixture(autouse=True)
def _core_limit_as_before() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def test_a_command_leaves_no_core_dump(journey: Journey) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    assert journey("config").code == 0
    assert resource.getrlimit(resource.RLIMIT_CORE) == (min(1, hard) if hard >= 0 else 1, hard)


@pytest.mark.parametrize(
    "wrong", [{"JOURNEY_LOG_LEVEL": "loud"}, {"JOURNEY_LOG_FILE": "/dev/null/x"}]
)
def test_a_log_setting_that_makes_no_sense_ends_the_command_in_one_line(
    journey: Journey, wrong: dict[str, str]
) -> None:
    ended = journey("config", **wrong)
    assert (ended.code, ended.out, ended.err.count("\n")) == (78, "", 1)
    assert next(iter(wrong)) in ended.err
    assert journey("config", "--help", **wrong).code == 0


def test_logs_go_to_the_file_and_no_secret_with_them(journey: Journey) -> None:
    log = journey.folder / "engine.log"
    kek = "a-kek-that-is-a-canary-0123456789abcdef"
    ended = journey("config", JOURNEY_LOG_LEVEL="DEBUG", JOURNEY_LOG_FILE=str(log), JOURNEY_KEK=kek)
    assert ended.code == 0
    assert kek not in ended.out + ended.err + log.read_text()
    for line in log.read_text().splitlines():
        assert {"at", "level", "logger", "message"} <= json.loads(line).keys()
