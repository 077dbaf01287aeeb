from __future__ import annotations

import json
import logging
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import SettingsError
from engine.telemetry.log_file import LogFile
from engine.telemetry.logs import HTTP_LIBRARIES, start_logging
from engine.telemetry.redact import Redactor

CANARY = "log-canary-7d21"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging belongs to the whole process: leave it as it was."""
    root = logging.getLogger()
    names = ["engine", *HTTP_LIBRARIES]
    levels = {name: logging.getLogger(name).level for name in names}
    before = (list(root.handlers), root.level, logging.raiseExceptions)
    yield
    for handler in root.handlers:
        if handler not in before[0]:
            handler.close()
    root.handlers[:], root.level, logging.raiseExceptions = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def started(level: str, file: str = "") -> None:
    redactor = Redactor()
    redactor.learn([CANARY])
    start_logging(level, file, redactor)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_is_one_object_without_the_secret(capsys: pytest.CaptureFixture[str]) -> None:
    started("info")
    logging.getLogger("engine.x").info("a %s\nof two lines", CANARY)
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("engine.x").exception("failed")
    said = capsys.readouterr()
    first, second = lines(said.err)
    assert first["message"] == "a [redacted]\nof two lines"
    assert (first["level"], first["logger"], first["at"][-1]) == ("INFO", "engine.x", "Z")
    assert "ValueError: [redacted]" in second["traceback"]
    assert CANARY not in said.err + said.out


def test_libraries_are_heard_from_warning_on_and_http_ones_even_at_debug(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for level, heard in (("INFO", []), ("DEBUG", ["some.library"])):
        started(level)
        for name in ("some.library", "httpx", "hpack.hpack", "h11"):
            logging.getLogger(name).debug("said")
        assert [line["logger"] for line in lines(capsys.readouterr().err)] == heard
        logging.getLogger("hpack.hpack").warning("said")
        assert len(lines(capsys.readouterr().err)) == 1


def test_starting_again_writes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        started("WARNING")
    logging.getLogger("engine").warning("once")
    assert capsys.readouterr().err.count("once") == 1


def test_a_file_is_for_its_owner_and_opened_anew_when_it_was_moved(tmp_path: Path) -> None:
    file = tmp_path / "engine.log"
    started("WARNING", str(file))
    logging.getLogger("engine").warning("first")
    file.rename(tmp_path / "old")
    logging.getLogger("engine").warning("second %s", CANARY)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [line["message"] for line in lines(file.read_text())] == ["second [redacted]"]


def test_a_record_that_cannot_be_written_shows_nothing_of_its_arguments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    started("WARNING")
    logging.getLogger("engine").warning("%d", CANARY)
    said = capsys.readouterr()
    assert CANARY not in said.err + said.out
    assert "Traceback" not in said.err


@pytest.mark.parametrize(("level", "file"), [("loud", ""), ("INFO", "/dev/null/x")])
def test_a_setting_that_makes_no_sense_is_one_line(level: str, file: str) -> None:
    with pytest.raises(SettingsError) as raised:
        started(level, file)
    assert "JOURNEY_LOG_" in raised.value.message
    assert "\n" not in raised.value.message


def test_a_log_whose_folder_is_gone_ends_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    file = LogFile(str(folder / "engine.log"))
    log = logging.getLogger("test_gone")
    log.addHandler(file)
    log.propagate = False
    logging.raiseExceptions = False
    try:
        shutil.rmtree(folder)
        log.warning("nobody hears this")
        folder.mkdir()
        log.warning("and this is heard again")
    finally:
        log.removeHandler(file)
        file.close()
    assert (folder / "engine.log").read_text() == "and this is heard again\n"
