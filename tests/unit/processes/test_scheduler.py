from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from freezegun import freeze_time

from engine.clock import wall
from engine.core.expressions.calendar import HOUR, MINUTE, SECOND, utc
from engine.db.connect import Database
from engine.errors import OperatorError
from engine.operations import store
from engine.processes import scheduler as scheduling
from engine.processes.duties import Every, Post
from engine.processes.health import DEAD
from tests.unit.processes.posted import START, Posted, duty

PATIENCE_S = 60.0


def fine(_: Post) -> str:
    return "did it"


def test_a_duty_that_is_due_is_done_and_written_down(tmp_path: Path) -> None:
    posted = Posted(tmp_path)
    scheduler = posted.scheduler(duty(fine))
    assert posted.rows()["it"].next_at == START + HOUR // 2
    posted.now += HOUR
    scheduler.do("it")
    row = posted.rows()["it"]
    assert (row.process, row.said, row.error, row.failures) == ("p1", "did it", None, 0)
    assert (row.started_at, row.ended_at) == (posted.now, posted.now)
    assert row.next_at == START + HOUR // 2 + HOUR


def test_of_two_processes_one_does_it(tmp_path: Path) -> None:
    posted = Posted(tmp_path)
    done: list[int] = []

    def count(_: Post) -> str:
        done.append(posted.now)
        return ""

    both = [posted.scheduler(duty(count), process=name) for name in ("p1", "p2")]
    posted.now += HOUR
    for each in (*both, *both):
        each.do("it")
    assert len(done) == 1
    posted.now += HOUR
    both[1].do("it")
    assert len(done) == 2
    assert posted.rows()["it"].process == "p2"


def test_what_is_no_shared_duty_is_done_by_each(tmp_path: Path) -> None:
    posted = Posted(tmp_path)
    done: list[str] = []

    def does(_: Post) -> str:
        done.append("x")
        return ""

    both = [posted.scheduler(duty(does, shared=False), process=name) for name in ("p1", "p2")]
    for each in both:
        each.do("it")
    assert len(done) == 2


def test_a_duty_with_nothing_to_do_writes_seldom(tmp_path: Path) -> None:
    posted = Posted(tmp_path)
    scheduler = posted.scheduler(duty(lambda _: "", shared=False))
    scheduler.do("it")
    first = posted.rows()["it"].ended_at
    posted.now += 9 * MINUTE
    scheduler.do("it")
    assert posted.rows()["it"].ended_at == first
    posted.now += MINUTE
    scheduler.do("it")
    assert posted.rows()["it"].ended_at == posted.now


def test_a_duty_that_raises_is_told_of_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    posted = Posted(tmp_path)
    wrong = True

    def does(_: Post) -> str:
        if wrong:
            raise OperatorError("the folder is full")
        return ""

    scheduler = posted.scheduler(duty(does), duty(fine, "other"))
    for failures in (1, 2):
        posted.now += HOUR
        scheduler.do("it")
        row = posted.rows()["it"]
        assert (row.error, row.failures) == ("the folder is full", failures)
        assert row.next_at > posted.now
    assert "duty it failed: the folder is full" in caplog.text
    assert [each.state for each in scheduler.findings() if each.part == "duty it"] == ["odd"]
    scheduler.do("other")
    assert posted.rows()["other"].said == "did it"
    wrong = False
    posted.now += HOUR
    scheduler.do("it")
    assert (posted.rows()["it"].error, posted.rows()["it"].failures) == (None, 0)


def test_the_text_of_a_foreign_error_stays_out_of_the_database(tmp_path: Path) -> None:
    posted = Posted(tmp_path)

    def does(_: Post) -> str:
        raise ValueError("pa55word")

    scheduler = posted.scheduler(duty(does))
    posted.now += HOUR
    scheduler.do("it")
    error = posted.rows()["it"].error
    assert error is not None
    assert error.startswith("a bug in journey (ValueError at ")
    assert "pa55word" not in error


def test_a_database_that_is_locked_is_a_failure_and_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted = Posted(tmp_path)
    scheduler = posted.scheduler(duty(fine))
    posted.now += HOUR
    monkeypatch.setattr("engine.db.sqlite._PRAGMAS", ("PRAGMA busy_timeout=10",))
    monkeypatch.setattr("engine.db.sqlite.BUSY_TIMEOUT_MS", 10)
    scheduler._post = replace(posted.post, database=Database(f"sqlite:///{tmp_path / 'engine.db'}"))
    with posted.database.write():
        scheduler.do("it")
    (finding,) = (each for each in scheduler.findings() if each.part == "duty it")
    assert "locked by another process" in finding.found
    posted.now += HOUR
    scheduler._post = posted.post
    scheduler.do("it")
    assert posted.rows()["it"].said == "did it"


