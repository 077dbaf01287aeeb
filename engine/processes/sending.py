"""Everything between a held call and its result: transport, credentials, endpoints."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from engine.core.steps.answers import counted_from
from engine.core.steps.base import Result
from engine.credentials.references import References
from engine.credentials.resolver import Resolver
from engine.endpoints.send import Sender
from engine.settings import environment
from engine.wire.egress import Egress
from engine.wire.http_transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from engine.clock import Clock
    from engine.credentials.vault import Vault
    from engine.db.connect import Database
    from engine.endpoints.send import Sent
    from engine.enrollments.pending import Held
    from engine.settings import Settings

    Listening = Callable[[Held, Sent], Awaitable[None]]


class Sending:
    """Puts held calls on the wire. ``sender`` may be used beside it for single requests;
    ``listening`` is told of each attempt that was made; its result is handed on when that is done.
    """

    def __init__(self, sender: Sender, clock: Clock, listening: Listening | None = None) -> None:
        self.sender = sender
        self._clock = clock
        self._listening = listening

    async def deliver(self, held: Held) -> Result:
        """Make one attempt of a call. Never raises for what the world does.

        Raises DatabaseUnavailable where the endpoint's settings can't be read; nothing was sent.
        """
        call = held.call
        began = self._clock.moment()
        step = held.passage.program.nodes[call.step].step
        timeout: int | None = getattr(step, "timeout_us", None)
        sent = await self.sender.send(call, timeout)
        if self._listening is not None:
            await self._listening(held, sent)
        return Result(
            sent.answer,
            sent.failure,
            sent.text,
            call.attempts + sent.attempts,
            call.tries + 1,
            counted_from(call.first_at, call.tries, began, sent.failure or sent.answer.failure),
            sent.credential_version,
        )


@asynccontextmanager
async def open_sending(
    database: Database,
    vault: Vault,
    clock: Clock,
    settings: Settings,
    listening: Listening | None = None,
    before_writing: Callable[[], None] | None = None,
) -> AsyncIterator[Sending]:
    """A sender on this event loop, closed with everything it holds. What ``before_writing`` raises
    keeps a request from the wire.
    """
    egress = Egress.parse(settings.egress_allow)
    references = References(environment(), settings.secret_folders)
    transport = HttpTransport(egress, before_writing=before_writing)
    resolver = Resolver(database, vault, transport, clock, references)
    try:
        yield Sending(Sender(database, resolver, transport), clock, listening)
    finally:
        await resolver.close()
        await transport.close()
