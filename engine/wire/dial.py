"""Connecting to a checked address, and why it couldn't be done."""

from __future__ import annotations

import asyncio
import errno
import ssl

from engine.errors import CallFailure
from engine.wire.http_connection import Connection
from engine.wire.line import Line

_CERTIFICATE = {
    9: "certificate not valid yet",
    10: "certificate expired",
    18: "certificate from an unknown issuer",
    19: "certificate from an unknown issuer",
    20: "certificate from an unknown issuer",
    21: "certificate from an unknown issuer",
    62: "certificate of another name",
    64: "certificate of another name",
}
"""OpenSSL's verification results (X509_V_ERR_*) in our words."""

_ERRNO = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "closed while connecting",
    errno.ECONNABORTED: "closed while connecting",
    errno.EPIPE: "closed while connecting",
    errno.ENETUNREACH: "no route to the address",
    errno.EHOSTUNREACH: "no route to the address",
    errno.EMFILE: "this process has no file handle left: raise its limit (ulimit -n)",
    errno.ENFILE: "this machine has no file handle left",
    errno.EADDRNOTAVAIL: "this machine has no port left",
}


_NOT_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}
)


class Dialler:
    """Opens connections, knows every one that is open, and can close them all."""

    def __init__(self) -> None:
        self._open: set[Connection] = set()
        self._dialling: set[asyncio.Timeout] = set()
        self._none_left: asyncio.Future[None] | None = None
        """There from :meth:`close` on."""

    async def dial(self, line: Line, left_s: float, deadline: float) -> Connection:
        """A new connection to the address of ``line``, TLS included.

        It gets the network's own time for it, or what is left of the ``deadline``. Raises
        ``CallFailure`` (``call.unreachable``): nothing was sent then.
        """
        own_s = line.network.connect_timeout_s
        loop = asyncio.get_running_loop()
        connection = Connection(loop, line.give_back, self._lost)
        limit = asyncio.timeout(min(own_s, left_s))
        self._dialling.add(limit)
        try:
            async with limit:
                await loop.create_connection(
                    lambda: connection,
                    line.address,
                    line.origin.port,
                    ssl=line.tls,
                    server_hostname=line.origin.host if line.tls else None,
                )
            text = self._admit(connection)
        except (OSError, ValueError) as error:
            text = _why(error, own_s if own_s < left_s else deadline)
        except BaseException:
            connection.abort()
            raise
        finally:
            self._dialling.discard(limit)
            self._settle()
        if text is not None:
            connection.abort()
            # Without its cause, which names the address.
            raise CallFailure(text, code="call.unreachable") from None
        return connection

    async def close(self) -> None:
        """Close every connection, also those that are just being made; nothing can be dialled."""
        if self._none_left is None:
            self._none_left = asyncio.get_running_loop().create_future()
            for limit in self._dialling:
                if not limit.expired():
                    limit.reschedule(0.0)
            for connection in self._open:
                connection.abort()
            self._settle()
        await self._none_left

    def _admit(self, connection: Connection) -> str | None:
        if self._none_left is not None:
            return "the transport is closed"
        if not connection.open:
            return "closed while connecting"
        self._open.add(connection)
        return None

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._settle()

    def _settle(self) -> None:
        waiting = self._none_left
        if waiting is not None and not (self._open or self._dialling or waiting.done()):
            waiting.set_result(None)


def _why(error: OSError | ValueError, within_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no connection within {within_s:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(error.verify_code, "certificate not acceptable")
    if isinstance(error, ssl.SSLError):
        return _why_no_tls(error)
    if isinstance(error, ConnectionResetError):
        return "closed while connecting"
    number = error.errno if isinstance(error, OSError) else None
    return _ERRNO.get(number or 0, "no connection")


def _why_no_tls(error: ssl.SSLError) -> str:
    reason = error.reason or ""
    if "ALERT" in reason:
        return "TLS refused by the server"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "closed while connecting"
    if reason in _NOT_TLS:
        return "the port doesn't speak TLS"
    return "no TLS with this server"
