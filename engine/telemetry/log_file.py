"""The file that logs go to."""

from __future__ import annotations

import os
from logging.handlers import WatchedFileHandler
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import TextIOWrapper
    from logging import LogRecord


class LogFile(WatchedFileHandler):
    """A file for the owner's eyes, in UTF-8, opened anew when it was moved away.

    Raises OSError if it can't be written.
    """

    def __init__(self, file: str) -> None:
        super().__init__(file, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        return open(
            self.baseFilename,
            "a",
            encoding="utf-8",
            opener=lambda path, flags: os.open(path, flags, 0o600),
        )

    def emit(self, record: LogRecord) -> None:
        """Write the line; a folder that is gone, or a full disk, ends nothing."""
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)
