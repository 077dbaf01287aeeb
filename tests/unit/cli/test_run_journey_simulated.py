from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.cli.run_journey import main

WELCOME = """\
dsl: 1
journey: welcome
steps:
  - {id: greet, type: call_api, endpoint: messenger, path: /send, body: {to: "{{ user.email }}"}}
  - {id: settle, type: wait, for: P2D}
  - id: tips
    type: call_api
    when: not user.onboarded
    endpoint: messenger
    path: /tips
"""
NOW = ("--now", "2026-11-22T09:00+03:00")


@pytest.fixture
def welcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "welcome.yaml"
    file.write_text(WELCOME)
    return file


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_one_user_gets_a_timeline(welcome: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([str(welcome), "--user", "u_1", "--set", "email=a@b.c", *NOW])
    assert code == 0
    assert capsys.readouterr().out == (
        "welcome · user u_1 · simulated from Sun 22 Nov 2026 06:00 UTC\n"
        "  +0s       ● entered\n"
        "  +0s       ✓ greet       POST messenger/send  200\n"
        "  +0s       ⏸ settle      until Tue 06:00 UTC\n"
        "  +2d 0h    ✓ tips        POST messenger/tips  200\n"
        "  +2d 0h    ■ completed   3 steps\n"
    )


def test_without_users_one_user_is_simulated_and_nothing_is_stored(
    welcome: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(welcome), "--set", "email=a@b.c"]) == 0
    assert "user u1" in capsys.readouterr().out
    assert [path.name for path in welcome.parent.iterdir()] == ["welcome.yaml"]


def test_a_failure_is_told_with_its_reason_and_the_user_goes_on(
    welcome: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(welcome), *NOW, "--answer", "messenger=404", "--set", "onboarded=true"])
    out = capsys.readouterr().out
    assert "✗ greet       call.unfillable: body.to" in out
    assert "○ tips        skipped (when: not user.onboarded)" in out
    assert "■ completed   2 steps, 1 failed call" in out


