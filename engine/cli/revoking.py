"""Revoking the access token of a profile that is deleted: the server is told, after the commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.cli.context import Installation
    from engine.credentials.access_tokens.revoke import Revocable
    from engine.db.connect import Connection


def revocable(installation: Installation, connection: Connection, name: str) -> Revocable | None:
    """The tokens of the profile ``name``, opened while they are still there; None for none."""
    from engine.credentials.access_tokens.revocable import has_tokens, open_tokens
    from engine.errors import SettingsError

    if not has_tokens(connection, name):
        return None
    try:
        vault, references = installation.vault(), installation.references()
    except SettingsError:
        return None  # a lost key keeps nobody from deleting what it sealed
    return open_tokens(connection, vault, references, name)


def revocable_of_endpoint(
    installation: Installation, connection: Connection, endpoint: str
) -> Revocable | None:
    """The same of the profile that is the endpoint's own."""
    from engine.endpoints.store import find

    stored = find(connection, endpoint)
    own = stored is not None and stored.inline and stored.endpoint.auth == endpoint
    return revocable(installation, connection, endpoint) if own else None


def revoke(installation: Installation, tokens: Revocable | None) -> None:
    """Tell the token server, and the operator what came of it."""
    if tokens is None:
        return
    import asyncio

    from engine.credentials.access_tokens.ask import TokenServers
    from engine.credentials.access_tokens.revoke import revoke as tell
    from engine.telemetry.redact import known_secrets
    from engine.wire.http_transport import HttpTransport

    egress = installation.egress()

    async def scenario(of: Revocable) -> str:
        transport = HttpTransport(egress)
        try:
            return await tell(TokenServers(transport, known_secrets), of)
        finally:
            await transport.close()

    click.echo(f"  {asyncio.run(scenario(tokens))}", err=True)
