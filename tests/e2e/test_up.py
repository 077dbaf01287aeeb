"""``journey up``, ``worker`` and ``scheduler`` as processes: they begin, they end, they wait."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import pytest

from tests.e2e.in_process import InProcess
from tests.forked import Popen
from tests.partners import Answers, running

PATIENCE_S = 180.0
WAIT = """\
dsl: 1
journey: greet
entry: {triggers: [{event: hello}]}
steps:
  - {id: greet, type: call_api, endpoint: api, path: "/greet/{{ user.id }}", body: {n: 1}}
"""


class Up:
    """A process that runs until it is stopped, and the lines it said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def until(self, condition: Callable[[], bool]) -> None:
        """Return when it has come to that."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.poll() is None, self.lines
            assert time.monotonic() < end, self.lines
            time.sleep(0.01)

    def says(self, text: str) -> None:
        """Return when it has said so."""
        self.until(lambda: any(text in line for line in self.lines))

    def ends(self, *signals: signal.Signals) -> int:
        """Its exit code, after these signals."""
        for number in signals:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def up(here: InProcess, *command: str) -> Iterator[Up]:
    with here.start("journey", *command) as process:
        try:
            yield Up(process)
        finally:
            process.kill()


@pytest.fixture
def here(tmp_path: Path) -> InProcess:
    return InProcess(tmp_path)


def _processes(here: InProcess) -> list[tuple[object, ...]]:
    try:
        return here.query("SELECT kind, pid FROM processes")
    except sqlite3.OperationalError:  # it isn't made yet
        return []


def test_up_says_what_runs_is_seen_and_ends_when_told(here: InProcess) -> None:
    with up(here, "up") as it:
        it.says("duties: tokens every 30 s")
        pid = it.process.pid
        assert f"journey up: process {pid} on " in "\n".join(it.lines)
        assert "published journeys: none yet" in it.lines
        it.until(lambda: _processes(here) == [("up", pid)])
        doctor = here.call("journey", "doctor")
        assert f"✓ processes   journey up (process {pid}" in doctor.out
        assert "event loop, worker, scheduler, events in, database" in doctor.out
        assert it.ends(signal.SIGTERM) == 143
    assert _processes(here) == []
    assert "none runs" in here.call("journey", "doctor").out


@pytest.mark.parametrize(
    ("command", "number", "code"),
    [("scheduler", signal.SIGINT, 130), ("worker", signal.SIGHUP, 129)],
)
def test_each_part_runs_by_itself(
    here: InProcess, command: str, number: signal.Signals, code: int
) -> None:
    with up(here, command) as it:
        it.until(lambda: [each[0] for each in _processes(here)] == [command])
        assert it.ends(number) == code


def test_a_second_worker_is_refused_in_one_line_and_commands_are_not(here: InProcess) -> None:
    with up(here, "up") as it:
        it.until(lambda: _processes(here) != [])
        for command in ("up", "worker"):
            second = here.run("journey", command, code=2)
            assert second.err.count("\n") == 1
            assert f"process {it.process.pid} works on" in second.err
        with up(here, "scheduler") as beside:
            it.until(lambda: len(_processes(here)) == 2)
            assert beside.ends(signal.SIGTERM) == 143
        assert here.call("journey", "audit").code == 0
        assert it.ends(signal.SIGTERM) == 143


def test_settings_that_are_wrong_are_said_at_once(here: InProcess) -> None:
    for setting in (
        "JOURNEY_KEEP_EVENTS",
        "JOURNEY_IN_FLIGHT",
        "JOURNEY_BACKUPS_KEPT",
        "JOURNEY_LEASE",
        "JOURNEY_TIMEZONE",
    ):
        for command in ("up", "scheduler"):
            ended = here.call("journey", command, environment={setting: "many"})
            assert (ended.code, ended.err.count("\n")) == (78, 1)
            assert setting in ended.err


@pytest.mark.parametrize("command", ["up", "worker", "scheduler", "api"])
def test_nothing_starts_where_what_is_sealed_cannot_be_opened(
    here: InProcess, command: str
) -> None:
    assert here.call("journey", "keys", "init").code == 0
    here.database.with_name("kek").write_text("ab" * 32)
    ended = here.run("journey", command, code=78)
    assert ended.err.count("\n") == 1
    assert "doesn't open this database's keys" in ended.err


def test_a_database_that_is_not_there_yet_is_waited_for(here: InProcess) -> None:
    here.database.mkdir(parents=True)  # as where a volume isn't mounted
    with up(here, "up") as it:
        it.says("waiting: the database")
        here.database.rmdir()
        it.says("duties: ")
        assert len([line for line in it.lines if line.startswith("waiting: ")]) == 1
        assert "going on" in it.lines
        assert it.ends(signal.SIGTERM) == 143


def test_whoever_waits_for_a_database_can_be_stopped(here: InProcess) -> None:
    here.database.mkdir(parents=True)
    with up(here, "scheduler") as it:
        it.says("waiting: the database")
        assert it.ends(signal.SIGTERM) == 143


@pytest.mark.soak
def test_a_locked_database_is_waited_for_and_then_it_goes_on(here: InProcess) -> None:
    here.call("journey", "audit")
    assert here.call("journey", "keys", "init").code == 0
    with closing(sqlite3.connect(here.database)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN EXCLUSIVE")
        here.environment["JOURNEY_LOG_LEVEL"] = "ERROR"
        with up(here, "up") as it:
            it.says("waiting: the database")
            other.rollback()
            other.execute("PRAGMA locking_mode=NORMAL")
            other.execute("SELECT count(*) FROM audit").fetchone()
            it.says("duties: ")
            assert it.ends(signal.SIGTERM) == 143


def _hello(here: InProcess, user: str) -> None:
    """Tell of an event as whoever tells of one does."""
    from engine.core.expressions.assignment import bucket_of

    with closing(sqlite3.connect(here.database, timeout=30)) as connection, connection:
        connection.execute(
            "INSERT INTO inbox (bucket, id, user_id, kind, name, at, data)"
            " VALUES (?, ?, ?, 0, 'hello', ?, '{}')",
            (bucket_of(user), time.time_ns() // 1000, user, time.time_ns() // 1000),
        )


@pytest.fixture
def api() -> Iterator[Answers]:
    with running(Answers()) as partner:
        yield partner


@pytest.fixture
def published(here: InProcess, api: Answers) -> InProcess:
    """An installation whose journey calls the API for everybody who says hello."""
    here.write("endpoints.yaml", f"endpoints:\n  api: {{base_url: '{api.url}'}}\n")
    assert here.call("journey", "apply", "endpoints.yaml").code == 0
    here.write("greet.yaml", WAIT)
    assert here.call("journey", "publish", "greet.yaml").code == 0
    return here


def test_a_folder_of_journeys_is_kept_published(published: InProcess, api: Answers) -> None:
    (published.folder / "watched").mkdir()
    with up(published, "up", "--journeys", "watched") as it:
        it.says("duties: journeys every 2 s")
        published.write("watched/more.yaml", WAIT.replace("greet", "more"))
        it.says("journey more version 1")
        _hello(published, "ada")
        it.until(lambda: {each.path for each in api.log} == {"/greet/ada", "/more/ada"})
        assert it.ends(signal.SIGTERM) == 143


def test_beside_a_worker_a_second_is_refused_and_events_still_come(
    published: InProcess, api: Answers
) -> None:
    with up(published, "worker") as it:
        it.says("greet version 1")
        second = published.run("journey", "worker", code=2)
        assert second.err.count("\n") == 1
        assert f"process {it.process.pid} works on" in second.err
        sent = published.call("journey", "events", "send", "--user", "ada", "--event", "hello")
        assert sent.code == 0, sent.err
        it.until(lambda: [each.path for each in api.log] == ["/greet/ada"])
        assert it.ends(signal.SIGTERM) == 143


def test_calls_on_the_wire_are_waited_for_and_a_second_signal_stops_at_once(
    published: InProcess, api: Answers
) -> None:
    api.change(delay=1.0)
    with up(published, "up") as it:
        it.says("published journeys: greet version 1")
        _hello(published, "ada")
        it.until(lambda: len(api.log) == 1)
        assert it.ends(signal.SIGTERM) == 143
    assert published.query("SELECT status, attempts FROM executions") == [(1, 1)]
    api.change(delay=30.0)
    with up(published, "worker") as it:
        it.says("greet version 1")
        _hello(published, "bob")
        it.until(lambda: len(api.log) == 2)
        it.process.send_signal(signal.SIGTERM)
        it.says("again to stop at once")
        assert it.ends(signal.SIGTERM) == -signal.SIGTERM
    api.change(delay=0.0)
    with up(published, "up") as it:
        it.until(lambda: published.query("SELECT count(*) FROM executions") == [(2,)])
        assert it.ends(signal.SIGTERM) == 143
    assert len({each.headers["idempotency-key"] for each in api.log[1:]}) == 1


def test_a_worker_with_nothing_to_do_sends_again_what_a_command_marks(
    published: InProcess, api: Answers
) -> None:
    api.change(status=400)
    failed = "SELECT count(*) FROM calls WHERE finished_at IS NOT NULL"
    with up(published, "worker") as it:
        it.says("greet version 1")
        _hello(published, "ada")
        it.until(lambda: published.query(failed) == [(1,)])
        api.change(status=200)
        assert published.call("journey", "calls", "redrive", "--yes").code == 0
        it.until(lambda: len(api.log) == 2)
        it.until(lambda: published.query("SELECT count(*) FROM calls") == [(0,)])
        assert it.ends(signal.SIGTERM) == 143
    assert len({each.headers["idempotency-key"] for each in api.log}) == 1


def test_a_killed_one_is_told_of_and_the_next_one_goes_on(here: InProcess) -> None:
    with up(here, "up") as it:
        it.until(lambda: _processes(here) != [])
        assert it.ends(signal.SIGKILL) == -signal.SIGKILL
    assert "ended without a word" in here.call("journey", "doctor").out
    with up(here, "up") as it:
        it.until(lambda: _processes(here) == [("up", it.process.pid)])
        assert it.ends(signal.SIGTERM) == 143


def test_a_terminal_that_is_gone_is_no_matter_to_nohup(here: InProcess) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    here.anew = True  # what is ignored is inherited
    try:
        with up(here, "scheduler") as it:
            it.until(lambda: _processes(here) != [])
            it.process.send_signal(signal.SIGHUP)
            assert it.ends(signal.SIGTERM) == 143
    finally:
        signal.signal(signal.SIGHUP, before)


DYING = """\
import sys, threading, time
from engine.processes import scheduler, health, daemon
health.LOOK_S = 0.05
def dies(self):
    time.sleep(0.5)
    raise SystemExit
