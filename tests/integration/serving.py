"""The HTTP server of the product, in a thread, on a database of its own."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from engine.access import issuing
from engine.api.server import OpenPages, open_doors
from engine.clock import wall
from engine.credentials.open_vault import open_vault
from engine.db.connect import Database
from engine.db.schema import open_database
from engine.operations.store import Finding
from engine.processes.duties import Post
from engine.processes.event_loop import loop_factory
from engine.settings import Settings
from tests.databases import database_url

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of plain HTTP: it trusts nobody. Reading the certificates of those who are trusted
takes each client longer than what it asks for.
"""


@dataclass
class Served:
    """A running server. ``health`` and ``ending`` are what it is told of its process."""

    database: Database
    post: Post
    port: int = 0
    health: list[Finding] = field(default_factory=list)
    ending: bool = False
    said: list[str] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def holds(self, text: str) -> bool:
        """Whether a text stands anywhere in the database's files; on a server: nobody can tell."""
        if not self.database.is_file:
            return False
        folder, name = self.database.path.parent, self.database.path.name
        return any(text.encode() in file.read_bytes() for file in folder.glob(f"{name}*"))

    def token(self, kind: str, name: str = "") -> str:
        """A new API token: it is good at once."""
        with self.database.write() as connection:
            return issuing.create(connection, name or kind, kind, actor="ada", now=wall()).text

    def client(self, kind: str | None = None) -> httpx.Client:
        """A client with a token of this kind, or with none."""
        if kind is not None and kind not in self.tokens:
            self.tokens[kind] = self.token(kind)
        headers = {} if kind is None else {"authorization": f"Bearer {self.tokens[kind]}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20, verify=NO_TLS)

    def inbox(self) -> list[tuple[object, ...]]:
        """User, kind, name, own time, message id and data of what came in, in order."""
        with self.database.read() as connection:
            rows = connection.exec_driver_sql(
                "SELECT user_id, kind, name, at, message_id, data FROM inbox ORDER BY id"
            )
            return [tuple(row) for row in rows]


@contextmanager
def serving(folder: Path, *, pages: OpenPages | None = None, **settings: str) -> Iterator[Served]:
    """A server over a fresh database of ``folder``; with ``pages`` beside the API."""
    given = Settings(home=str(folder), database_url=database_url(folder), port="0", **settings)
    database = open_database(given.database)
    served = Served(database, None)  # type: ignore[arg-type]
    served.post = Post(
        database=database,
        settings=given,
        now=wall,
        stopping=lambda: served.ending,
        vault=lambda: open_vault(database, given).vault,
        say=served.said.append,
    )
    opened, over = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    async def serve() -> None:
        async with open_doors(served.post, lambda: served.health, pages) as doors:
            served.port = doors.port
            opened.set()
            await asyncio.to_thread(over.wait)

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(serve())
        except BaseException as error:
            failed.append(error)
        finally:
            opened.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    opened.wait(60)
    try:
        if failed:
            raise failed[0]
        yield served
    finally:
        over.set()
        thread.join(30)
        database.close()
    assert not failed
    assert not thread.is_alive()
