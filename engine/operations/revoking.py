"""Revoking the access token of a profile that is deleted: the server is told, after the commit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.credentials.access_tokens.ask import TokenServers
from engine.credentials.access_tokens.revocable import has_tokens, open_tokens
from engine.credentials.access_tokens.revoke import revoke as tell
from engine.endpoints.store import find
from engine.errors import SettingsError
from engine.telemetry.redact import known_secrets
from engine.wire.http_transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.credentials.access_tokens.revoke import Revocable
    from engine.credentials.references import References
    from engine.credentials.vault import Vault
    from engine.db.connect import Connection
    from engine.wire.egress import Egress


def revocable(
    connection: Connection, vault: Callable[[], Vault], references: References, name: str
) -> Revocable | None:
    """The tokens of the profile ``name``, opened while they are still there; None for none."""
    if not has_tokens(connection, name):
        return None
    try:
        opened = vault()
    except SettingsError:
        return None  # a lost key keeps nobody from deleting what it sealed
    return open_tokens(connection, opened, references, name)


def revocable_of_endpoint(
    connection: Connection, vault: Callable[[], Vault], references: References, endpoint: str
) -> Revocable | None:
    """The same of the profile that is the endpoint's own."""
    stored = find(connection, endpoint)
    own = stored is not None and stored.inline and stored.endpoint.auth == endpoint
    return revocable(connection, vault, references, endpoint) if own else None


def revoke(egress: Egress, tokens: Revocable) -> str:
    """Tell the token server; what came of it, in words. For a thread without an event loop."""

    async def scenario() -> str:
        transport = HttpTransport(egress)
        try:
            return await tell(TokenServers(transport, known_secrets), tokens)
        finally:
            await transport.close()

    return asyncio.run(scenario())
