"""Telling the token server that tokens are good no more (RFC 7009), when their profile goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.credentials.access_tokens.answer import Refused
from engine.credentials.access_tokens.ask import network_of
from engine.credentials.access_tokens.request import revocation_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.credentials.access_tokens.ask import TokenServers
    from engine.credentials.kinds.oauth2 import OAuth2


@dataclass(frozen=True, slots=True)
class Revocable:
    """The tokens of a profile that was deleted, and what it takes to revoke them. Secret."""

    profile: OAuth2
    values: Mapping[str, str] = field(repr=False)
    access_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)


async def revoke(servers: TokenServers, of: Revocable) -> str:
    """Revoke both tokens, the refresh token first, and say in words how it went; never raises for
    what the server does. A token that it doesn't know counts as revoked (RFC 7009, 2.2).
    """
    network = network_of(of.profile, of.values)
    server = await servers.discovery.server(of.profile, network)
    if isinstance(server, Refused) or server.revocation_url is None:
        return "its access token ends by itself: no revocation_url is known"
    tokens = (("refresh_token", of.refresh_token), ("access_token", of.access_token))
    for hint, token in tokens:
        if token is None:
            continue
        answer = await servers.send(
            revocation_request(of.profile, server.revocation_url, of.values, token, hint), network
        )
        if answer.status != 200:
            what = f"answered {answer.status}" if answer.status else "gave no answer"
            return f"its access token ends by itself: the server {what} when told to revoke it"
    return "its access token was revoked"
