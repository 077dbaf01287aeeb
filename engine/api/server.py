"""The HTTP server of a process, on its event loop: opened; closed when who is inside is served."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Protocol

from uvicorn.config import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.server import Server

from engine.access.tokens import LiveTokens
from engine.api.app import Routes, nothing_here
from engine.api.connection import Connection, hang_up_on_the_overdue
from engine.api.delivery_log import DeliveryLog
from engine.api.gathering import Gathering
from engine.api.guard import LOOPBACK, Guard
from engine.api.hooks import HOOKS, Hooks
from engine.api.ingestion import SEGMENT, Ingestion
from engine.api.management.app import PREFIX, management
from engine.api.management.calling import Backend
from engine.api.metrics import Metrics
from engine.api.permits import Permits
from engine.api.watching import Watching
from engine.clock import RealClock, stopwatch
from engine.credentials.references import References
from engine.errors import OperatorError
from engine.operations.zone import installation_zone
from engine.settings import environment
from engine.wire.egress import Egress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from engine.api.asgi import Application, Receive, Scope, Send
    from engine.credentials.vault import Vault
    from engine.operations.store import Finding
    from engine.processes.duties import Post
    from engine.settings import Settings

DRAIN_S = 20
"""How long requests that were begun are waited for at the end."""
KEEP_ALIVE_S = 75
_TICK_S = 1.0
_BACKLOG = 2048


class HTTPDoors:
    """The open server; ``port`` is where it listens."""

    def __init__(self, gathering: Gathering, port: int) -> None:
        self._gathering = gathering
        self.port = port

    def findings(self) -> list[Finding]:
        """How it is; for another thread."""
        return self._gathering.findings()


class Pages(Protocol):
    """What answers at every path that is none of the API's: an ASGI application."""

    @property
    def greeting(self) -> str:
        """A line for people, said as soon as it is reached."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> None:
        """Serve one request."""
        ...


class OpenPages(Protocol):
    """Opens them."""

    def __call__(
        self, post: Post, health: Callable[[], Sequence[Finding]], url: str, /
    ) -> AbstractAsyncContextManager[Pages]:
        """``url`` is where the server is reached."""
        ...


@asynccontextmanager
async def open_doors(
    post: Post, health: Callable[[], Sequence[Finding]], pages: OpenPages | None = None
) -> AsyncIterator[HTTPDoors]:
    """Serve the HTTP API as the settings say, until the end of the context; and ``pages``, if any,
    at every other path.

    Raises OperatorError where the address can't be had, SettingsError for a setting.
    """
    settings, metrics = post.settings, Metrics()
    listening = _listen(settings.host, settings.listens_on)
    async with AsyncExitStack() as stack:
        stack.callback(listening.close)
        gathering = Gathering(post.database, metrics, RealClock().now)
        stack.push_async_callback(gathering.close)
        deliveries = DeliveryLog(post.database)
        stack.push_async_callback(deliveries.close)
        permits = Permits(LiveTokens(post.database))
        ended = asyncio.Event()
        current = asyncio.create_task(permits.stay_current(ended.wait))
        stack.push_async_callback(_finish, current, ended)
        port = listening.getsockname()[1]
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{shown}:{port}"
        served = None
        if pages is not None:
            served = await stack.enter_async_context(pages(post, health, url))
        otherwise = served or nothing_here
        app = _application(post, health, gathering, deliveries, permits, metrics, otherwise)
        server = _Server(app)
        await server.start(listening)
        stack.push_async_callback(server.stop)
        if served is not None:
            post.say(served.greeting)
        post.say(f"HTTP API: {url}")
        yield HTTPDoors(gathering, port)


def _application(
    post: Post,
    health: Callable[[], Sequence[Finding]],
    gathering: Gathering,
    deliveries: DeliveryLog,
    permits: Permits,
    metrics: Metrics,
    otherwise: Application,
) -> Application:
    settings = post.settings
    zone = installation_zone(settings)
    largest = settings.bytes_in_a_body
    ingestion = Ingestion(gathering, permits, metrics, RealClock().now, zone, largest)
    watching = Watching(post.database, health, post.stopping, metrics, permits)
    vault = cache(post.vault)
    hooks = Hooks(post.database, vault, gathering, deliveries, RealClock().now, largest)
    exact = {**ingestion.routes(), **watching.routes()}
    managed = management(_backend(post, permits, vault), largest)
    under = {HOOKS: hooks.serve, PREFIX: managed, SEGMENT: nothing_here}
    routes = Routes(exact, ingestion.plain_routes(), under, otherwise)
    guarded: Application = Guard(routes, _hosts(settings), metrics)
    proxies = _listed(settings.trusted_proxies)
    if proxies:
        guarded = ProxyHeadersMiddleware(guarded, trusted_hosts=proxies)  # type: ignore[arg-type,assignment]
    return guarded


def _backend(post: Post, permits: Permits, vault: Callable[[], Vault]) -> Backend:
    settings = post.settings
    references = References(environment(), settings.secret_folders)
    egress = Egress.parse(settings.egress_allow)
    return Backend(post.database, settings, permits, vault, references, egress)


class _Server:
    """Uvicorn without its signals, loop and logs: those are the process's."""

    def __init__(self, app: Application) -> None:
        config = Config(
            app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=DRAIN_S,
        )
        # What it warns of is what anybody can send.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        config.load()
        self._server = Server(config)
        self._server.lifespan = config.lifespan_class(config)
        self._listening: list[socket.socket] = []
        self._ticking: asyncio.Task[None] | None = None

    async def start(self, listening: socket.socket) -> None:
        """Take connections."""
        self._listening = [listening]
        await self._server.startup(sockets=self._listening)
        self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Take no more, and serve who is inside."""
        await self._server.shutdown(sockets=self._listening)
        if self._ticking is not None:
            self._ticking.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticking

    async def _tick(self) -> None:
        """Each second: the time for the Date header, and who keeps us waiting."""
        while True:
            await self._server.on_tick(0)
            hang_up_on_the_overdue(self._server.server_state.connections, stopwatch())
            await asyncio.sleep(_TICK_S)


async def _finish(task: asyncio.Task[None], ended: asyncio.Event) -> None:
    ended.set()
    await task


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises OperatorError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise OperatorError(
            f"the HTTP API can't listen on {host}, port {port}: {error.strerror};"
            " JOURNEY_HOST and JOURNEY_PORT say where",
            code="operator.listen",
        ) from None
    listening.setblocking(False)
    return listening


def _hosts(settings: Settings) -> set[str]:
    return {*LOOPBACK, settings.host, f"[{settings.host}]", *_listed(settings.trusted_hosts)}


def _listed(given: str) -> list[str]:
    return [part for each in given.split(",") if (part := each.strip())]