def test_answers_are_taken_in_order_and_the_last_stays(
    welcome: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = ("--answer", "messenger=503", "--answer", "messenger=200")
    main([str(welcome), "--set", "email=a@b.c", "--json", *NOW, *answers])
    steps = {line.get("step"): line for line in lines(capsys.readouterr().out)}
    assert steps["greet"]["attempts"] == 2
    assert steps["tips"]["attempts"] == 1


def test_a_timeout_takes_as_long_as_the_endpoint_allows(
    welcome: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (welcome.parent / "endpoints.yaml").write_text(
        "auth_profiles: {m: {kind: bearer, token: {env: NOT_SET}}}\n"
        "endpoints:\n"
        "  messenger:\n"
        "    {base_url: https://m.example, auth: m, timeout: 7s, retry: {attempts: 1}}\n"
    )
    main([str(welcome), "--set", "email=a@b.c", "--json", *NOW, "--answer", "messenger=timeout"])
    greet = lines(capsys.readouterr().out)[0]
    assert (greet["failure"], greet["at"]) == ("call.timed_out", "2026-11-22T06:00:07.000000Z")


def test_a_simulation_passes_over_auth_profiles(
    welcome: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (welcome.parent / "endpoints.yaml").write_text(
        "auth_profiles: {m: {kind: unheard-of}}\n"
        "endpoints: {messenger: {base_url: https://m.example, auth: {kind: basic}}}\n"
    )
    assert main([str(welcome), "--set", "email=a@b.c", *NOW]) == 0
    assert "greet" in capsys.readouterr().out


def test_json_is_a_line_for_each_step_and_passage_and_a_summary(
    welcome: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(welcome), "--user", "a", "--set", "email=e", "--json", *NOW]) == 0
    *steps, passage, summary = lines(capsys.readouterr().out)
    assert steps[0] == {
        "type": "step",
        "user": "a",
        "journey": "welcome",
        "step": "greet",
        "status": "succeeded",
        "failure": None,
        "http_status": 200,
        "attempts": 1,
        "at": "2026-11-22T06:00:00.000000Z",
        "visit": 1,
        "credential_version": None,
    }
    assert [step["step"] for step in steps] == ["greet", "settle", "tips"]
    assert passage == {
        "type": "passage",
        "user": "a",
        "journey": "welcome",
        "key": "",
        "entered_at": "2026-11-22T06:00:00.000000Z",
        "outcome": "completed",
        "at": steps[-1]["at"],
    }
    one = {"entered": 1, "succeeded": 1, "failed": 0, "skipped": 0, "waiting": 0}
    assert summary == {
        "type": "summary",
        "journey": "welcome",
        "version": None,
        "entered": 1,
        "refused": 0,
        "refusals": {},
        "finished": 1,
        "waiting": 0,
        "calls": {"succeeded": 2, "failed": 0, "attempts": 2},
        "endpoints": {"messenger": {"calls": 2, "attempts": 2, "succeeded": 2, "failed": 0}},
        "tokens": {},
        "outcomes": {"completed": 1},
        "arms": {},
        "steps": {"greet": one, "settle": one, "tips": one},
    }


def test_json_tells_no_outcome_of_who_is_still_inside(
    welcome: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(welcome), "--set", "email=e", "--json", *NOW, "--for", "P1D"]) == 0
    assert [line["type"] for line in lines(capsys.readouterr().out)] == ["step", "summary"]


def test_many_users_get_tables_and_the_balance_in_words(
    welcome: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    users = welcome.with_name("users.csv")
    users.write_text("id,email,onboarded\na,x@y,true\nb,x@y,\nc,,\n")
    assert main([str(welcome), "--users", str(users), *NOW, "--for", "P1D"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "welcome · simulated · 3 users · from Sun 22 Nov 2026 06:00 UTC"
    assert [line.split() for line in out[2:6]] == [
        ["step", "entered", "succeeded", "failed", "skipped", "waiting"],
        ["greet", "3", "2", "1", "0", "0"],
        ["settle", "3", "0", "0", "0", "3"],
        ["tips", "0", "0", "0", "0", "0"],
    ]
    assert "entered   3   finished 0   waiting 3" in out
    assert any("1 times  greet  call.unfillable  for example user c" in line for line in out)
    assert out[-1] == "failed 1, went on 1, stuck 0"


def test_arms_stand_below_their_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(
        "dsl: 1\njourney: s\nsteps:\n  - id: half\n    type: split\n"
        "    arms: [{name: left, weight: 1}, {name: right, weight: 1}]\n"
    )
    users = tmp_path / "u.jsonl"
    users.write_text("".join(f'{{"id": "u{n}"}}\n' for n in range(100)))
    assert main([str(file), "--users", str(users)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    arms = {row[1]: int(row[2]) for row in rows if row[:1] == ["→"]}
    assert set(arms) == {"left", "right"}
    assert sum(arms.values()) == 100


@pytest.mark.parametrize(
    ("fail_on", "answer", "code"),
    [
        ("never", "404", 0),
        ("step", "404", 6),
        ("step", "200", 0),
        ("journey", "404", 0),
    ],
)
def test_fail_on_asks_for_an_exit_code(welcome: Path, fail_on: str, answer: str, code: int) -> None:
    options = ["--set", "email=e", "--answer", f"messenger={answer}", "--fail-on", fail_on]
    assert main([str(welcome), *options]) == code


def test_somebody_who_left_by_a_failure_is_a_failed_journey(welcome: Path) -> None:
    welcome.write_text(WELCOME.replace("path: /send,", "path: /send, on_failure: exit,"))
    options = ["--set", "email=e", "--answer", "messenger=404", "--fail-on", "journey"]
    assert main([str(welcome), *options]) == 6


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--live"], "--live needs users"),
        (["--users", "u.csv", "--user", "a"], "exclude each other"),
        (["--users", "u.csv", "--set", "a=1"], "go with --user"),
        (["--skip-bad"], "goes with --users"),
        (["--again"], "--again goes with --live"),
        (["--database", "sqlite:///x"], "--database goes with --live"),
        (["--live", "--user", "a", "--answer", "messenger=200"], "--answer goes with --simulate"),
        (["--now", "yesterday"], "no ISO 8601 time"),
        (["--for", "3"], "with its unit"),
        (["--for", "P1M"], "no fixed length"),
        (["--answer", "messenger"], "write ENDPOINT=STATUS"),
        (["--answer", "messenger=999"], "no answer"),
        (["--answer", "mesenger=200"], "did you mean 'messenger'?"),
        (["--users", "missing.csv"], "No such file"),
        (["--user", ""], "no id"),
        (["--fail-on", "always"], "--fail-on"),
    ],
)
def test_what_is_asked_wrongly_is_one_clear_line_and_exit_2(
    welcome: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main([str(welcome), *options]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert not shown.out


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"", 3, "w.yaml:1:1"),
        (b"\x00\x01", 3, "NUL"),
        (b"dsl: 1\n" + b"#" * (1024 * 1024), 3, "larger than 1024 KiB"),
        (b"journey: x\nsteps: [{id: a, type: nap}]\ndsl: 1\nfoo: 1\n", 3, "w.yaml:4:1"),
        (None, 2, "No such file"),
    ],
)
def test_a_file_that_is_no_journey_is_said_as_a_compiler_would(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, code: int, said: str
) -> None:
    file = tmp_path / "w.yaml"
    if content is not None:
        file.write_bytes(content)
    assert main([str(file)]) == code
    assert said in capsys.readouterr().err


def test_a_folder_is_no_journey(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "it is a folder" in capsys.readouterr().err


def test_bad_rows_are_named_and_may_be_left_out(
    welcome: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    users = welcome.with_name("users.csv")
    users.write_text("id,email\na,x\n,y\na,z\nb,x\n")
    assert main([str(welcome), "--users", str(users)]) == 2
    err = capsys.readouterr().err
    assert "users.csv:3" in err
    assert "users.csv:4" in err
    assert main([str(welcome), "--users", str(users), "--skip-bad", "--json"]) == 0
    shown = capsys.readouterr()
    assert "2 bad rows left out; the first on line 3" in shown.err
    assert lines(shown.out)[-1]["entered"] == 2


def test_users_may_come_from_standard_input(
    welcome: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b'{"id": "a"}\n{"id": "b"}\n'))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main([str(welcome), "--users", "-", "--json"]) == 0
    assert lines(capsys.readouterr().out)[-1]["entered"] == 2


def test_an_endpoint_that_the_file_beside_does_not_know_is_said(
    welcome: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beside = welcome.with_name("endpoints.yaml")
    beside.write_text("endpoints: {mesenger: {base_url: https://m.example}}\n")
    assert main([str(welcome), "--set", "email=e"]) == 0
    assert "no endpoint messenger (step greet, tips); did you mean" in capsys.readouterr().err
    beside.write_text("endpoints: {messenger: {base_url: https://m.example, timeot: 3s}}\n")
    assert main([str(welcome), "--set", "email=e"]) == 3
    assert "endpoints.yaml:1:" in capsys.readouterr().err


def test_a_step_that_reads_an_answer_nobody_scripted_is_said(
    welcome: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    welcome.write_text(WELCOME + "    outputs: {vars.code: response.body.code}\n")
    main([str(welcome), "--set", "email=e"])
    assert "messenger answers 200 and {} here, and tips reads" in capsys.readouterr().err
    main([str(welcome), "--set", "email=e", "--answer", 'messenger=200:{"code": 1}'])
    shown = capsys.readouterr()
    assert "answers 200" not in shown.err
    assert "failed" not in shown.out


def test_nothing_from_outside_steers_the_terminal(
    welcome: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = "\x1b[2J\x07" + "\u202e"
    welcome.write_text(
        WELCOME.replace("messenger", "crm") + "    success: {when: response.text == 'ok'}\n"
    )
    user = "u\u202e\u200b1"
    main([str(welcome), "--user", user, "--set", "email=e", "--answer", f"crm=200:{body}"])
    out = capsys.readouterr().out
    assert all(character.isprintable() or character == "\n" for character in out)
    assert "user u\ufffd\ufffd1" in out


ZONES = (
    "Europe/Istanbul",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "America/Santiago",
)
CHANGING = set(ZONES) - {"Europe/Istanbul"}


def test_nine_o_clock_is_nine_o_clock_in_six_zones_over_both_changes_of_the_year(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mornings.yaml"
    file.write_text(
        "dsl: 1\njourney: mornings\nmax_age: P400D\nsteps:\n"
        '  - {id: morning, type: wait, until: {time: "09:00"}}\n'
        "  - id: again\n    type: branch\n"
        "    paths: [{name: more, when: visits('morning') < 366, next: morning}]\n"
    )
    users = tmp_path / "users.csv"
    users.write_text("id,timezone\n" + "".join(f"{zone},{zone}\n" for zone in ZONES))
    assert main([str(file), "--users", str(users), "--json", *NOW]) == 0
    steps = [s for s in lines(capsys.readouterr().out) if s.get("step") == "morning"]
    for zone in ZONES:
        at = [_local(step["at"], zone) for step in steps if step["user"] == zone]
        assert len(at) == 366
        assert {(local.hour, local.minute, local.second) for local in at} == {(9, 0, 0)}
        days = [local.date().toordinal() for local in at]
        assert days == list(range(days[0], days[0] + 366))
        offsets = {local.utcoffset() for local in at}
        assert len(offsets) == (2 if zone in CHANGING else 1)


def _local(at: str, zone: str) -> datetime:
    moment = datetime.strptime(at, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return moment.astimezone(ZoneInfo(zone))


HEAVY = ("alembic", "httptools", "jinja2", "pydantic", "rich", "sqlalchemy", "sqlmodel", "yaml")


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from engine.cli.run_journey import main\n"
        "assert main(['--help']) == 0\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stderr == "[]\n"
    assert "--fail-on" in done.stdout


def test_a_reader_that_goes_away_is_no_error(welcome: Path) -> None:
    users = welcome.with_name("u.jsonl")
    users.write_text("".join(f'{{"id": "u{n}"}}\n' for n in range(3_000)))
    command = [sys.executable, "-m", "engine.cli.run_journey", str(welcome)]
    with subprocess.Popen(
        [*command, "--users", str(users), "--json", "--quiet"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=300) == 0
