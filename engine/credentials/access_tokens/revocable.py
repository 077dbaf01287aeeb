"""Taking the tokens of a profile out of the database before it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.credentials.access_tokens.revoke import Revocable
from engine.credentials.access_tokens.row import token_place
from engine.credentials.kinds.oauth2 import OAuth2
from engine.credentials.loaded import Loaded
from engine.credentials.store.profiles import profile_by_name
from engine.credentials.store.tokens import token_row
from engine.errors import CredentialFailure
from engine.telemetry.redact import known_secrets

if TYPE_CHECKING:
    from engine.credentials.references import References
    from engine.credentials.store.tokens import TokenRow
    from engine.credentials.vault import Vault
    from engine.db.connect import Connection


def has_tokens(connection: Connection, name: str) -> bool:
    """Whether a token of this profile is stored."""
    stored = profile_by_name(connection, name)
    if stored is None:
        return False
    row = token_row(connection, stored.id)
    return row.sealed_token is not None or row.sealed_refresh is not None


def open_tokens(
    connection: Connection, vault: Vault, references: References, name: str
) -> Revocable | None:
    """The tokens of the profile, and what it takes to revoke them; None where that doesn't open."""
    stored = profile_by_name(connection, name)
    if stored is None:
        return None
    loaded = Loaded(connection, stored, vault, references, known_secrets)
    row = token_row(connection, stored.id)
    try:
        values = loaded.opened_values()
    except CredentialFailure:
        return None
    if not isinstance(loaded.profile, OAuth2):
        return None
    access = _opened(connection, vault, stored.id, "access_token", row.sealed_token, row)
    refresh = _opened(connection, vault, stored.id, "refresh_token", row.sealed_refresh, row)
    known_secrets.learn(filter(None, (access, refresh)))
    return Revocable(loaded.profile, values, access, refresh)


def _opened(
    connection: Connection,
    vault: Vault,
    profile_id: int,
    name: str,
    sealed: str | None,
    row: TokenRow,
) -> str | None:
    try:
        return sealed and vault.open(
            connection, sealed, token_place(profile_id, name, row.sealed_fence)
        )
    except CredentialFailure:
        return None
