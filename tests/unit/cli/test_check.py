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
    assert main(["check", "--format", "json", *files]) == 3
    problems = json.loads(capsys.readouterr().out)
    assert [(p["file"], p["line"], p["severity"]) for p in problems] == [
        (files[1], 4, "error"),
        (files[1], 5, "error"),
    ]
    keys = ["file", "line", "column", "end", "code", "severity", "message", "remedy"]
    assert list(problems[1]) == keys
    assert WRONG.splitlines()[4][problems[1]["column"] - 1 : problems[1]["end"] - 1] == "nap"
    assert main(["check", "--format", "json", files[0]]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_file_that_is_not_there_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "nowhere.yaml"]) == 2
    assert "No such file" in capsys.readouterr().err


TRAPS = """\
dsl: 1
journey: traps
steps:
  - {id: a, type: exit, when: user.tier in ['a', 'b']}   # why
  - id: b
    type: call_api
    endpoint: crm
    text: {{ user.path }}
    when: user.note == 'a: b'
  - id: c
    type: exit
    when: !user.gone
"""
REPAIRED = (
    TRAPS.replace("when: user.tier in ['a', 'b']", "when: \"user.tier in ['a', 'b']\"")
    .replace("{{ user.path }}", '"{{ user.path }}"')
    .replace("user.note == 'a: b'", "\"user.note == 'a: b'\"")
    .replace("!user.gone", "not user.gone")
)
DOUBTFUL = RIGHT.replace(
    "steps: [", 'steps: [{id: x, type: exit},{id: z, type: set, values: {vars.y: "a"}},'
)


def test_warnings_leave_a_journey_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "j.yaml"
    file.write_text(DOUBTFUL)
    assert main(["check", str(file)]) == 0
    out = capsys.readouterr().out
    assert ": warning: no way leads to the step `z` [step.unreachable]" in out
    assert "right is right" in out


def test_with_strict_warnings_are_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "j.yaml"
    file.write_text(DOUBTFUL)
    assert main(["check", "--strict", str(file)]) == 3
    out = capsys.readouterr().out
    assert ": error: no way leads to the step `z`" in out
    assert "is right" not in out


def test_problems_as_annotations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a,b:100%.yaml"
    file.write_text(DOUBTFUL.replace("type: exit", "type: exit, when: vars.a"))
    assert main(["check", "--format", "github", str(file)]) == 3
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"::error file={tmp_path}/a%2Cb%3A100%25.yaml,line=3,col=")
    assert (
        line.endswith(
            ",title=var.unknown::no step ever sets `vars.a`%0A"
            "`outputs` of a call or a `set` step makes it"
        )
        or "%0A" in line
    )


def test_a_folder_stands_for_the_journeys_in_it_and_below(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "right.scenarios.yaml").write_text("journey: right\nscenarios: []\n")
    (tmp_path / "endpoints.yaml").write_text("endpoints: {}\n")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "j.yaml").write_text(WRONG)
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "j.yml").write_text(RIGHT)
    assert main(["check", "--format", "json", str(tmp_path)]) == 3
    assert {p["file"] for p in json.loads(capsys.readouterr().out)} == {files[1]}
    assert main(["check", str(tmp_path / "deeper")]) == 0
    assert "j.yml: right is right" in capsys.readouterr().out


def test_a_folder_without_journeys_is_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(tmp_path)]) == 2
    assert "there is no journey in the folder" in capsys.readouterr().err


def test_fix_quotes_what_yaml_takes_otherwise_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "j.yaml"
    file.write_bytes(("\ufeff" + TRAPS.replace("\n", "\r\n")).encode())
    file.chmod(0o640)
    assert main(["check", "--fix", str(file)]) == 0
    said = capsys.readouterr()
    assert f"{file}:8: now text: " in said.err
    assert "is right" in said.out
    assert file.read_bytes().decode() == "\ufeff" + REPAIRED.replace("\n", "\r\n")
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["j.yaml"]
    assert main(["check", "--fix", str(file)]) == 0
    assert capsys.readouterr().err == ""


def test_fix_takes_braces_off_an_expression_and_quotes_one_inside_lists(tmp_path: Path) -> None:
    file = tmp_path / "j.yaml"
    file.write_text(
        "dsl: 1\njourney: j\n"
        "entry: {triggers: [{event: e, where: event.t in ['a', 'b']}]}\n"
        "steps: [{id: a, type: exit, when: {{ user.vip }}}]\n"
    )
    assert main(["check", "--fix", str(file)]) == 0
    assert file.read_text().splitlines()[2:] == [
        """entry: {triggers: [{event: e, where: "event.t in ['a', 'b']"}]}""",
        "steps: [{id: a, type: exit, when: user.vip}]",
    ]


def test_fix_leaves_what_it_cannot_help_and_reports_it(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path(files[1]).stat()
    assert main(["check", "--fix", *files]) == 3
    said = capsys.readouterr()
    assert f"{files[1]}:4:" in said.out
    assert said.err == ""
    assert Path(files[1]).read_text() == WRONG
    assert Path(files[1]).stat().st_ino == before.st_ino


CALLS = "dsl: 1\njourney: calls\nsteps: [{id: a, type: call_api, endpoint: crn, when: user.teir}]\n"
AROUND = "endpoints: {crm: {base_url: https://crm.example.com}}\nattributes: {tier: text}\n"


def codes(out: str) -> list[str]:
    return [problem["code"] for problem in json.loads(out)]


def test_a_journey_is_checked_against_what_stands_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "j.yaml"
    file.write_text(CALLS)
    assert main(["check", "--strict", str(file)]) == 0
    (tmp_path / "endpoints.yaml").write_text(AROUND)
    capsys.readouterr()
    assert main(["check", "--format", "json", str(file)]) == 0
    assert codes(capsys.readouterr().out) == ["endpoint.unknown", "attribute.undeclared"]
    assert main(["check", "--strict", "--format", "json", str(file)]) == 3
    other = tmp_path / "other.yaml"
    other.write_text("attributes: {teir: text}\n")
    capsys.readouterr()
    assert main(["check", "--format", "json", "--endpoints", str(other), str(file)]) == 0
    assert codes(capsys.readouterr().out) == []


def test_a_journey_is_checked_against_an_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "j.yaml").write_text(CALLS)
    (tmp_path / "around.yaml").write_text(AROUND)
    url = f"sqlite:///{tmp_path}/engine.db"
    assert main(["apply", "--database", url, "around.yaml"]) == 0
    capsys.readouterr()
    assert main(["check", "--format", "json", "--database", url, "j.yaml"]) == 0
    assert codes(capsys.readouterr().out) == ["endpoint.unknown", "attribute.undeclared"]
    assert main(["check", "--database", f"sqlite:///{tmp_path}/none.db", "j.yaml"]) == 5


def test_what_is_wrong_beside_journeys_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "endpoints.yaml").write_text("endpoints: {crm: {}}\n")
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(RIGHT)
    assert main(["check", str(tmp_path)]) == 3
    out = capsys.readouterr().out
    assert out.count("endpoints.yaml:1:") == 1
    assert "b.yaml: right is right" in out
