"""What a thread that has nothing to do waits at: it is rung by others, or a file is written."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


_LONGEST_MS = 1 << 30


class Bell:
    """Rung by any thread, heard by one. As a :class:`threading.Event` that is waited for together
    with files.
    """

    def __init__(self) -> None:
        self._rung = False
        self._hears, self._rings = os.pipe()
        os.set_blocking(self._hears, False)
        os.set_blocking(self._rings, False)

    def set(self) -> None:
        """Ring it."""
        if not self._rung:
            self._rung = True
            with suppress(BlockingIOError):
                os.write(self._rings, b"!")

    def is_set(self) -> bool:
        """Whether it was rung since it was cleared."""
        return self._rung

    def clear(self) -> None:
        """Forget that it was rung. Who rings while this runs is heard: at once, or by
        :meth:`is_set`.
        """
        if self._rung:
            self._rung = False
            with suppress(BlockingIOError):
                os.read(self._hears, 4096)

    def wait(self, seconds: float, files: Sequence[int] = ()) -> bool:
        """Wait until it is rung or one of ``files`` can be read, for so long at most; whether
        either happened.
        """
        if self._rung:
            return True
        waiting = select.poll()  # unlike select, it takes files beyond number 1,024
        for file in (self._hears, *files):
            waiting.register(file, select.POLLIN)
        return bool(waiting.poll(min(seconds * 1000, _LONGEST_MS)))

    def __del__(self) -> None:
        # Not before: somebody may still ring, and another file could have got the number.
        os.close(self._hears)
        os.close(self._rings)
