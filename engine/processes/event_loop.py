"""The event loop of a process: which one, the signals it hears, whether it still comes round."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.clock import stopwatch
from engine.operations.store import Finding
from engine.processes.health import LATE_S

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

BEAT_S = 5.0
SWITCH_S = 0.0005
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop's where it is installed: the same work at two thirds of the cost."""
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def switch_threads_soon() -> float:
    """Have a thread that computes hand Python's lock on after half a millisecond, and not after
    five: who answers requests beside it, or writes a turn, takes the lock several times for each.
    After how long it was before, in seconds.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(SWITCH_S, before))
    return before


@contextmanager
def listening(loop: asyncio.AbstractEventLoop, hears: Callable[[int], None]) -> Iterator[None]:
    """``hears`` is told, on the loop, of each signal that is meant to end the process."""
    # Started by nohup, a process outlives its terminal.
    heard = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
    for number in heard:
        loop.add_signal_handler(number, hears, number)
    try:
        yield
    finally:  # uvloop leaves them behind when it is closed, and they would be deaf
        for number in heard:
            loop.remove_signal_handler(number)


class Beat:
    """Notes that the loop comes round, each five seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stopped = False
        self._beat()

    def _beat(self) -> None:
        self._at = stopwatch()
        if not self._stopped:
            self._next = self._loop.call_later(BEAT_S, self._beat)

    def findings(self) -> list[Finding]:
        """How the loop is; for another thread."""
        late = stopwatch() - self._at - BEAT_S
        if late > LATE_S:
            return [Finding("event loop", "wrong", f"hangs since {late:.0f} s")]
        return [Finding("event loop", "ok", "runs")]

    def stop(self) -> None:
        """End."""
        self._stopped = True
        self._next.cancel()
