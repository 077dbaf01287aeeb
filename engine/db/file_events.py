"""Being told by the system when a file is written, where it can (Linux's inotify): it costs nothing
while nothing happens, and is known at once.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_IN_MODIFY = 0x2
_FLAGS = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
_MANY = 1 << 16


class FileEvents:
    """``fd`` is readable once a file was written; None: the system doesn't say, or not of it."""

    def __init__(self, path: Path) -> None:
        self.fd = _watching(path)

    def clear(self) -> bool:
        """Forget what was written so far; whether anything was."""
        written = False
        if self.fd is not None:
            with suppress(BlockingIOError):
                while os.read(self.fd, _MANY):
                    written = True
        return written

    def close(self) -> None:
        """Be told no more."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    __del__ = close  # a system allows a user only so many


def _watching(path: Path) -> int | None:
    system = ctypes.CDLL(None, use_errno=True)
    try:
        begin, watch = system.inotify_init1, system.inotify_add_watch
    except AttributeError:
        return None
    fd: int = begin(_FLAGS)
    if fd < 0:
        return None
    if watch(fd, os.fsencode(path), _IN_MODIFY) < 0:
        os.close(fd)
        return None
    return fd
