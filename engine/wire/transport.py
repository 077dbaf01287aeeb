"""The seam: one request in, one answer out. Everything that sends HTTP stands behind it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple, Protocol

from engine.core.message import Answer, Request
from engine.errors import CallFailure

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

OWNED_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that frame a message or say how to decode it: the transport sets them, nobody else."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")


class Network(NamedTuple):
    """How an endpoint is reached.

    ``connect_timeout_s`` bounds TCP and TLS together, per address. ``max_response`` is in bytes of
    body. ``ca`` is PEM text trusted *besides* the public roots; ``client_certificate`` is PEM text
    of a certificate chain and its private key; ``verify=False`` accepts any server certificate.
    """

    connect_timeout_s: float = 3.0
    max_response: int = 1024 * 1024
    ca: str | None = None
    client_certificate: str | None = None
    verify: bool = True


DEFAULT_NETWORK = Network()


class Transport(Protocol):
    """Sends one request and says what became of it. Never raises for what the world does."""

    async def send(
        self,
        request: Request,
        deadline: float,
        *,
        network: Network = DEFAULT_NETWORK,
        anew: bool = False,
    ) -> Answer:
        """Put ``request`` on the wire once and return the answer or the failure.

        ``deadline`` is seconds for the whole attempt: from now, name lookup and connecting
        included, to the last byte of the answer. Every status from 200 up is an answer; redirects
        are not followed, bodies not decompressed. ``anew``: over a connection of its own, none that
        was kept. Failures in ``Answer.failure``:

        - ``call.blocked``: egress forbids the address, or the URL can't be dialled safely
        - ``call.unfillable``: the request can't be written (method, header name or value)
        - ``call.unreachable``: no name, no connection, no TLS, or closed before the answer's end
        - ``call.timed_out``: the deadline passed
        - ``call.bad_response``: not HTTP, compressed, or a body over ``network.max_response``

        Cancelling the task passes through; the server may still see the request.
        """
        ...

    async def close(self) -> None:
        """Close every connection. Later sends fail as ``call.unreachable``, never sent."""
        ...


def check_request(request: Request) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names and the values of a request's headers: they and its method can go on the wire.

    Header values are printable ASCII, space and tab (RFC 9110, 5.5, without obs-text). Raises
    ``CallFailure`` (``call.unfillable``).
    """
    if request.method not in METHODS:
        raise CallFailure("the method is not one that is sent", code="call.unfillable")
    if not request.headers:
        return (), ()
    names, values = zip(*request.headers, strict=True)
    said = "".join(values)
    if not (said.isascii() and said.isprintable()):
        _check_values(request)
    problem = _names_problem(names)
    if problem is not None:
        raise CallFailure(problem, code="call.unfillable")
    return names, values


@lru_cache(maxsize=512)
def _names_problem(names: tuple[str, ...]) -> str | None:
    for name in names:
        if _TOKEN.fullmatch(name) is None:
            return "a header name is not a lower-case HTTP token"
        if name in OWNED_HEADERS:
            return f"the header {name} is set by the transport alone"
    return None


def _check_values(request: Request) -> None:
    for name, value in request.headers:
        visible = value.replace("\t", " ")
        if not (visible.isascii() and visible.isprintable()):
            what = name if _TOKEN.fullmatch(name) else "without a valid name"
            raise CallFailure(
                f"the value of the header {what} holds a character that can't be sent",
                code="call.unfillable",
            )
