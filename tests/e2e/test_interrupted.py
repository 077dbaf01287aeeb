"""What the machine does to a command: closed pipes, signals, a full disk, locks, other locales."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.in_process import InProcess
from tests.e2e.installation import BIN
from tests.forked import Popen
from tests.partners import Answers, bodies_by_key, running

JOURNEY = """\
dsl: 1
journey: long
steps:
  - {id: one, type: call_api, endpoint: api, path: "/one/{{ user.id }}", body: {n: 1}}
  - {id: two, type: call_api, endpoint: api, path: "/two/{{ user.id }}", body: {n: 2}}
"""
USERS = 400
CALLS = 2 * USERS
RUN = ("run-journey", "journey.yaml", "--users", "users.csv", "--live", "--json")
IMPATIENT = """\
import resource
import sys
import engine.db.sqlite as sqlite
import engine.processes.committing as committing
assert committing.PATIENCE_S == 60
committing.PATIENCE_S = 0.5
sqlite.BUSY_TIMEOUT_MS = 100
sqlite._PRAGMAS = tuple(each.replace("30000", "100") for each in sqlite._PRAGMAS)
from engine.cli.run_journey import main
if most := int(sys.argv[1]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
sys.exit(main(sys.argv[2:]))
"""
"""``run-journey`` with half a second of patience for its database instead of a minute, and no file
larger than the first argument says.
"""


@pytest.fixture(scope="module")
def api() -> Iterator[Answers]:
    with running(Answers()) as partner:
        yield partner


@pytest.fixture
def here(tmp_path: Path, api: Answers) -> InProcess:
    api.log.clear()
    api.change(delay=0.0)
    installation = InProcess(tmp_path)
    installation.write("journey.yaml", JOURNEY)
    installation.write("users.csv", "id\n" + "".join(f"ü{n}\n" for n in range(USERS)))
    settings = f"endpoints:\n  api: {{base_url: '{api.url}', concurrency: 20}}\n"
    installation.write("endpoints.yaml", settings)
    assert installation.call("journey", "apply", "endpoints.yaml").code == 0
    return installation


def wait_for(api: Answers, requests: int, process: subprocess.Popen[str]) -> None:
    """Return when so many requests came in, with the process still at it."""
    while len(api.log) < requests:
        assert process.poll() is None, "it was over before it was disturbed"
        time.sleep(0.002)


def assert_same_command_finishes(here: InProcess, api: Answers, more: int = 0) -> None:
    """Nobody is lost, and at most ``more`` calls were repeated, with their keys and bodies."""
    summary = here.call(*RUN).summary
    assert (summary["finished"], summary["waiting"]) == (USERS, 0)
    bodies = bodies_by_key(api.log)
    assert len(bodies) == len({each.path for each in api.log}) == CALLS
    assert all(len(set(each)) == 1 for each in bodies.values())
    assert CALLS <= len(api.log) <= CALLS + more
    assert here.query("SELECT count(*) FROM executions") == [(CALLS,)]


def test_a_reader_that_goes_away_drains_the_run(here: InProcess, api: Answers) -> None:
    api.change(delay=0.02)
    with here.start(*RUN) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(300) == 128 + signal.SIGPIPE
    assert 0 < len(api.log) < CALLS
    assert here.query("SELECT count(*) FROM executions") == [(len(api.log),)], "all were answered"
    assert_same_command_finishes(here, api)


def test_nobody_watching_is_no_reason_to_stop(here: InProcess, api: Answers) -> None:
    api.change(delay=0.01)
    with here.start(*RUN) as process:
        wait_for(api, 50, process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=300)
    with here.start(*RUN) as process:  # it has something to say: the run goes on
        assert process.stdout is not None
        assert process.stderr is not None
        process.stderr.close()
        process.stderr = None
        out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    assert json.loads(out.splitlines()[-1])["finished"] == USERS
    assert_same_command_finishes(here, api)


def test_a_second_signal_ends_it_at_once_and_nobody_is_lost(here: InProcess, api: Answers) -> None:
    api.change(delay=5.0)
    with here.start(*RUN) as process:
        wait_for(api, 20, process)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "again to stop at once" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(3) == -signal.SIGINT
    api.change(delay=0.0)
    assert_same_command_finishes(here, api, more=20)


def test_closed_streams_are_no_matter(here: InProcess, api: Answers) -> None:
    script = f"{BIN / RUN[0]} {' '.join(RUN[1:])} <&- >&- 2>&-"
    environment = os.environ | {"JOURNEY_HOME": str(here.folder / "home")}
    done = subprocess.run(
        ["bash", "-c", script], cwd=here.folder, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert_same_command_finishes(here, api)


def test_a_full_disk_behind_the_output_drains_the_run(here: InProcess, api: Answers) -> None:
    environment = os.environ | {"JOURNEY_HOME": str(here.folder / "home")}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [BIN / RUN[0], *RUN[1:]],
            cwd=here.folder,
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 5
    assert done.stderr == "error: the output can't be written: No space left on device\n"
    assert here.query("SELECT count(*) FROM executions") == [(len(api.log),)]
    assert_same_command_finishes(here, api)


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX", "TERM": "dumb", "NO_COLOR": "1", "HOME": "", "USER": "", "LOGNAME": ""},
        {"PYTHONIOENCODING": "latin-1"},
    ],
    ids=str,
)
def test_no_locale_breaks_the_output(
    here: InProcess, api: Answers, environment: dict[str, str]
) -> None:
    here.environment.update(environment)
    here.anew = True
    done = here.run("run-journey", "journey.yaml", "--user", "ş😀", "--live")
    assert "user ş😀 · live" in done.out
    assert len(api.log) == 2


def impatient(here: InProcess, most_bytes: int = 0) -> tuple[int, str, list[str]]:
    """Run with little patience: exit code, standard error, lines of standard output. No file may
    become larger than ``most_bytes`` (0: as large as it likes).
    """
    with Popen(
        [sys.executable, "-c", IMPATIENT, str(most_bytes), *RUN[1:]],
        cwd=here.folder,
        env=os.environ | {"JOURNEY_HOME": str(here.folder / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        out, err = process.communicate(timeout=300)
    assert "Traceback" not in err
    return process.returncode, err, out.splitlines()


def test_a_full_disk_is_exit_5_and_with_space_the_same_command_goes_on(
    here: InProcess, api: Answers
) -> None:
    for _ in range(2):
        code, said, _ = impatient(here, 250_000)
        assert code == 5, said
        lines = [line for line in said.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1
        assert str(here.database) in lines[0]
        assert len({each.path for each in api.log}) < CALLS
    assert here.query("PRAGMA integrity_check") == [("ok",)]
    assert_same_command_finishes(here, api, more=2 * 20 + 2 * 1024)


def test_a_disk_that_is_full_from_the_start_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    here = InProcess(tmp_path)
    here.write("journey.yaml", JOURNEY)
    here.write("users.csv", "id\nu\n")
    for size in (1, 60_000):
        code, said, _ = impatient(here, size)
        assert (code, said.count("\n")) == (5, 1), said
    here.write("endpoints.yaml", "endpoints: {api: {base_url: 'http://127.0.0.1:1'}}\n")
    assert here.call("journey", "apply", "endpoints.yaml").code == 0


def test_a_locked_database_is_waited_for_and_then_exit_5(here: InProcess, api: Answers) -> None:
    with closing(sqlite3.connect(here.database)) as other:
        other.execute("BEGIN IMMEDIATE")
        code, said, _ = impatient(here)
        assert (code, said.count("\n")) == (5, 1), said
        assert "locked by another process" in said
        other.rollback()
    assert api.log == []
    assert_same_command_finishes(here, api)


def test_a_database_locked_in_mid_run_loses_nobody(here: InProcess, api: Answers) -> None:
    api.change(delay=0.02)
    with here.start(*RUN) as process:
        wait_for(api, 100, process)
        with closing(sqlite3.connect(here.database, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            seen = len(api.log)
            while len(api.log) == seen and process.poll() is None:
                pass  # somebody who was on his way already
            other.rollback()
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["finished"] == USERS
    assert_same_command_finishes(here, api)


def test_what_needs_a_clock_of_its_own_is_refused_beside_a_run_and_other_commands_are_not(
    here: InProcess, api: Answers
) -> None:
    api.change(delay=0.1)
    with here.start(*RUN) as process:
        wait_for(api, 10, process)
        now = ("--now", "2026-11-22T09:00Z")
        second = here.call("run-journey", "journey.yaml", "--user", "x", "--live", *now)
        assert (second.code, second.err.count("\n")) == (2, 1)
        assert f"process {process.pid} works on" in second.err
        assert here.call("journey", "apply", "endpoints.yaml").code == 0
        assert here.call("journey", "report", "long").code == 0
        assert process.poll() is None
        api.change(delay=0.0)
        process.communicate(timeout=300)
    assert process.returncode == 0
    assert not [each for each in api.log if each.path.endswith("/x")]


def test_what_may_not_be_written_is_exit_5_and_left_alone(here: InProcess, api: Answers) -> None:
    for path, mode in ((here.database, 0o400), (here.database.parent, 0o500)):
        before, content = path.stat().st_mode, here.database.read_bytes()
        path.chmod(mode)
        if os.access(path, os.W_OK):
            pytest.skip("root may write everywhere")
        try:
            done = here.run(*RUN, code=5)
            assert (done.err.count("\n"), here.database.read_bytes()) == (1, content)
        finally:
            path.chmod(before)
    assert_same_command_finishes(here, api)
