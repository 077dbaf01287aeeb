"""Trying an endpoint or an auth profile out: one request, with what is stored and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.clock import RealClock
from engine.core import guarded_json
from engine.core.expressions.calendar import find_zone
from engine.core.expressions.errors import ExpressionError, Unfillable
from engine.core.expressions.paths import compile_path
from engine.core.expressions.scope import UTC_ZONE, Scope
from engine.core.expressions.values import compile_value
from engine.credentials.access_tokens.answer import Refused
from engine.credentials.access_tokens.ask import TokenServers
from engine.credentials.kinds.oauth2 import OAuth2
from engine.credentials.loaded import load
from engine.credentials.resolver import Resolver
from engine.credentials.store.profiles import profile_by_name
from engine.credentials.store.tokens import carry_token
from engine.endpoints import store
from engine.endpoints.send import Sender
from engine.errors import CredentialFailure, NotFound, OperatorError
from engine.telemetry.redact import Redactor, known_secrets
from engine.users.store import find_user
from engine.wire.http_transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.credentials.credential import Credential
    from engine.credentials.live_versions import LiveEndpoint
    from engine.credentials.references import References
    from engine.credentials.store.profiles import StoredProfile
    from engine.credentials.vault import Vault
    from engine.db.connect import Connection, Database
    from engine.endpoints.send import Sent
    from engine.wire.egress import Egress
    from engine.wire.transport import Transport


_OF_USER = frozenset({"user"})
LOOKED_THROUGH, EXCERPT = 64 * 1024, 2_000
"""Bytes of an answer that are searched for secrets, and characters of it that are shown."""


@dataclass(slots=True, frozen=True)
class TestCall:
    """What is sent to try an endpoint: its idempotency key is no journey's."""

    __test__ = False

    endpoint: str
    method: str = "GET"
    target: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str | None = None
    body: bytes = b""
    key: str = "test"


@dataclass(slots=True, frozen=True)
class Tried:
    """What became of it. ``status`` is None where there was no HTTP answer.

    ``attached`` names what the credential put into the request, never its values; ``text`` says in
    words what failed, or what is good to know; ``excerpt`` is how the answer's body begins, without
    any secret that is known.
    """

    ok: bool
    status: int | None = None
    failure: str | None = None
    text: str = ""
    attempts: int = 0
    elapsed_us: int = 0
    attached: tuple[str, ...] = ()
    excerpt: str = ""


@dataclass(slots=True)
class Means:
    """What a test works with. One per event loop."""

    database: Database
    vault: Vault
    references: References
    transport: Transport
    redactor: Redactor = known_secrets

    def resolver(self) -> Resolver:
        """A resolver of its own; close it."""
        return Resolver(
            self.database,
            self.vault,
            self.transport,
            RealClock(),
            self.references,
            redactor=self.redactor,
        )


def attempted(
    database: Database,
    vault: Vault,
    references: References,
    egress: Egress,
    attempt: Callable[[Means], Awaitable[Tried]],
) -> Tried:
    """What an attempt gives that sends a request or two, on an event loop and connections of its
    own: nobody's calls wait for it.
    """

    async def run() -> Tried:
        """From connections that are opened to ones that are closed."""
        transport = HttpTransport(egress)
        try:
            return await attempt(Means(database, vault, references, transport))
        finally:
            await transport.close()

    return asyncio.run(run())


async def try_endpoint(means: Means, call: TestCall, profile: str | None = None) -> Tried:
    """Send ``call`` as a journey's call would be; ``profile`` takes the assigned one's place.

    Raises NotFound.
    """
    with means.database.read() as connection:
        store.load(connection, call.endpoint)
    instead = None if profile is None else _find(means.database, profile)
    resolver = means.resolver()
    watching = _Watching(resolver, instead)
    try:
        sent = await Sender(means.database, watching, means.transport).send(call)
    finally:
        await resolver.close()
    return _tried(sent, watching.used, means.redactor)


async def try_profile(means: Means, name: str) -> Tried:
    """Open the profile's secrets; of an OAuth profile, ask its token server for a token, too.

    The token isn't kept. An answer with a token ends the profile's back-off. Raises NotFound.
    """
    stored = _find(means.database, name)
    loaded = load(means.database, means.vault, means.references, means.redactor, stored.id)
    if loaded is None:
        raise NotFound(f"there is no auth profile {name}")
    try:
        if not isinstance(loaded.profile, OAuth2):
            return Tried(True, attached=names_of(loaded.credential()), text="its secrets open")
        secrets = loaded.opened()
    except CredentialFailure as failure:
        return Tried(False, failure=failure.code, text=failure.message)
    turn = _TestTurn()
    asked = await TokenServers(means.transport, means.redactor).ask(
        loaded.profile, secrets, None, turn
    )
    outcome = asked.outcome if asked is not None else Refused("no token", permanent=False)
    if isinstance(outcome, Refused):
        return Tried(
            False, failure="credential.unavailable", text=outcome.text, attempts=turn.requests
        )
    with means.database.write() as connection:
        carry_token(connection, stored.id, stored.columns.version)
    if asked is not None and asked.with_previous:
        text = "the token server refused the current secret, and took the previous one"
        return Tried(False, failure="credential.unavailable", text=text, attempts=turn.requests)
    seconds = outcome.life // 1_000_000
    text = outcome.warning or f"the token server gave a token for {seconds:,} s"
    return Tried(True, text=text, attempts=turn.requests, attached=("header authorization",))


