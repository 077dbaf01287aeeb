from __future__ import annotations

import io

from engine.cli.show.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Stopwatch:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_bar_shows_share_rate_calls_and_failures() -> None:
    terminal, watch = Terminal(), Stopwatch()
    progress = Progress(terminal, watch, on=True, total=1_000, before=250)
    watch.seconds = 2.0
    progress.add(users=250, calls=600, failures=3)
    drawn = terminal.getvalue()
    assert drawn.startswith("\r\x1b[K████████████░░░░")
    assert drawn.endswith(" 50%  500/1,000  125 users/s  600 calls  3 failed")


def test_a_bar_is_drawn_ten_times_a_second_at_most() -> None:
    terminal, watch = Terminal(), Stopwatch()
    progress = Progress(terminal, watch, on=True)
    for _ in range(100):
        watch.seconds += 0.01
        progress.add(users=1)
    assert 8 <= terminal.getvalue().count("\r") <= 11
    assert "users/s" in progress.line()


def test_a_note_takes_the_bar_away() -> None:
    terminal, watch = Terminal(), Stopwatch()
    progress = Progress(terminal, watch, on=True, total=2)
    progress.add(users=1)
    progress.note("watch\x1bout")
    assert terminal.getvalue().endswith("\r\x1b[Kwatch\ufffdout\n")
    assert not progress.drawn


def test_in_a_pipe_there_is_no_bar_but_notes() -> None:
    pipe, watch = io.StringIO(), Stopwatch()
    progress = Progress(pipe, watch, on=True, total=2)
    progress.add(users=1)
    progress.note("said")
    progress.clear()
    assert pipe.getvalue() == "said\n"
