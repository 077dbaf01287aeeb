"""How far a run is: one line on a terminal that is written over; nothing in a pipe."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from engine.cli.show.terminal import plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

_EVERY_S = 0.1
_BAR = 24
_CLEAR = "\r\x1b[K"


class Progress:
    """A bar with rate, calls and failures. ``stopwatch`` gives monotonic seconds; ``total`` is how
    many users there are (0: unknown), of whom ``before`` were dealt with earlier. ``on`` says
    whether there is a terminal to draw on.
    """

    def __init__(
        self,
        stream: TextIO,
        stopwatch: Callable[[], float],
        *,
        on: bool,
        total: int = 0,
        before: int = 0,
    ) -> None:
        self._stream = stream
        self._stopwatch = stopwatch
        self.on = on and stream.isatty()
        self._began = stopwatch()
        self._drawn = -1.0
        self.total = total
        self.before = before
        self.users = 0
        self.calls = 0
        self.failures = 0

    @property
    def drawn(self) -> bool:
        """Whether the bar stands on the terminal now."""
        return self._drawn >= 0

    @property
    def elapsed(self) -> float:
        """Seconds since it began; at least a thousandth."""
        return max(self._stopwatch() - self._began, 0.001)

    def add(self, *, users: int = 0, calls: int = 0, failures: int = 0) -> None:
        """Users dealt with since the last time, calls that ended, and how many of those failed."""
        self.users += users
        self.calls += calls
        self.failures += failures
        if self.on and self._stopwatch() - self._drawn >= _EVERY_S:
            self._draw()

    def note(self, text: str) -> None:
        """A line that stays, above the bar."""
        self.clear()
        self._write(f"{plain(text, 500)}\n")

    def clear(self) -> None:
        """Take the bar away."""
        if self.on and self._drawn >= 0:
            self._write(_CLEAR)
            self._drawn = -1.0

    def line(self) -> str:
        """The bar as it stands now."""
        rate = f"{self.users / self.elapsed:,.0f} users/s"
        calls = f"{self.calls:,} calls"
        failed = f"{self.failures:,} failed"
        done = self.before + self.users
        if not self.total:
            return f"{done:,} users  {rate}  {calls}  {failed}"
        share = min(1.0, done / self.total)
        bar = "█" * round(share * _BAR)
        return f"{bar:░<{_BAR}} {share:>4.0%}  {done:,}/{self.total:,}  {rate}  {calls}  {failed}"

    def _draw(self) -> None:
        self._drawn = self._stopwatch()
        self._write(_CLEAR + self.line())

    def _write(self, text: str) -> None:
        """A run isn't stopped because nobody watches it."""
        with suppress(OSError):
            self._stream.write(text)
            self._stream.flush()
