from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli.main import main

RIGHT = "dsl: 1\njourney: right\nsteps: [{id: a, type: call_api, endpoint: crm}]\n"
WRONG = "dsl: 1\njourney: wrong\nsteps:\n  - {id: a, type: wait}\n  - {id: b, type: nap}\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    right, wrong = tmp_path / "right.yaml", tmp_path / "wrong.yaml"
    right.write_text(RIGHT)
    wrong.write_text(WRONG)
    return str(right), str(wrong)


def test_a_journey_without_problems_is_right(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", files[0]]) == 0
    assert capsys.readouterr().out == f"{files[0]}: right is right: 1 step, calls crm\n"


def test_every_problem_of_every_file_is_said(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", files[1], files[0]]) == 3
    out = capsys.readouterr().out
    assert f"{files[1]}:4:" in out
    assert f"{files[1]}:5:" in out
    assert "right is right" in out


def test_problems_as_json(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", *files]) == 3
    problems = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(p["file"], p["line"], p["severity"]) for p in problems] == [
        (files[1], 4, "error"),
        (files[1], 5, "error"),
    ]


def test_what_needs_events_is_right_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "j.yaml"
    file.write_text(RIGHT + "goals: [{name: bought, event: order}]\n")
    assert main(["check", str(file)]) == 0
    assert "don't take yet: goal `bought` on line 4" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "nowhere.yaml"]) == 2
    assert "No such file" in capsys.readouterr().err
