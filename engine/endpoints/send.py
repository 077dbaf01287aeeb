"""One call, sent: resolve, attach, send; if the credential was refused, once more with a fresh one.

A resolution begins after the call holds its permits, and from there nothing queues before the wire:
a call whose resolution begins after a rotation was committed carries the new secret.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from engine.wire.transport import DEFAULT_NETWORK

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
    """What became of one attempt.

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
        attempt = _Attempt(self._transport)
        try:
            return await self._send(call, timeout_us, attempt)
        except StepFailure as failure:
            return attempt.failed(failure)

    async def _send(self, call: Outgoing, timeout_us: int | None, attempt: _Attempt) -> Sent:
        live = await self._resolver.current(call.endpoint)
        if live is None:
            raise _deleted(call.endpoint)
        ready = self._prepare(call.endpoint, live)
        attempt.begin(ready, timeout_us)
        request = ready.template.build(call, call.key)
        if live.profile_id is None:
            if live.auth_lost is not None:
                raise _lost(call.endpoint, live.auth_lost)
            return attempt.answered(await attempt.wire(request))
        credential = await self._resolver.credential(live.profile_id, live.profile_version)
        answer = await attempt.wire(request, credential)
        if rejected(answer, credential):
            fresh = await self._fresh(call.endpoint, credential)
            if fresh.fingerprint == credential.fingerprint:
                raise _rejected(fresh, answer)
            answer = await attempt.wire(request, fresh)
            if rejected(answer, fresh):
                raise _rejected(fresh, answer)
        return attempt.answered(answer)

    async def _fresh(self, endpoint: str, refused: Credential) -> Credential:
        """Another credential than the refused one: perhaps the profile was edited meanwhile."""
        live = await self._resolver.current(endpoint)
        if live is None or live.profile_id is None:
            raise CredentialFailure(
                f"endpoint {endpoint} refused auth profile {refused.profile}, which was taken from"
                " it meanwhile",
                code="credential.rejected",
            )
        return await self._resolver.credential(
            live.profile_id, live.profile_version, not_this=refused
        )

    def _prepare(self, name: str, live: LiveEndpoint) -> _Ready:
        """The endpoint as of ``live``, or newer."""
        ready = self._ready.get(name)
        if ready is None or (ready.id, ready.version) != (live.id, live.version):
            try:
                with self._database.read() as connection:
                    stored = store.load(connection, name)
            except NotFound:
                raise _deleted(name) from None
            except SettingsError as error:
                raise CallFailure(error.message, code="call.blocked") from None
            ready = _make_ready(stored.id, stored.version, stored.endpoint)
            self._ready[name] = ready
        return ready


class _Attempt:
    """What of one attempt must be known however it ends."""

    __slots__ = (
        "_deadline_s",
        "_network",
        "_resend",
        "_transport",
        "answer",
        "credential",
        "requests",
    )

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._deadline_s = 0.0
        self._network = DEFAULT_NETWORK
        self._resend = False
        self.answer = NO_ANSWER
        self.credential: Credential | None = None
        self.requests = 0

    def begin(self, ready: _Ready, timeout_us: int | None) -> None:
        """Take the endpoint's ways, and the step's own timeout where it has one."""
        self._deadline_s = ready.deadline_s if timeout_us is None else timeout_us / SECOND
        self._network = ready.network
        self._resend = ready.resend

    async def wire(self, request: Request, credential: Credential | None = None) -> Answer:
        """Put ``request`` on the wire with its credential; counts it if it got there."""
        if credential is not None:
            self.credential = credential
            request = attach(request, credential)
        send, network = self._transport.send, self._network
        if credential is not None and credential.client_certificate is not None:
            network = _showing(network, credential.client_certificate)
        answer = await send(request, self._deadline_s, network=network)
        if answer.stale_connection and self._resend:
            # The server had closed the kept connection: it never answered and never counted it.
            answer = await send(request, self._deadline_s, network=network)
        if answer.status or answer.may_have_been_sent:
            self.requests += 1
        if credential is not None:
            answer = without_echo(answer, credential)
        self.answer = answer
        return answer

    def answered(self, answer: Answer) -> Sent:
        """The end with an answer, or with the transport's failure."""
        return Sent(answer, answer.failure, answer.text, self.requests, self._version)

    def failed(self, failure: StepFailure) -> Sent:
        """The end with a failure of ours; the last answer stays beside it."""
        return Sent(self.answer, failure.code, failure.message, self.requests, self._version)

    @property
    def _version(self) -> int | None:
        return None if self.credential is None else self.credential.version


@lru_cache(maxsize=256)
def _showing(network: Network, certificate: str) -> Network:
    """One object for the same settings: connections are found by it."""
    return replace(network, client_certificate=certificate)


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
