"""What holds for every request: the host it calls, its id, its log line, its headers, its end."""

from __future__ import annotations

import itertools
import logging
import re
import secrets
from typing import TYPE_CHECKING

from engine.api.bodies import Gone
from engine.api.problems import Refused, a_bug, send_problem
from engine.clock import stopwatch
from engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Collection

    from engine.api.asgi import Application, Message, Receive, Scope, Send
    from engine.api.metrics import Metrics

_log = logging.getLogger(__name__)

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
ANY = "*"

OPEN_TO_ALL = frozenset({"/healthz", "/readyz"})
"""Asked by whoever watches, who may call this machine by any name; they tell no data."""

_OWN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PORT = re.compile(rb":[0-9]{1,5}$")

SECURITY: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
"""Headers of every answer that doesn't say otherwise itself.
https://owasp.org/www-project-secure-headers/"""

_SECURITY_NAMES = frozenset(name for name, _ in SECURITY)


class Guard:
    """Stands before ``inner``. ``hosts`` are the names it may be called by."""

    def __init__(self, inner: Application, hosts: Collection[str], metrics: Metrics) -> None:
        self._inner = inner
        self._any_host = ANY in hosts
        self._hosts = frozenset(host.lower().encode() for host in hosts)
        self._metrics = metrics
        self._prefix = secrets.token_hex(4)
        self._count = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request: it is always answered, and an error never says what it met."""
        began = stopwatch()
        status = 0
        request_id = self._id_of(scope)
        scope["request_id"] = request_id

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_ours(message["headers"], request_id)
            await send(message)

        try:
            self._require_host(scope)
            await self._inner(scope, receive, sending)
        except Gone:
            status = 499
        except EngineError as error:
            if not status:
                await send_problem(sending, error, request_id)
        except Exception:  # noqa: BLE001 - the last border: a bug fails one request
            _log.exception("a bug met by request %s", request_id)
            if not status:
                await send_problem(sending, a_bug(), request_id)
        finally:
            took = stopwatch() - began
            name = str(scope.get("route_name") or getattr(scope.get("route"), "path", "other"))
            self._metrics.served(name, status, took)
            if _log.isEnabledFor(logging.INFO):
                # The path may hold a key and the query a person: the name of the route is enough.
                text = "%s %s %d in %.1f ms, request %s"
                _log.info(text, scope["method"], name, status, took * 1000, request_id)

    def _id_of(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _OWN_ID.fullmatch(value):
                own: bytes = value
                return own.decode()
        return f"{self._prefix}-{next(self._count):x}"

    def _require_host(self, scope: Scope) -> None:
        """Raise Refused for a request that calls us by a name which isn't ours: another's page can
        make a browser send one (DNS rebinding).
        """
        named = [value for name, value in scope["headers"] if name == b"host"]
        if len(named) == 1 and (self._any_host or self._is_ours(named[0])):
            return
        if len(named) < 2 and scope["path"] in OPEN_TO_ALL:
            return
        raise Refused(
            400,
            "request.host",
            "the request calls this server by a name that JOURNEY_TRUSTED_HOSTS doesn't have",
        )

    def _is_ours(self, host: bytes) -> bool:
        return host in self._hosts or _PORT.sub(b"", host).lower() in self._hosts


def _with_ours(headers: list[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    own = {name for name, _ in headers} & _SECURITY_NAMES
    ours = [pair for pair in SECURITY if pair[0] not in own] if own else SECURITY
    return [*headers, *ours, (b"x-request-id", request_id.encode())]
