"""The bell a worker's thread waits at."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from engine.clock import stopwatch
from engine.db.file_events import FileEvents
from engine.processes.bell import Bell


def test_it_is_heard_by_who_waits() -> None:
    bell = Bell()
    threading.Timer(0.05, bell.set).start()
    began = stopwatch()
    assert bell.wait(30)
    assert stopwatch() - began < 10


def test_it_was_heard_by_who_comes_later_until_it_is_cleared() -> None:
    bell = Bell()
    bell.set()
    bell.set()
    assert bell.is_set()
    assert bell.wait(30)
    bell.clear()
    assert not bell.is_set()
    assert not bell.wait(0.01)


def test_nobody_who_rings_while_it_is_cleared_goes_unheard() -> None:
    bell, heard = Bell(), 0

    def ring() -> None:
        for _ in range(20_000):
            bell.set()

    ringing = threading.Thread(target=ring)
    ringing.start()
    while ringing.is_alive():
        bell.clear()
        heard += bell.wait(0.001)
    bell.clear()
    bell.set()
    assert bell.wait(30)
    assert heard > 0


def test_a_file_that_is_written_ends_the_wait(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    events, bell = FileEvents(file), Bell()
    if events.fd is None:  # a system that doesn't tell
        return
    assert not events.clear()
    file.write_text("more")
    assert bell.wait(30, (events.fd,))
    assert events.clear()
    assert not bell.wait(0.01, (events.fd,))
    events.close()
    assert events.fd is None


def test_what_is_not_there_is_told_of_by_nobody(tmp_path: Path) -> None:
    assert FileEvents(tmp_path / "nothing").fd is None


def test_files_beyond_number_a_thousand_are_waited_for() -> None:
    hears, rings = os.pipe()
    high = os.dup2(hears, 3_000) if os.sysconf("SC_OPEN_MAX") > 3_000 else hears
    os.write(rings, b"!")
    assert Bell().wait(30, (high,))
    for file in {hears, rings, high}:
        os.close(file)
