"""Asking the token server: one request; more where a refresh token or a secret turns out not to be
taken any more and there is another one to try.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from engine.clock import wall
from engine.credentials.access_tokens.answer import LARGEST_ANSWER, Grant, Refused, read_answer
from engine.credentials.access_tokens.discovery import Discovery
from engine.credentials.access_tokens.request import token_request
from engine.credentials.echo import without_secrets
from engine.credentials.wording import CLIENT_CERTIFICATE
from engine.wire.transport import Network

if TYPE_CHECKING:
    from engine.core.message import Answer, Request
    from engine.credentials.credential import Opened
    from engine.credentials.kinds.oauth2 import OAuth2
    from engine.telemetry.redact import Redactor
    from engine.wire.transport import Transport

DEADLINE_S = 10.0
"""A token request has this time of its own, before the call's."""

LONGEST_SAID = 200
"""So much of a server's own words is shown."""


def network_of(profile: OAuth2, values: Mapping[str, str]) -> Network:
    """How the token server of ``profile``, and its issuer, are reached. Secret."""
    return Network(
        max_response=LARGEST_ANSWER,
        ca=profile.ca,
        client_certificate=values.get(CLIENT_CERTIFICATE),
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of it; ``unsent`` counts requests that certainly never reached the server.

    ``with_previous``: the current secret was refused, and the previous one asked with.
    ``refresh_refused``: the refresh token that was shown is good no more.
    """

    outcome: Grant | Refused
    unsent: int = 0
    with_previous: bool = False
    refresh_refused: bool = False


class Turn(Protocol):
    """The right to ask, which may end meanwhile."""

    def is_over(self) -> bool:
        """Whether somebody else may be asking by now: nothing is sent any more then."""
        ...

    async def once_more(self, *, forget_refresh: bool) -> bool:
        """Count one more request and have the time for it; False where the turn is over.

        ``forget_refresh`` where the refresh token was refused.
        """
        ...


class TokenServers:
    """Asks token servers. One per event loop. What it returns holds no secret in its texts."""

    def __init__(self, transport: Transport, redactor: Redactor) -> None:
        self.discovery = Discovery(transport)
        self._transport = transport
        self._redactor = redactor

    async def ask(
        self, profile: OAuth2, secrets: Opened, refresh_token: str | None, turn: Turn
    ) -> Asked | None:
        """A token or a failure; None where the turn was over.

        Of grant ``password`` a refresh token is tried first; where the server doesn't take it, the
        grant. Where the secret is refused and there is a previous one, that is tried once.
        """
        self._redactor.learn(secrets.current.values())
        if secrets.previous is not None:
            self._redactor.learn(secrets.previous.values())
        if refresh_token is not None:
            self._redactor.learn((refresh_token,))
        if profile.grant != "password":
            # RFC 6749, 4.4.3: it serves nothing here, and whoever gave it may not take it back.
            refresh_token = None
        server = await self.discovery.server(profile, network_of(profile, secrets.current))
        if isinstance(server, Refused):
            return Asked(self._without_secrets(server), unsent=1)
        exchange = _Exchange(self, profile, server.token_url, turn)
        outcome = await exchange.token(secrets.current, refresh_token)
        with_previous = _may_be_old(outcome) and secrets.previous is not None
        if with_previous and secrets.previous is not None:
            if not await turn.once_more(forget_refresh=False):
                return None
            refresh_token = None if exchange.refresh_refused else refresh_token
            outcome = await exchange.token(secrets.previous, refresh_token)
        if outcome is None:
            return None
        if isinstance(outcome, Refused):
            if outcome.permanent and not outcome.error:
                self.discovery.forget(profile)
            outcome = self._without_secrets(outcome)
        else:
            self._redactor.learn(filter(None, (outcome.access_token, outcome.refresh_token)))
        return Asked(outcome, exchange.unsent, with_previous, exchange.refresh_refused)

    async def send(self, request: Request, network: Network) -> Answer:
        """One request with a secret in it."""
        for name, value in request.headers:
            if name == "authorization":
                self._redactor.learn((value.partition(" ")[2],))
        answer = await self._transport.send(request, DEADLINE_S, network=network)
        if answer.stale_connection:
            # The kept connection was closed before the server saw anything: not a request.
            answer = await self._transport.send(request, DEADLINE_S, network=network, anew=True)
        return answer

    def _without_secrets(self, refused: Refused) -> Refused:
        said = "".join(c if c.isprintable() else " " for c in self._redactor.redact(refused.said))
        said = " ".join(said.split())
        if len(said) > LONGEST_SAID:
            said = f"{said[:LONGEST_SAID]}…"
        text = self._redactor.redact(refused.text) + (f" (it says: {said})" if said else "")
        return replace(refused, text=text, said="")


class _Exchange:
    """The requests of one turn."""

    def __init__(self, servers: TokenServers, profile: OAuth2, url: str, turn: Turn) -> None:
        self._servers = servers
        self._profile = profile
        self._url = url
        self._turn = turn
        self.unsent = 0
        self.refresh_refused = False

    async def token(
        self, values: Mapping[str, str], refresh_token: str | None
    ) -> Grant | Refused | None:
        """By the refresh token, if there is one that is still taken, else by the grant."""
        if refresh_token is None:
            return await self._once(values, None)
        outcome = await self._once(values, refresh_token)
        if not _is_withdrawn(outcome):
            return outcome
        self.refresh_refused = True
        if not await self._turn.once_more(forget_refresh=True):
            return None
        return await self._once(values, None)

    async def _once(
        self, values: Mapping[str, str], refresh_token: str | None
    ) -> Grant | Refused | None:
        if self._turn.is_over():
            return None
        request = token_request(self._profile, self._url, values, refresh_token)
        answer = await self._servers.send(request, network_of(self._profile, values))
        self.unsent += int(answer.failure is not None and not answer.may_have_been_sent)
        if answer.status != 200:  # an answer with a token may well repeat the refresh token
            sent = tuple(values[name] for name in sorted(values) if name != CLIENT_CERTIFICATE)
            answer = without_secrets(answer, (*sent, refresh_token or ""))
        return read_answer(answer, self._profile, wall())


def _is_withdrawn(outcome: Grant | Refused | None) -> bool:
    """Servers have many words for a refresh token that they don't take (any more); kept, it would
    be shown and refused for ever. A refused client would be refused again, whatever it shows, and
    what has no word for it (no answer, a redirect, a firewall's page) doesn't speak of the token.
    """
    if not isinstance(outcome, Refused) or not outcome.permanent:
        return False
    return outcome.error not in ("", "invalid_client")


def _may_be_old(outcome: Grant | Refused | None) -> bool:
    return isinstance(outcome, Refused) and outcome.of_secret
