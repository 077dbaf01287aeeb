"""Opening the vault of an installation when a process starts."""

from __future__ import annotations

from dataclasses import dataclass

from engine.clock import wall
from engine.credentials.kek import find_kek, kek_path, make_kek
from engine.credentials.store.keys import add_data_key, data_keys
from engine.credentials.vault import Vault, new_key
from engine.db.connect import Database
from engine.errors import SettingsError
from engine.settings import Settings


@dataclass(frozen=True, slots=True)
class OpenedVault:
    """The vault, and one line to tell the operator ('' if there is nothing to tell)."""

    vault: Vault
    notice: str = ""


def open_vault(database: Database, settings: Settings) -> OpenedVault:
    """The vault of this installation; the first time, its keys are made.

    A key-encryption key is made only where there is neither one nor a data key. Raises
    :class:`SettingsError` (exit 78) where data keys stand in the database and the key-encryption
    key is missing or another one.
    """
    with database.read() as connection:
        keys = data_keys(connection)
    kek = find_kek(settings)
    if keys:
        if kek is None:
            raise SettingsError(
                f"this database holds sealed secrets and their key is missing: put the key file"
                f" back to {kek_path(settings)}, or set JOURNEY_KEK",
                code="settings.kek",
            )
        return OpenedVault(Vault(kek, keys))
    notice = ""
    if kek is None:
        kek = make_kek(settings)
        notice = (
            f"made the key that seals secrets: {kek_path(settings)};"
            " keep a copy apart from the database, without it no secret can be read"
        )
    with database.write() as connection:
        if not data_keys(connection):
            add_data_key(connection, new_key(kek), wall())
        keys = data_keys(connection)
    return OpenedVault(Vault(kek, keys), notice)
