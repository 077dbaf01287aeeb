"""Whether anything was committed to a SQLite file since the last look, told as cheaply as can be:
each resolution of a credential looks.

In WAL mode all processes share the wal-index, a file of which each maps the beginning into its
memory. Its header changes with every commit before the commit is reported done, and SQLite itself
compares it to decide whether the pages it keeps are still good (sqlite.org/walformat.html, 2.1).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_HEADER_BYTES = 48
"""One copy of the header: a counter of commits, the log's length, salts and check sums."""
_DESCRIPTORS = "/proc/self/fd"
_FAILED = ctypes.c_void_p(-1).value


class Commits(Protocol):
    """Looks at one file. Close it before the connection that it was made with."""

    def mark(self) -> object:
        """What differs from any earlier mark if another connection committed since then.

        Raises ``sqlite3.Error``.
        """
        ...

    def close(self) -> None:
        """Look no more."""
        ...


def commits(path: Path, connection: sqlite3.Connection) -> Commits:
    """What looks at the file of ``path`` that ``connection`` has open and only reads: its shared
    memory where the system lets us (Linux), else a statement each time.
    """
    with suppress(sqlite3.Error):  # it is met again by whoever looks
        # Whoever has read holds the wal-index open, and nobody removes or cuts it.
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    address = _map(path.with_name(f"{path.name}-shm"))
    return _AskedCommits(connection) if address is None else _SharedCommits(address)


class _SharedCommits:
    """Compares the header as it stands in memory: 0.2 us."""

    def __init__(self, address: int) -> None:
        self._address = address
        self._header: ctypes.Array[ctypes.c_char] | None
        self._header = (ctypes.c_char * _HEADER_BYTES).from_address(address)

    def mark(self) -> bytes:
        """The header. One that is being written counts as another one, too."""
        if self._header is None:
            raise ValueError("it was closed")
        return self._header.raw

    def close(self) -> None:
        """Give the memory back."""
        if self._header is not None:
            self._header = None
            _libc().munmap(ctypes.c_void_p(self._address), ctypes.c_size_t(_HEADER_BYTES))


class _AskedCommits:
    """Asks for SQLite's own comparison: 3 us."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._cursor = connection.cursor()

    def mark(self) -> int:
        """A number that changes with the commits of other connections."""
        (version,) = self._cursor.execute("PRAGMA data_version").fetchone()
        return int(version)

    def close(self) -> None:
        """The connection is whoever's gave it."""


def _map(file: Path) -> int | None:
    """Where the beginning of a file stands in memory that SQLite has open in this process.

    It is mapped by SQLite's own descriptor. One of ours would take all of SQLite's locks with it
    when it is closed, as POSIX has it: another process could write into the same pages.
    """
    try:
        wanted = file.stat()
        descriptors = [int(each.name) for each in Path(_DESCRIPTORS).iterdir()]
    except OSError:
        return None
    for descriptor in descriptors:
        with suppress(OSError):  # another thread has closed it meanwhile
            if os.path.samestat(os.fstat(descriptor), wanted):
                address = _libc().mmap(
                    None, _HEADER_BYTES, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0
                )
                return None if address == _FAILED else int(address)
    return None


def _libc() -> ctypes.CDLL:
    system = ctypes.CDLL(None)
    system.mmap.restype = ctypes.c_void_p
    system.mmap.argtypes = (
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    )
    system.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    return system
