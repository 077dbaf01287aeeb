"""Bodies too large for memory: they go to a temporary file as they come, unpacked and bounded."""

from __future__ import annotations

import asyncio
import tempfile
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, BinaryIO

from engine.api.bodies import GZIP, Gone, is_packed, no_end, not_gzip, too_large

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from engine.api.asgi import Receive, Scope

_PIECE = 1 << 18


@asynccontextmanager
async def spooled(scope: Scope, receive: Receive, most: int) -> AsyncIterator[BinaryIO]:
    """The body as a file that is gone with the context: of ``most`` bytes at most, packed with gzip
    or not. Raises as :func:`engine.api.bodies.read_body`.
    """
    with tempfile.TemporaryFile(prefix="journey-body-") as file:
        spool = _Spool(file, zlib.decompressobj(GZIP) if is_packed(scope) else None, most)
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise Gone
            await asyncio.to_thread(spool.take, message.get("body", b""))
            more = message.get("more_body", False)
        spool.finish()
        yield file


class _Spool:
    """Writes what comes, piece by piece, so that a small body that unpacks to a large one is
    noticed before it is in memory.
    """

    def __init__(self, file: BinaryIO, unpacker: zlib._Decompress | None, most: int) -> None:
        self._file = file
        self._unpacker = unpacker
        self._most = most
        self._packed = self._size = 0

    def take(self, chunk: bytes) -> None:
        """The next bytes. Raises Refused."""
        self._packed += len(chunk)
        if self._packed > self._most:
            raise too_large(self._most)
        for piece in self._unpacked(chunk):
            self._size += len(piece)
            if self._size > self._most:
                raise too_large(self._most)
            self._file.write(piece)

    def finish(self) -> None:
        """That was all. Raises Refused for gzip that isn't whole."""
        if self._unpacker is not None and not self._unpacker.eof:
            raise no_end()
        self._file.flush()

    def _unpacked(self, chunk: bytes) -> Iterator[bytes]:
        if self._unpacker is None:
            yield chunk
            return
        rest = chunk
        while rest:
            if self._unpacker.eof:  # RFC 1952: several members may follow one another
                self._unpacker = zlib.decompressobj(GZIP)
            try:
                yield self._unpacker.decompress(rest, _PIECE)
            except zlib.error:
                raise not_gzip() from None
            rest = self._unpacker.unconsumed_tail or self._unpacker.unused_data
