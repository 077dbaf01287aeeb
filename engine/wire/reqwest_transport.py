"""The transport on pyreqwest (Rust's reqwest): HTTP/1.1, checked and pinned addresses."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import cast

from pyreqwest.exceptions import PyreqwestError
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from engine.clock import stopwatch
from engine.core.message import Answer, Request
from engine.errors import CallFailure
from engine.wire.egress import Egress
from engine.wire.lookup import Lookup
from engine.wire.reqwest_clients import Line, Route, Routes
from engine.wire.reqwest_errors import read_fault
from engine.wire.transport import DEFAULT_NETWORK, Network, Transport, check_request

_ALWAYS_SIZED = frozenset({"POST", "PUT", "PATCH"})
"""Methods that say ``content-length: 0`` where there is no body (RFC 9110, 8.6)."""

MAX_ADDRESSES = 4
"""So many addresses of a name are tried for one request, where none of them can be reached."""

RACE_S = 1.0
"""The keep-alive race shows within a round trip; what breaks later didn't die of idleness."""


class ReqwestTransport(Transport):
    """Sends through pooled connections to checked addresses; see :class:`Transport`.

    One per event loop. Close it before the interpreter ends.
    """

    def __init__(self, egress: Egress, *, lookup: Lookup | None = None) -> None:
        self._routes = Routes(egress, lookup or Lookup())

    async def send(
        self, request: Request, deadline: float, *, network: Network = DEFAULT_NETWORK
    ) -> Answer:
        """One attempt; see :meth:`Transport.send`."""
        started = stopwatch()
        try:
            check_request(request)
            route = self._routes.to(request.url, network, deadline, started)
            return await self._try_addresses(route, request, started, deadline)
        except CallFailure as refusal:
            return Answer(
                failure=refusal.code,
                text=refusal.message,
                may_have_been_sent=False,
                elapsed_us=_elapsed_us(started),
            )

    async def close(self) -> None:
        """Close every client; requests in flight fail as ``call.unreachable``."""
        await self._routes.close()

    async def _try_addresses(
        self, route: Route, request: Request, started: float, deadline: float
    ) -> Answer:
        line, left = route.line, deadline
        if line is None or started >= route.fresh_until:
            line = await self._routes.open(route, deadline)
            left -= stopwatch() - started
        untried = min(len(route.addresses), MAX_ADDRESSES)
        while left > 0:
            answer = await _attempt(line, request, started, deadline, left)
            if answer.may_have_been_sent or answer.failure != "call.unreachable":
                return answer
            following, untried = self._routes.after(route, line), untried - 1
            if following is None or untried <= 0:
                return answer
            line, left = following, deadline - (stopwatch() - started)
        return _failed("call.timed_out", f"not sent within {deadline:g} s", started, sent=False)


async def _attempt(
    line: Line, request: Request, started: float, deadline: float, left: float
) -> Answer:
    """Send over ``line`` with ``left`` of the ``deadline``'s seconds."""
    begun = started if left == deadline else stopwatch()
    prepared = _prepare(line, request, left)
    reused = line.take(begun)
    reusable = False
    try:
        async with prepared as response:
            answer = await _read(response, line.max_response, started)
        reusable = answer.failure is None and answer.headers.get("connection") != "close"
        return answer
    except PyreqwestError as error:
        fault = read_fault(error, line.connect_timeout, deadline)
        ended = stopwatch()
        return Answer(
            failure=fault.code,
            text=fault.text,
            may_have_been_sent=fault.may_have_been_sent,
            stale_connection=reused and fault.before_answer and ended - begun < RACE_S,
            elapsed_us=int((ended - started) * 1_000_000),
        )
    finally:
        line.give_back(reusable)


def _prepare(line: Line, request: Request, left: float) -> StreamRequest:
    try:
        sending = line.client.request(request.method, request.url)
        sending = sending.headers(request.headers).timeout(_within(left))
        if request.body:
            sending = sending.body_bytes(request.body)
        elif request.method in _ALWAYS_SIZED:
            sending = sending.header("content-length", "0")
        return sending.build_streamed()
    except (PyreqwestError, ValueError):
        raise CallFailure("the request can't be written as HTTP", code="call.unfillable") from None


@lru_cache(maxsize=256)
def _within(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


async def _read(response: Response, limit: int, started: float) -> Answer:
    """The answer, its body read to the end or to one chunk past ``limit`` bytes."""
    status = response.status
    headers = _headers(response)
    if status < 200:
        return _failed("call.bad_response", f"the server switched protocols ({status})", started)
    encoding = headers.get("content-encoding")
    if encoding is not None and encoding.strip().lower() != "identity":
        return _failed("call.bad_response", "the answer is compressed, unasked", started)
    body = await _body(response, headers, limit)
    if body is None:
        return _failed("call.bad_response", f"the answer is over {limit} bytes", started)
    return Answer(status, headers, body, elapsed_us=_elapsed_us(started))


async def _body(response: Response, headers: dict[str, str], limit: int) -> bytes | None:
    """The whole body, or None as soon as it is over ``limit`` bytes."""
    declared = headers.get("content-length", "")
    if (
        len(declared) < 19
        and declared.isdigit()
        and int(declared) <= limit
        and "transfer-encoding" not in headers
    ):
        return bytes(await response.bytes())
    chunks: list[bytes] = []
    size = 0
    reader = response.body_reader
    while (chunk := await reader.read_chunk()) is not None:
        size += len(chunk)
        if size > limit:
            return None
        chunks.append(bytes(chunk))
    return b"".join(chunks)


def _headers(response: Response) -> dict[str, str]:
    try:
        listed = response.headers.dict_multi_value()
    except ValueError:
        # A value outside ASCII stops the listing; without it the others are still an answer.
        readable = ((name, _header(response, name)) for name in response.headers)
        return {name: value for name, value in readable if value is not None}
    if list in map(type, listed.values()):
        return {name: _first(value) for name, value in listed.items()}
    return cast(dict[str, str], listed)


def _first(value: str | list[str]) -> str:
    return value if isinstance(value, str) else value[0]


def _header(response: Response, name: str) -> str | None:
    try:
        return response.get_header(name)
    except ValueError:
        return None


def _failed(code: str, text: str, started: float, *, sent: bool = True) -> Answer:
    return Answer(failure=code, text=text, may_have_been_sent=sent, elapsed_us=_elapsed_us(started))


def _elapsed_us(started: float) -> int:
    return int((stopwatch() - started) * 1_000_000)