scheduler._Timer._process_jobs = dies
from engine.cli.main import main
sys.exit(main(["up"]))
"""


BREAKING = """\
import sys
from engine.processes import daemon
async def breaks(self, work):
    raise ValueError("what users say")
daemon._Daemon._to_its_end = breaks
from engine.cli.main import main
sys.exit(main(["worker"]))
"""


def _ended_for_a_bug(here: InProcess, script: str) -> tuple[int, str]:
    """The number of a process that ran ``script`` to its end, exit code 70, and what it said."""
    with Popen(
        [sys.executable, "-c", script],
        cwd=here.folder,
        env=os.environ | {"JOURNEY_HOME": str(here.folder / "home")},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 70, err
    return process.pid, err


def test_a_thread_that_died_ends_the_process(here: InProcess) -> None:
    pid, err = _ended_for_a_bug(here, DYING)
    assert "error: scheduler: its thread died; the process ends" in err
    assert _processes(here) == [("up", pid)]
    assert "for a bug: scheduler: its thread died; its log" in here.call("journey", "doctor").out


def test_a_worker_that_ended_for_a_bug_has_left_word_of_it(here: InProcess) -> None:
    pid, _ = _ended_for_a_bug(here, BREAKING)
    assert _processes(here) == [("worker", pid)]
    found = here.call("journey", "doctor").out
    assert "for a bug: ValueError; its log" in found
    assert "what users say" not in found


def test_a_backup_is_made_beside_a_worker_and_verified(here: InProcess) -> None:
    with up(here, "up") as it:
        it.until(lambda: _processes(here) != [])
        made = here.run("journey", "backup", "out/copy.db")
        assert "SHA-256" in made.out
        assert it.ends(signal.SIGTERM) == 143
    assert "as it was written" in here.run("journey", "backup", "--verify", "out/copy.db").out
    copy = here.folder / "out" / "copy.db"
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 4
    copy.write_bytes(content)
    assert (
        "isn't what was written"
        in here.run("journey", "backup", "--verify", "out/copy.db", code=6).err
    )
    refused = here.run("journey", "backup", "home/copy.db", code=2)
    assert "the key that opens its secrets" in refused.err
    assert here.run("journey", "backup", "--verify", code=2).err.count("\n") == 1
