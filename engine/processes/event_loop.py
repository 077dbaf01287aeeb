"""The event loop of a process: which one, and the signals it hears."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

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
