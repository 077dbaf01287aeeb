"""Renewing access tokens ahead of time.

A call renews a token that nears its end by itself, and goes on with the old one meanwhile. What is
renewed here are those that no call comes by for in time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.credentials.references import References
from engine.credentials.resolver import Resolver
from engine.errors import CredentialFailure
from engine.settings import environment
from engine.wire.egress import Egress
from engine.wire.http_transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.clock import Clock
    from engine.credentials.store.tokens import Renewable
    from engine.credentials.vault import Vault
    from engine.db.connect import Database
    from engine.settings import Settings


async def renew(
    database: Database,
    vault: Vault,
    settings: Settings,
    clock: Clock,
    due: Sequence[Renewable],
) -> list[str]:
    """Ask for a new token of each profile, unless another process does; their names.

    Raises CredentialFailure, telling every profile for which there is none, once all were tried.
    """
    transport = HttpTransport(Egress.parse(settings.egress_allow))
    references = References(environment(), settings.secret_folders)
    resolver = Resolver(database, vault, transport, clock, references)
    try:
        answers = await asyncio.gather(
            *(resolver.credential(each.profile_id, each.version) for each in due),
            return_exceptions=True,
        )
    finally:
        await resolver.close()
        await transport.close()
    failed = [answer for answer in answers if isinstance(answer, BaseException)]
    for failure in failed:
        if not isinstance(failure, CredentialFailure):
            raise failure
    if failed:
        raise CredentialFailure("; ".join(map(str, failed)))
    return [each.name for each in due]
