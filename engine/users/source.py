"""The bytes of a users' file: opened or spooled, fingerprinted, read line by line."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from engine.errors import OperatorError
from engine.users.row import LONGEST_PATH, BadRow, shown

MAX_ROW = 1 << 20
"""Bytes in one row."""

_READ_AHEAD = 1 << 18
_BLOCK = 1 << 16


class UnreadableFile(OperatorError):
    """A file can't be opened, or isn't one."""

    code = "file.unreadable"


class Source:
    """A file that stays open, so that both passes read the same bytes.

    ``name`` is what messages call it.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self._file = file
        self._stamp = self._present_stamp()

    @classmethod
    def open(cls, path: str | Path, stdin: BinaryIO | None = None) -> Source:
        """The file at ``path``, ``-`` for standard input. Raises :class:`UnreadableFile`.

        What can't be read twice (standard input, a pipe) is copied to a temporary file.
        """
        try:
            return cls._open(path, stdin)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = getattr(error, "strerror", None) or "not a file's name"
            name = shown(str(path), LONGEST_PATH)
            raise UnreadableFile(f"can't read {name}: {reason}") from None

    @classmethod
    def _open(cls, path: str | Path, stdin: BinaryIO | None) -> Source:
        if str(path) == "-":
            return cls(_spool(stdin or sys.stdin.buffer), "standard input")
        file = Path(path).open("rb")  # noqa: SIM115  it stays open, for the second pass
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISREG(mode):
            return cls(file, str(path))
        with file:
            if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
                raise OSError(errno.ENOTSUP, "it is a device")  # and has no end
            return cls(_spool(file), str(path))

    def digest(self) -> str:
        """The SHA-256 of its content, in hex; all of it is read."""
        self._file.seek(0)
        return hashlib.file_digest(self._file, "sha256").hexdigest()  # type: ignore[arg-type]

    def head(self) -> bytes:
        """The first 4 KiB."""
        return os.pread(self._file.fileno(), 4096, 0)

    def lines(self, offset: int = 0, line: int = 0) -> Lines:
        """The lines from byte ``offset`` on, where ``line`` lines have gone before.

        Each call reads for itself: two readers don't disturb each other.
        """
        return Lines(self._file.fileno(), offset, line)

    def block(self, offset: int) -> bytes:
        """Whole lines from byte ``offset`` on, at most 64 KiB of them. Nothing at the end, and
        where one line is longer.
        """
        raw = os.pread(self._file.fileno(), _BLOCK, offset)
        if offset + len(raw) == self._stamp[0]:
            return raw
        return raw[: raw.rfind(b"\n") + 1]

    def changed(self) -> bool:
        """Whether the file was written to since it was opened."""
        return self._present_stamp() != self._stamp

    def close(self) -> None:
        """Give the file back; a spooled one is gone."""
        self._file.close()

    def _present_stamp(self) -> tuple[int, int]:
        state = os.fstat(self._file.fileno())
        return state.st_size, state.st_mtime_ns


def _spool(stream: BinaryIO) -> BinaryIO:
    copy = tempfile.TemporaryFile(prefix="journey-users-")  # noqa: SIM115  closing deletes it
    shutil.copyfileobj(stream, copy, 1 << 20)
    copy.flush()
    return copy


class Lines:
    """An iterator over decoded lines that goes on after an error: the next line is the next line.

    ``line`` and ``offset`` count what has been read. A reader whose rows may hold several lines
    calls :meth:`begin_row` before each. ``__next__`` raises :class:`BadRow` for a line that isn't
    UTF-8, holds NUL or is longer than a row may be, and :class:`EndlessRow` where a row of
    several lines grows beyond that.
    """

    __slots__ = ("_readline", "_row_offset", "line", "offset")

    def __init__(self, descriptor: int, offset: int, line: int) -> None:
        self._readline = io.BufferedReader(_At(descriptor, offset), _READ_AHEAD).readline
        self.offset = self._row_offset = offset
        self.line = line

    def begin_row(self) -> None:
        """The next line begins a row."""
        self._row_offset = self.offset

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = self._readline(MAX_ROW + 1)
        if not raw:
            raise StopIteration
        before = self.offset
        self.offset = after = before + len(raw)
        self.line += 1
        if after - self._row_offset > MAX_ROW:
            if before != self._row_offset:
                raise EndlessRow
            self._finish_line(raw)
            raise BadRow("users.too_long", "the row is longer than 1 MiB", "shorten it")
        if b"\0" in raw:
            raise BadRow("users.not_text", "the row holds a NUL byte", "take it out")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise BadRow(
                "users.not_utf8", f"byte {error.start + 1} is not UTF-8", "save the file as UTF-8"
            ) from None
        return text if before else text.removeprefix("\ufeff")

    def _finish_line(self, raw: bytes) -> None:
        while raw and not raw.endswith(b"\n"):
            raw = self._readline(MAX_ROW)
            self.offset += len(raw)


class EndlessRow(Exception):
    """A quoted field goes on and on: nothing behind it can be told apart."""


class _At(io.RawIOBase):
    """Reads an open file from a place of its own."""

    def __init__(self, descriptor: int, offset: int) -> None:
        self._descriptor = descriptor
        self._offset = offset

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = os.preadv(self._descriptor, [buffer], self._offset)
        self._offset += count
        return count