def target_as(connection: Connection, user: str, template: str, now: int) -> str:
    """A path like a journey's, filled in for a user; what stands behind a ``?`` is taken as it is.

    Raises NotFound for an unknown user, and OperatorError for a path that can't be filled in.
    """
    path, mark, query = template.partition("?")
    scope = _scope_of(connection, user, now)
    try:
        filled = compile_path(path, allow=_OF_USER).render(scope)
    except (ExpressionError, Unfillable) as error:
        raise OperatorError(f"the path can't be filled in: {error}", code="probe.path") from None
    return f"{filled}{mark}{query}"


def body_as(connection: Connection, user: str, template: bytes, now: int) -> bytes:
    """The JSON of a body, filled in as :func:`target_as` does; an empty one stays empty."""
    scope = _scope_of(connection, user, now)
    if not template:
        return b""
    try:
        written = compile_value(guarded_json.parse(template), allow=_OF_USER)
        return guarded_json.dumps(written.render(scope))
    except guarded_json.NotGuardedJSON as error:
        raise OperatorError(f"the body is {error}", code="probe.body") from None
    except (ExpressionError, Unfillable) as error:
        raise OperatorError(f"the body can't be filled in: {error}", code="probe.body") from None


def _scope_of(connection: Connection, user: str, now: int) -> Scope:
    """What expressions see of a user. Raises NotFound."""
    known = find_user(connection, user)
    if known is None:
        raise NotFound(f"there is no user {user[:60]!r}")
    attributes = {**known.attributes, "id": known.id, "timezone": known.timezone}
    return Scope(now, find_zone(known.timezone or "") or UTC_ZONE, user=attributes)


def only_endpoint_of(database: Database, profile: str) -> str:
    """The endpoint that has this profile. Raises OperatorError if that isn't exactly one."""
    with database.read() as connection:
        names = [stored.endpoint.name for stored in store.using_profile(connection, profile)]
    if len(names) != 1:
        found = f"is used by {', '.join(names)}" if names else "is used by no endpoint"
        raise OperatorError(f"auth profile {profile} {found}: name one with --endpoint")
    return names[0]


def names_of(credential: Credential) -> tuple[str, ...]:
    """What a credential puts into a request, by name."""
    placement = credential.placement
    places = (
        ("header", placement.headers),
        ("query parameter", placement.query),
        ("body field", placement.body),
    )
    return tuple(f"{place} {name}" for place, pairs in places for name, _ in pairs)


class _Watching:
    """A resolver that remembers what was used last, and may put one profile in all places."""

    def __init__(self, resolver: Resolver, instead: StoredProfile | None) -> None:
        self._resolver = resolver
        self._instead = instead
        self.used: Credential | None = None

    async def current(self, endpoint: str) -> LiveEndpoint | None:
        """As the resolver says, with the other profile."""
        live = await self._resolver.current(endpoint)
        if live is None or self._instead is None:
            return live
        version = self._instead.columns.version
        return replace(live, profile_id=self._instead.id, profile_version=version, auth_lost=None)

    async def credential(
        self, profile_id: int, version: int, *, not_this: Credential | None = None
    ) -> Credential:
        """As the resolver says."""
        self.used = await self._resolver.credential(profile_id, version, not_this=not_this)
        return self.used


def _find(database: Database, name: str) -> StoredProfile:
    with database.read() as connection:
        stored = profile_by_name(connection, name)
    if stored is None:
        raise NotFound(f"there is no auth profile {name}; `journey auth list` shows them")
    return stored


def _tried(sent: Sent, used: Credential | None, redactor: Redactor) -> Tried:
    status = sent.answer.status or None
    return Tried(
        ok=sent.failure is None and status is not None and 200 <= status < 300,
        status=status,
        failure=sent.failure,
        text=redactor.redact(sent.text),
        attempts=sent.attempts,
        elapsed_us=sent.answer.elapsed_us,
        attached=names_of(used) if used is not None and sent.attempts else (),
        excerpt=_excerpt(sent.answer.body, redactor),
    )


def _excerpt(body: bytes, redactor: Redactor) -> str:
    """Redacted before it is cut: half a secret is one that nobody recognises."""
    return redactor.redact(body[:LOOKED_THROUGH].decode("utf-8", "replace"))[:EXCERPT]


class _TestTurn:
    """A test asks on its own account: no lease, and nothing is kept."""

    def __init__(self) -> None:
        self.requests = 1

    def is_over(self) -> bool:
        """Never."""
        return False

    async def once_more(self, *, forget_refresh: bool) -> bool:
        """Always; counted."""
        self.requests += 1
        return True
