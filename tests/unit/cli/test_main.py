from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from engine.cli import main as cli
from engine.cli.outcome import run
from engine.core.dsl.problems import Lines, Place
from engine.errors import (
    DatabaseUnavailable,
    DefinitionError,
    EngineError,
    InUse,
    NotFound,
    SettingsError,
)
from tests.unit.cli.commands import Journey

ROOT = Path(__file__).parents[3]


def started(*arguments: str, **variables: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_help_imports_nothing_that_is_heavy() -> None:
    program = (
        "import sys; from engine.cli.main import main; code = main(['--help']);"
        "heavy = {'sqlalchemy', 'sqlmodel', 'pydantic', 'cryptography', 'httptools', 'yaml',"
        " 'rich', 'jinja2', 'asyncio'} & set(sys.modules); print(sorted(heavy), file=sys.stderr);"
        "sys.exit(code)"
    )
    with started("-c", program) as process:
        out, err = process.communicate(timeout=180)
    assert (process.returncode, err) == (0, b"[]\n")
    assert b"apply" in out


@pytest.mark.parametrize("module", ["main", "run_journey"])
def test_a_process_ends_without_taking_the_interpreter_apart(module: str) -> None:
    program = (
        "import atexit, sys; atexit.register(print, 'taken apart');"
        f"from engine.cli.{module} import entry; sys.argv[1:] = ['--help']; entry()"
    )
    with started("-c", program) as process:
        out, err = process.communicate(timeout=180)
    assert (process.returncode, err) == (0, b"")
    assert b"Usage" in out
    assert b"taken apart" not in out


def test_every_command_of_the_table_is_there_and_says_what_it_does() -> None:
    context = click.Context(cli.journey)
    for name, (_, line) in cli.COMMANDS.items():
        command = cli.journey.get_command(context, name)
        assert command is not None, name
        assert command.help, name
        assert line.endswith("."), name


def test_a_misspelt_command_is_answered_in_one_line(journey: Journey) -> None:
    ended = journey("aply")
    assert ended.code == 2
    assert (
        ended.err
        == "error: there is no command 'aply' (did you mean 'apply'?); see `journey --help`\n"
    )


def test_no_command_prints_the_help(journey: Journey) -> None:
    ended = journey()
    assert (ended.code, "Usage: journey" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("x"), 2),
        (InUse("x", ("by y",)), 2),
        (DefinitionError("f", (Lines("a").problem("c", "x", Place(1, 1)),)), 3),
        (EngineError("x", code="journey.unknown_endpoint"), 4),
        (DatabaseUnavailable("x"), 5),
        (SettingsError("x"), 78),
        (KeyboardInterrupt(), 130),
        (RuntimeError("secret-canary"), 70),
        (PermissionError(errno.EACCES, "Permission denied", "x.yaml"), 2),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x.yaml"), 70),
    ],
)
def test_every_end_has_its_exit_code_and_no_traceback(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def failing() -> None:
        raise error

    assert run(failing, "journey", []) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    assert "canary" not in said.err


@pytest.mark.parametrize(
    ("words", "completed"), [("journey pub", "publish"), ("run-journey --li", "--live")]
)
def test_a_shell_completes_commands_and_options(words: str, completed: str) -> None:
    command, word = words.split()
    function = f"_{command.replace('-', '_')}_completion"
    script = (
        'eval "$(journey completion bash)"\n'
        f'COMP_WORDS=({words}) COMP_CWORD=1; {function} {command} {word}; echo "${{COMPREPLY[@]}}"'
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-c", script],
        check=False,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert (ended.stdout, ended.stderr) == (f"{completed}\n", "")


def test_a_current_folder_that_is_gone_is_said(journey: Journey) -> None:
    gone = journey.folder / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    ended = journey("list")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "the current folder is there no more" in ended.err
    assert "restore" not in journey("doctor").out


def test_a_path_that_is_too_long_is_said(journey: Journey) -> None:
    for command in ("check", "test", "publish", "new --folder"):
        ended = journey(*command.split(), "x" * 300, *(["y"] if "new" in command else []))
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert "File name too long" in ended.err


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    program = (
        "import sys, click; from engine.cli.outcome import run\n"
        "@click.command()\n"
        "def much():\n"
        "    for _ in range(100_000): click.echo('x' * 100)\n"
        "sys.exit(run(much, 'much', []))"
    )
    with started("-c", program) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


def test_a_command_on_no_database_says_so_and_makes_none(journey: Journey) -> None:
    ended = journey("endpoints", "list")
    assert (ended.code, ended.err.count("\n")) == (5, 1)
    assert journey.files == set()


def test_a_file_that_is_no_database_is_refused(journey: Journey) -> None:
    journey.write("x.db", "this is a letter to my aunt" * 100)
    ended = journey("endpoints", "list", "--database", "sqlite:///x.db")
    assert (ended.code, ended.err.count("\n")) == (78, 1)


def test_an_egress_setting_that_cannot_be_read_is_one_line(journey: Journey) -> None:
    file = journey.write("e.yaml", "endpoints: {a: {base_url: 'https://a.example'}}")
    ended = journey("apply", file, JOURNEY_EGRESS_ALLOW="10.0.0.0/99")
    assert (ended.code, "JOURNEY_EGRESS_ALLOW" in ended.err) == (78, True)
