"""Where a token server is: as the profile says, or as its issuer says of itself (RFC 8414)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engine.clock import stopwatch, wall
from engine.core import guarded_json
from engine.core.message import Answer, Request
from engine.core.steps.answers import pause_asked
from engine.credentials.access_tokens.answer import Refused
from engine.credentials.token_urls import discovered_url_problem

if TYPE_CHECKING:
    from engine.credentials.kinds.oauth2 import OAuth2
    from engine.wire.transport import Network, Transport

DEADLINE_S = 4.0
"""For all of it: with the token request after it, this ends before the lease does."""

KEPT_S = 3_600.0
"""For so long the issuer isn't asked again, unless its token server says no without a reason."""

_LONGEST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Server:
    """Where to ask for tokens, and where to revoke them, if anywhere."""

    token_url: str
    revocation_url: str | None = None


class Discovery:
    """Finds token servers, and remembers what issuers said. One per event loop."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._found: dict[tuple[str, str | None], tuple[float, Server]] = {}

    async def server(self, profile: OAuth2, network: Network) -> Server | Refused:
        """The token server of ``profile``, reached over ``network``; asks its issuer where that
        wasn't done lately.
        """
        if profile.token_url is not None:
            return Server(profile.token_url, profile.revocation_url)
        issuer = profile.issuer or ""
        asked_at, known = self._found.get((issuer, profile.ca), (0.0, None))
        if known is None or stopwatch() - asked_at > KEPT_S:
            found = await self._ask(issuer, network)
            if isinstance(found, Server):
                self._found[issuer, profile.ca] = stopwatch(), found
                known = found
            elif known is None:
                return found  # else what was said before is better than nothing
        return Server(known.token_url, profile.revocation_url or known.revocation_url)

    def forget(self, profile: OAuth2) -> None:
        """Ask the issuer again next time: its token server may have moved."""
        if profile.issuer is not None:
            self._found.pop((profile.issuer, profile.ca), None)

    async def _ask(self, issuer: str, network: Network) -> Server | Refused:
        refused, nothing_there = Refused("", permanent=True), True
        until = stopwatch() + DEADLINE_S
        for url in metadata_urls(issuer):
            request = Request("GET", url, (("accept", "application/json"),))
            left = max(until - stopwatch(), 0.001)
            answer = await self._transport.send(request, left, network=network)
            said = (
                read_metadata(answer.body, issuer) if answer.status == 200 else _not_found(answer)
            )
            if isinstance(said, Server):
                return said
            # Where nothing is, some answer with their front page, a redirect to it, or a 500.
            if nothing_there or (answer.status == 200 and said.permanent):
                refused, nothing_there = said, said.permanent and 400 <= answer.status < 500
            asked_to_wait = answer.status in (429, 503) or said.retry_after is not None
            if answer.failure is not None or asked_to_wait:
                break
        return refused


def metadata_urls(issuer: str) -> Iterator[str]:
    """Where an issuer's metadata may be: RFC 8414, 3.1, then OpenID Connect Discovery, 4.1."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    host = f"{parts.scheme}://{parts.netloc}"
    yield f"{host}/.well-known/oauth-authorization-server{path}"
    yield f"{host}{path}/.well-known/openid-configuration"


def read_metadata(body: bytes, issuer: str) -> Server | Refused:
    """The server that metadata name. They must be of this very issuer (RFC 8414, 3.3)."""
    try:
        said = guarded_json.parse(body)
    except guarded_json.NotGuardedJSON:
        said = None
    if not isinstance(said, dict):
        return Refused("the issuer's metadata aren't a JSON object", permanent=False)
    if said.get("issuer") != issuer:
        return Refused(
            f"the issuer's metadata are of {_shown(said.get('issuer'))}: correct issuer",
            permanent=True,
        )
    token_url = said.get("token_endpoint")
    problem = discovered_url_problem(token_url, issuer)
    if problem is not None:
        return Refused(f"the issuer's metadata: token_endpoint {problem}", permanent=True)
    revocation_url = said.get("revocation_endpoint")
    usable = discovered_url_problem(revocation_url, issuer) is None
    return Server(str(token_url), str(revocation_url) if usable else None)


def _not_found(answer: Answer) -> Refused:
    if answer.failure is not None:
        permanent = answer.failure in ("call.blocked", "call.unfillable")
        return Refused(f"the issuer gave no answer: {answer.text}", permanent)
    transient = answer.status >= 500 or answer.status in (408, 425, 429)
    return Refused(
        f"the issuer's metadata can't be had (it answered {answer.status}):"
        " check issuer, or write token_url",
        not transient,
        retry_after=pause_asked(answer, wall()),
    )


def _shown(issuer: object) -> str:
    if not isinstance(issuer, str) or not issuer.isprintable():
        return "another issuer"
    return repr(issuer[:_LONGEST_SHOWN])