def test_what_was_due_while_nobody_ran_is_done_once_soon_after_the_start(tmp_path: Path) -> None:
    posted = Posted(tmp_path)
    posted.scheduler(duty(fine))
    posted.now += 30 * HOUR
    later = posted.scheduler(duty(fine), process="p2")
    assert later.first_times() == {"it": posted.now + scheduling.SOON}
    later.do("it")
    assert posted.rows()["it"].said == "did it"
    assert posted.rows()["it"].next_at > posted.now


def test_a_duty_of_each_process_waits_for_its_own_time_and_no_longer(tmp_path: Path) -> None:
    posted = Posted(tmp_path)
    own = replace(duty(fine, shared=False), when=Every(2 * SECOND))
    assert posted.scheduler(own).first_times()["it"] <= posted.now + 2 * SECOND


def test_a_duty_that_nobody_has_any_more_is_forgotten(tmp_path: Path) -> None:
    posted = Posted(tmp_path)
    posted.scheduler(duty(fine), duty(fine, "old"))
    posted.scheduler(duty(fine))
    assert set(posted.rows()) == {"it"}


def _until(condition: object, patience_s: float = PATIENCE_S) -> None:
    assert callable(condition)
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.005)


def test_a_duty_that_hangs_is_told_of_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "SOON", 0)
    posted = Posted(tmp_path)
    posted.post = replace(posted.post, now=lambda: time.time_ns() // 1000)
    free, done = threading.Event(), threading.Event()

    def hangs(_: Post) -> str:
        free.wait(PATIENCE_S)
        return ""

    def does(_: Post) -> str:
        done.set()
        return ""

    slow = replace(duty(hangs, shared=False), when=Every(SECOND // 10), patience=SECOND // 20)
    quick = replace(duty(does, "other", shared=False), when=Every(SECOND // 10))
    scheduler = scheduling.Scheduler([slow, quick], posted.post, "p1")
    scheduler.start()
    try:
        _until(lambda: any(each.found.startswith("hangs") for each in scheduler.findings()))
        done.clear()
        assert done.wait(PATIENCE_S), "the other duty is done again and again"
        assert [each.part for each in scheduler.findings() if each.state != "ok"] == ["duty it"]
    finally:
        free.set()
        scheduler.stop(PATIENCE_S)
    assert all(each.state == "ok" for each in scheduler.findings()[1:])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_scheduler_whose_thread_died_is_found(tmp_path: Path) -> None:
    scheduler = Posted(tmp_path).scheduler(duty(fine))
    scheduler.start()
    assert scheduler.findings()[0].state == "ok"

    def dies() -> float:
        raise SystemExit

    scheduler._timer.__dict__["_process_jobs"] = dies
    scheduler._timer.wakeup()
    _until(lambda: scheduler.findings()[0].found == DEAD)
    scheduler.stop(PATIENCE_S)


def test_a_timer_that_does_not_look_at_the_clock_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = Posted(tmp_path).scheduler(duty(fine))
    scheduler.start()
    monkeypatch.setattr(scheduling, "LATE_S", -1.0)
    assert "hangs" in scheduler.findings()[0].found
    scheduler.stop(PATIENCE_S)


def test_a_clock_set_back_an_hour_keeps_no_duty_waiting_for_an_hour(tmp_path: Path) -> None:
    with freeze_time("2026-11-22 12:00:00", real_asyncio=True) as frozen:
        posted = Posted(tmp_path, now=time.time_ns() // 1000)
        scheduler = posted.scheduler(duty(fine))
        timer = scheduler._timer
        timer.start(paused=True)
        try:
            timer.resume()
            frozen.move_to("2026-11-22 12:59:59")
            timer._mind_the_clock(utc(wall()))
            (job,) = timer.get_jobs()
            planned = job.next_run_time
            frozen.move_to("2026-11-22 10:10:00")
            timer._mind_the_clock(utc(wall()))
            assert planned.isoformat() == "2026-11-22T13:00:00+00:00"
            assert job.next_run_time.isoformat() == "2026-11-22T11:00:00+00:00"
        finally:
            scheduler.stop(PATIENCE_S)


def test_rows_of_duties_are_as_they_were_written(tmp_path: Path) -> None:
    posted = Posted(tmp_path)
    state = store.DutyState("x", "p", 1, 2, "said", "wrong", 3, 4)
    with posted.database.write() as connection:
        store.put_duty(connection, state)
        store.put_duty(connection, replace(state, failures=4))
    assert posted.rows() == {"x": replace(state, failures=4)}


def test_the_libraries_own_lines_are_not_logged(tmp_path: Path) -> None:
    Posted(tmp_path).scheduler(duty(fine))
    assert logging.getLogger("apscheduler").getEffectiveLevel() >= logging.ERROR
