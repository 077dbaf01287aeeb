"""Opening the vault of an installation when a process starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.audit.store import record
from engine.clock import wall
from engine.credentials.kek import LocalKek, find_kek, make_kek
from engine.credentials.kek_file import SETTING, kek_path
from engine.credentials.key_ring import FINGERPRINTS, WrongKek, new_fingerprint_key, new_key
from engine.credentials.store.keys import add_data_key, data_keys
from engine.credentials.store.sealed import any_sealed
from engine.credentials.vault import Vault
from engine.errors import SettingsError

if TYPE_CHECKING:
    from engine.credentials.key_ring import WrappedKey
    from engine.db.connect import Connection, Database
    from engine.settings import Settings

_ENGINE = "engine"
_TRIES = 3


@dataclass(frozen=True, slots=True)
class OpenedVault:
    """The vault, and one line to tell the operator ('' if there is nothing to tell).

    ``made`` says that the key ring was made just now.
    """

    vault: Vault
    notice: str = ""
    made: bool = False


def open_vault(database: Database, settings: Settings, *, actor: str = _ENGINE) -> OpenedVault:
    """The vault of this installation; the first time, its keys are made (and ``actor`` made them).

    A key-encryption key is made only where there is neither one nor a data key. Raises
    :class:`SettingsError` (exit 78) where data keys or sealed values stand in the database and the
    key-encryption key is missing or another one.
    """
    for left in range(_TRIES - 1, -1, -1):
        with database.read() as connection:
            keys = data_keys(connection)
            sealed = any_sealed(connection)
        kek = find_kek(settings)
        if not keys:
            return _made(database, settings, kek, sealed, actor)
        if kek is None:
            raise _missing(settings)
        try:
            return OpenedVault(Vault(kek, _with_fingerprints(database, kek, keys)))
        except WrongKek:
            if left == 0:  # else it may have been replaced between the two reads
                raise
    raise AssertionError("unreachable")


def require_key(database: Database, settings: Settings) -> None:
    """Raise SettingsError, as :func:`open_vault`, where what is sealed can't be opened; nothing
    is made where nothing is.
    """
    with database.read() as connection:
        something = bool(data_keys(connection)) or any_sealed(connection)
    if something:
        open_vault(database, settings)


def _made(
    database: Database, settings: Settings, kek: LocalKek | None, sealed: bool, actor: str
) -> OpenedVault:
    if sealed:
        raise SettingsError(
            "this database holds sealed secrets and its key ring is gone: restore it from a backup",
            code="settings.keys",
        )
    notice = ""
    if kek is None:
        kek = make_kek(settings)
        notice = (
            f"made the key that seals secrets: {kek_path(settings)};"
            " keep a copy apart from the database, without it no secret can be read"
        )
    with database.write() as connection:
        made = not data_keys(connection)
        if made:
            _add(connection, new_key(kek), actor)
            _add(connection, new_fingerprint_key(kek), actor)
        keys = data_keys(connection)
    return OpenedVault(Vault(kek, keys), notice, made)


def _with_fingerprints(
    database: Database, kek: LocalKek, keys: tuple[WrappedKey, ...]
) -> tuple[WrappedKey, ...]:
    """The ring with the key of fingerprints, which it lacks where an older version made it."""
    if any(key.id == FINGERPRINTS for key in keys):
        return keys
    Vault(kek, keys)  # a wrong key-encryption key derives a wrong one
    with database.write() as connection:
        keys = data_keys(connection)
        if all(key.id != FINGERPRINTS for key in keys):
            _add(connection, new_fingerprint_key(kek, kek.first_fingerprint_key()), _ENGINE)
        return data_keys(connection)


def _add(connection: Connection, key: WrappedKey, actor: str) -> None:
    now = wall()
    add_data_key(connection, key, now)
    record(connection, now, actor, "create", "key", key.id, ("state",))


def _missing(settings: Settings) -> SettingsError:
    return SettingsError(
        f"this database holds sealed secrets and their key is missing: put the key file"
        f" back to {kek_path(settings)}, or set JOURNEY_KEK",
        code=SETTING,
    )
