"""From a name to its addresses: one query at a time per name, kept for a while."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from engine.clock import stopwatch
from engine.errors import CallFailure

LIFETIME_S = 45.0
FAILED_LIFETIME_S = 2.0
DOUBTED_AFTER_S = 1.0
QUERY_TIMEOUT_S = 5.0

MAX_QUERIES = 128
"""So many names may be asked for at a time, those included that nobody waits for any more."""

MAX_KNOWN = 10_000
"""Beyond so many names, those are forgotten that have to be asked for anew."""

Query = Callable[[str], Awaitable[Sequence[str]]]
"""Name → addresses, best first; raises ``OSError`` where there are none."""


async def system_query(host: str) -> Sequence[str]:
    """Ask the operating system (getaddrinfo): hosts file, DNS, in the order of RFC 6724.

    By a thread of its own: where a name server is silent the system waits for half a minute, and a
    few such names would take every thread that the event loop has for others. Nobody waits for it
    at the end, either.
    """
    if sum(each.name == _THREAD for each in threading.enumerate()) >= MAX_QUERIES:
        raise socket.gaierror(socket.EAI_AGAIN, "too many names are being asked for")
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Sequence[str]] = loop.create_future()
    threading.Thread(target=_query, args=(host, loop, answer), name=_THREAD, daemon=True).start()
    return await answer


_THREAD = "name lookup"


def _query(
    host: str, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Sequence[str]]
) -> None:
    addresses: Sequence[str] = ()
    problem: Exception | None = None
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    except (OSError, UnicodeError) as error:
        problem = error

    def settle() -> None:
        """Answer on the loop, if anybody still waits."""
        if answer.done():  # given up
            return
        if problem is None:
            answer.set_result(addresses)
        else:
            answer.set_exception(problem)

    with suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(settle)


@dataclass(slots=True)
class _Known:
    addresses: tuple[str, ...]
    problem: str
    asked: float
    until: float


class Lookup:
    """Addresses of hosts, asked once for all who wait and remembered ``lifetime_s`` seconds."""

    def __init__(
        self,
        query: Query = system_query,
        *,
        lifetime_s: float = LIFETIME_S,
        doubted_after_s: float = DOUBTED_AFTER_S,
    ) -> None:
        self._query = query
        self.lifetime_s = lifetime_s
        self._doubted_after_s = doubted_after_s
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[_Known]] = {}

    async def addresses(self, host: str, within_s: float) -> tuple[str, ...]:
        """The addresses of ``host`` within ``within_s`` seconds; an address is its own.

        Raises ``CallFailure`` (``call.unreachable``) where there are none.
        """
        if _is_address(host):
            return (host,)
        known = self._known.get(host)
        if known is None or known.until <= stopwatch():
            known = await self._ask(host, within_s)
        if not known.addresses:
            raise CallFailure(known.problem, code="call.unreachable")
        return known.addresses

    def doubt(self, host: str) -> None:
        """A dial failed: ask anew next time, but not more often than ``doubted_after_s`` says."""
        known = self._known.get(host)
        if known is not None:
            known.until = min(known.until, known.asked + self._doubted_after_s)

    async def close(self) -> None:
        """Give up every question still open."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, host: str, within_s: float) -> _Known:
        task = self._asking.get(host)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._answer(host))
            self._asking[host] = task
            task.add_done_callback(lambda _: self._asking.pop(host, None))
        try:
            # Shielded: the one who gives up first must not take the question from the others.
            return await asyncio.wait_for(asyncio.shield(task), within_s)
        except TimeoutError:
            raise CallFailure(
                "the name's address wasn't found in time", code="call.unreachable"
            ) from None
        except asyncio.CancelledError:
            # Closing cancels the question, not whoever asked it.
            asking = asyncio.current_task()
            if task.cancelled() and not (asking and asking.cancelling()):
                raise CallFailure("the transport is closed", code="call.unreachable") from None
            raise

    async def _answer(self, host: str) -> _Known:
        asked = stopwatch()
        try:
            async with asyncio.timeout(QUERY_TIMEOUT_S):
                addresses = tuple(await self._query(host))
            problem = "" if addresses else "name not found"
        except TimeoutError:
            addresses, problem = (), "the name server didn't answer"
        except (OSError, UnicodeError) as error:
            again = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
            addresses, problem = (), "the name server didn't answer" if again else "name not found"
        if len(self._known) >= MAX_KNOWN:
            self._known = {name: each for name, each in self._known.items() if each.until > asked}
        life = self.lifetime_s if addresses else FAILED_LIFETIME_S
        known = self._known[host] = _Known(addresses, problem, asked, stopwatch() + life)
        return known


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
