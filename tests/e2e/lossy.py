"""A way to a database server on which now and then the answer to a commit gets lost."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Lossy:
    """Passes everything on, in both directions. Of one commit in so many the server's answer is
    dropped, with the connection: it was made, and nobody was told. ``lost`` counts those.
    """

    def __init__(self, to: int, one_in: int, seed: int) -> None:
        self._to = to
        self._one_in = one_in
        self._lots = random.Random(seed)
        self._open = set[asyncio.StreamWriter]()
        self.port = 0
        self.lost = 0

    async def serve(self, ready: threading.Event) -> None:
        """Be there, at ``port``, until :meth:`stop`."""
        self._over, self._loop = asyncio.Event(), asyncio.get_running_loop()
        async with await asyncio.start_server(self._connect, "127.0.0.1") as server:
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await self._over.wait()
            for writer in tuple(self._open):
                writer.close()

    def stop(self) -> None:
        """End; from another thread."""
        self._loop.call_soon_threadsafe(self._over.set)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(OSError):
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._to)
            one = _Connection(self, writer, server_writer)
            await asyncio.gather(one.ask(reader), one.answer(server_reader))
        self._open.discard(writer)
        writer.close()

    def loses(self, said: bytes) -> bool:
        """Whether the answer to this is to be lost."""
        return b"COMMIT" in said and self._lots.randrange(self._one_in) == 0


class _Connection:
    def __init__(
        self, way: Lossy, client: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        self._way = way
        self._client = client
        self._server = server
        self._loses = False

    async def ask(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while said := await reader.read(65_536):
                self._loses = self._loses or self._way.loses(said)
                self._server.write(said)
                await self._server.drain()
        self._server.close()

    async def answer(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while said := await reader.read(65_536):
                if self._loses:
                    self._way.lost += 1
                    break
                self._client.write(said)
                await self._client.drain()
        self._client.close()
        self._server.close()


@contextmanager
def lossy(to: int, *, one_in: int, seed: int) -> Iterator[Lossy]:
    """Such a way to a port of this machine, while the block lasts."""
    way, ready = Lossy(to, one_in, seed), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(way.serve(ready)))
    thread.start()
    ready.wait()
    try:
        yield way
    finally:
        way.stop()
        thread.join()
