"""One call, sent: resolve, attach, send; if the credential was refused, once more with a fresh one.

A resolution begins after the call holds its permits, and from there nothing queues before the wire:
a call whose resolution begins after a rotation was committed carries the new secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from engine.core.expressions.durations import SECOND
from engine.core.message import Answer, Request
from engine.credentials.attach import attach, rejected
from engine.credentials.echo import without_echo
from engine.endpoints import store
from engine.endpoints.model import Endpoint, network
from engine.endpoints.request import RequestTemplate, Sendable
from engine.errors import CallFailure, CredentialFailure, NotFound, SettingsError, StepFailure

if TYPE_CHECKING:
    from engine.credentials.credential import Credential
    from engine.credentials.live_versions import LiveEndpoint
    from engine.db.connect import Database
    from engine.wire.transport import Network, Transport

NO_ANSWER = Answer(failure="call.unknown", may_have_been_sent=False)


class Outgoing(Sendable, Protocol):
    """A call as decide committed it; ``key`` is its idempotency key."""

    @property
    def endpoint(self) -> str:
        """The endpoint's name."""
        ...

    @property
    def key(self) -> str:
        """The idempotency key, the same at every attempt."""
        ...


class Resolver(Protocol):
    """What stands now: ``engine/credentials/resolver.py``, or a test's own."""

    async def current(self, endpoint: str) -> LiveEndpoint | None:
        """Which versions of the endpoint and its profile stand now; None for no such endpoint."""
        ...

    async def credential(
        self, profile_id: int, version: int, *, not_this: Credential | None = None
    ) -> Credential:
        """The credential; another one if ``not_this`` was refused. Raises CredentialFailure."""
        ...


@dataclass(slots=True)
class Sent:
    """What became of one attempt; it is filled in while that is made.

    ``failure`` is set where no HTTP answer stands for it: ``credential.*``, or the transport's
    ``call.*``; ``text`` then says it in words without any secret. ``attempts`` counts requests put
    on the wire, none to two. ``credential_version`` is the version of the profile that was used,
    None where nothing was attached.
    """

    answer: Answer
    failure: str | None
    text: str
    attempts: int
    credential_version: int | None


@dataclass(slots=True, frozen=True)
class _Ready:
    """An endpoint version, made ready for sending."""

    id: int
    version: int
    template: RequestTemplate
    network: Network
    deadline_s: float
    resend: bool


