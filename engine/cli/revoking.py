"""Revoking the access token of a profile that is deleted, for commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.cli.context import Installation
    from engine.credentials.access_tokens.revoke import Revocable
    from engine.db.connect import Connection


def revocable(installation: Installation, connection: Connection, name: str) -> Revocable | None:
    """The tokens of the profile ``name``, opened while they are still there; None for none."""
    from engine.operations import revoking

    return revoking.revocable(connection, installation.vault, installation.references(), name)


def revocable_of_endpoint(
    installation: Installation, connection: Connection, endpoint: str
) -> Revocable | None:
    """The same of the profile that is the endpoint's own."""
    from engine.operations import revoking

    given = installation.vault, installation.references()
    return revoking.revocable_of_endpoint(connection, *given, endpoint)


def revoke(installation: Installation, tokens: Revocable | None) -> None:
    """Tell the token server, and the operator what came of it."""
    from engine.operations import revoking

    if tokens is not None:
        click.echo(f"  {revoking.revoke(installation.egress(), tokens)}", err=True)