class Sender:
    """Sends calls to the endpoints of one database. One per event loop."""

    def __init__(self, database: Database, resolver: Resolver, transport: Transport) -> None:
        self._database = database
        self._resolver = resolver
        self._transport = transport
        self._ready: dict[str, _Ready] = {}

    async def send(self, call: Outgoing, timeout_us: int | None = None) -> Sent:
        """Make one attempt of a call; ``timeout_us`` is the step's own, None the endpoint's.

        Never raises for what the world does. Raises DatabaseUnavailable where the endpoint's
        present version can't be read; nothing was sent then.
        """
        sent, name = Sent(NO_ANSWER, None, "", 0, None), call.endpoint
        try:
            live = await self._resolver.current(name)
            if live is None:
                raise _deleted(name)
            ready = self._ready.get(name)
            if ready is None or ready.version != live.version or ready.id != live.id:
                ready = self._prepare(name, live)
            request = ready.template.build(call, call.key)
            deadline_s = ready.deadline_s if timeout_us is None else timeout_us / SECOND
            if live.profile_id is None:
                if live.auth_lost is not None:
                    raise _lost(name, live.auth_lost)
                await self._wire(sent, ready, request, deadline_s, ready.network)
            else:
                credential = await self._resolver.credential(live.profile_id, live.profile_version)
                answer = await self._wire_with(credential, sent, ready, request, deadline_s)
                if rejected(answer, credential):
                    fresh = await self._fresh(name, credential, answer)
                    answer = await self._wire_with(fresh, sent, ready, request, deadline_s)
                    if rejected(answer, fresh):
                        raise _rejected(fresh, answer)
        except StepFailure as failure:
            # The last answer stays beside it.
            sent.failure, sent.text = failure.code, failure.message
        else:
            sent.failure, sent.text = sent.answer.failure, sent.answer.text
        return sent

    async def _wire_with(
        self,
        credential: Credential,
        sent: Sent,
        ready: _Ready,
        request: Request,
        deadline_s: float,
    ) -> Answer:
        """Put ``request`` on the wire with its credential."""
        sent.credential_version = credential.version
        network = ready.network
        if credential.client_certificate is not None:
            network = _showing(network, credential.client_certificate)
        answer = await self._wire(sent, ready, attach(request, credential), deadline_s, network)
        sent.answer = answer = without_echo(answer, credential)
        return answer

    async def _wire(
        self, sent: Sent, ready: _Ready, request: Request, deadline_s: float, network: Network
    ) -> Answer:
        """Put ``request``, complete, on the wire; counts it if it got there."""
        send = self._transport.send
        answer = await send(request, deadline_s, network=network)
        if answer.stale_connection and ready.resend:
            # The server had closed the kept connection and never counted the request. Others that
            # were kept may be as dead.
            answer = await send(request, deadline_s, network=network, anew=True)
        if answer.status or answer.may_have_been_sent:
            sent.attempts += 1
        sent.answer = answer
        return answer

    async def _fresh(self, endpoint: str, refused: Credential, answer: Answer) -> Credential:
        """Another credential than the one that ``answer`` refused: perhaps the profile was edited
        meanwhile. Raises CredentialFailure where there is none.
        """
        live = await self._resolver.current(endpoint)
        if live is None or live.profile_id is None:
            raise CredentialFailure(
                f"endpoint {endpoint} refused auth profile {refused.profile}, which was taken from"
                " it meanwhile",
                code="credential.rejected",
            )
        fresh = await self._resolver.credential(
            live.profile_id, live.profile_version, not_this=refused
        )
        if fresh.fingerprint == refused.fingerprint:
            raise _rejected(fresh, answer)
        return fresh

    def _prepare(self, name: str, live: LiveEndpoint) -> _Ready:
        """The endpoint as of ``live``, or newer."""
        try:
            with self._database.read() as connection:
                stored = store.load(connection, name)
        except NotFound:
            raise _deleted(name) from None
        except SettingsError as error:
            raise CallFailure(error.message, code="call.blocked") from None
        ready = self._ready[name] = _make_ready(stored.id, stored.version, stored.endpoint)
        return ready


@lru_cache(maxsize=256)
def _showing(network: Network, certificate: str) -> Network:
    """One object for the same settings: connections are found by it."""
    return network._replace(client_certificate=certificate)


def _make_ready(id_: int, version: int, endpoint: Endpoint) -> _Ready:
    return _Ready(
        id=id_,
        version=version,
        template=RequestTemplate.of(endpoint),
        network=network(endpoint),
        deadline_s=endpoint.timeout.total.microseconds / SECOND,
        resend=endpoint.delivery == "at_least_once",
    )


def _deleted(endpoint: str) -> CredentialFailure:
    return CredentialFailure(
        f"the endpoint {endpoint} was deleted: add it again with `journey apply`",
        code="credential.missing",
    )


def _lost(endpoint: str, profile: str) -> CredentialFailure:
    return CredentialFailure(
        f"endpoint {endpoint} had the auth profile {profile}, which was deleted: assign another"
        f" with `journey endpoints set {endpoint} --auth PROFILE` (or `none`)",
        code="credential.missing",
    )


def _rejected(credential: Credential, answer: Answer) -> CredentialFailure:
    return CredentialFailure(
        f"the endpoint answered {answer.status} to auth profile {credential.profile}: give it a"
        f" valid secret with `journey auth rotate {credential.profile}`",
        code="credential.rejected",
    )
