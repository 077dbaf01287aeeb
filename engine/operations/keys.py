"""The key ring's life: how it stands, rotating its data key, retiring old ones, another KEK.

A data key is ``pending`` once it is made, ``active`` once its stored form was read back and opened,
``decrypt_only`` once another one is active, and ``retired``, its content destroyed, once nothing is
sealed under it. Everything is done in short transactions that each leave a ring that works: whoever
is stopped between two of them goes on by giving the command again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.audit.store import record
from engine.credentials.kek import find_kek, given_successor, make_successor
from engine.credentials.kek_file import succeed
from engine.credentials.key_ring import FINGERPRINTS, KeyRing, new_key, unwrapped, wrapped
from engine.credentials.store import keys as store
from engine.credentials.store import sealed
from engine.errors import CredentialFailure, InUse, NotFound, OperatorError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from engine.credentials.kek import KeyEncryption, LocalKek
    from engine.credentials.key_ring import Place, WrappedKey
    from engine.credentials.store.sealed import SealedColumn, SealedValue
    from engine.db.connect import Connection, Database
    from engine.settings import Settings

_AUDITED = "key"
SET = 100
"""How many values are sealed anew in one transaction."""
_REST_S = 0.002
"""Between two sets others write: back-to-back commits keep them waiting."""


@dataclass(slots=True)
class Rotated:
    """What a rotation did: the active key, how many values were sealed anew, and those that
    couldn't be opened before. ``resumed`` says that it finished one that had been stopped.
    """

    key: str
    resumed: bool = False
    values: int = 0
    unreadable: list[Place] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Replaced:
    """What became of the key-encryption key: the new one's name, how many data keys were wrapped
    under it, and the file that keeps the former one (None: there was none, or it was done before).
    """

    name: str
    data_keys: int
    kept: Path | None


def names_of(connection: Connection, done: Rotated) -> list[str]:
    """Whose and which, as ``crm.password``, of what a rotation couldn't open."""
    found = [(sealed.owner_of(connection, place), place.field) for place in done.unreadable]
    return [f"{owner}.{field}" for owner, field in found if owner is not None]


def rotate(database: Database, kek: LocalKek, *, actor: str, now: int) -> Rotated:
    """Make another data key the active one and seal everything anew under it, in sets, while others
    work. A rotation that was stopped is finished, and no other one begun.

    Raises SettingsError where ``kek`` doesn't open the ring, and DatabaseUnavailable.
    """
    done = _resume(database, kek, actor, now)
    if done is not None:
        done.resumed = True
        return done
    with database.write() as connection:
        _make_pending(connection, kek, actor, now)
    done = _resume(database, kek, actor, now)
    if done is None:
        raise _overtaken()
    return done


def retire(database: Database, *, key_id: str | None, actor: str, now: int) -> tuple[str, ...]:
    """Destroy data keys that only decrypt and that no value needs; their ids.

    Raises NotFound for a ``key_id`` that isn't in the ring, InUse where it is still needed.
    """
    with database.write() as connection:
        counts = sealed.count_by_key(connection)
        ring = [k for k in store.data_keys(connection) if k.id != FINGERPRINTS]
        if key_id is not None:
            ring = [key for key in ring if key.id == key_id]
            _require_needless(key_id, ring, counts.get(key_id, 0))
        gone = [k.id for k in ring if k.state == "decrypt_only" and not counts.get(k.id)]
        for each in gone:
            store.destroy_key(connection, each)
            record(connection, now, actor, "retire", _AUDITED, each, ("state", "wrapped"))
    return tuple(gone)


def replace_kek(database: Database, settings: Settings, *, actor: str, now: int) -> Replaced:
    """Wrap the ring under another key-encryption key: that of JOURNEY_KEK_NEW, else a new one that
    takes the place of the present one's file. Sealed values stay as they are.

    Raises SettingsError where the present one doesn't open the ring, and OperatorError where it is
    from JOURNEY_KEK and no new one is given.
    """
    present = find_kek(settings)
    if present is None:
        raise OperatorError("there is no key-encryption key yet: `journey keys init` makes it")
    given = given_successor(settings)
    if given is None and settings.kek:
        raise OperatorError(
            "the key-encryption key is from JOURNEY_KEK: set JOURNEY_KEK_NEW (or its _FILE) to"
            " another 32 bytes in hex or base64, in every process, then give the command again"
        )
    successor = given or make_successor(settings)
    count = 0
    while True:
        with database.write() as connection:
            # A key is wrapped under the write lock: none comes before the file has its place.
            wrapped_now = _rewrap(connection, present, successor, actor, now)
            if not wrapped_now:
                kept = None if given else succeed(settings, now)
                return Replaced(successor.name, count, kept)
        count += wrapped_now


def _rewrap(
    connection: Connection, present: KeyEncryption, after: KeyEncryption, actor: str, now: int
) -> int:
    """Wrap under ``after`` what isn't yet; how many keys those were."""
    count = 0
    for key in store.data_keys(connection):
        if unwrapped(after, key) is not None:
            continue
        content = unwrapped(present, key)
        if content is None:
            raise SettingsError(
                f"the data key {key.id} doesn't open with the present key-encryption key:"
                " set JOURNEY_KEK to the one it was made with, or restore the database",
                code="settings.kek",
            )
        store.rewrap_key(connection, wrapped(after, key, content))
        record(connection, now, actor, "rewrap", _AUDITED, key.id, ("wrapped",))
        count += 1
    return count


def _resume(database: Database, kek: LocalKek, actor: str, now: int) -> Rotated | None:
    """Finish what was begun; None if there was nothing to finish."""
    with database.read() as connection:
        keys = store.data_keys(connection)
        ring = KeyRing(kek, keys)
    pending = [key.id for key in keys if key.state == "pending"]
    if pending:
        with database.write() as connection:
            _activate(connection, kek, pending[0], actor, now)
        with database.read() as connection:
            ring = KeyRing(kek, store.data_keys(connection), ring.opened)
    done = Rotated(ring.active)
    for column in sealed.COLUMNS:
        for values in _sets(database, column, ring.active):
            _seal_anew(database, column, ring, values, done)
    return done if ring.active in pending or done.values else None


def _make_pending(connection: Connection, kek: LocalKek, actor: str, now: int) -> None:
    keys = store.data_keys(connection)
    if any(key.state == "pending" for key in keys):
        return
    key = new_key(_in_force(kek, keys), "pending")
    store.add_data_key(connection, key, now)
    record(connection, now, actor, "create", _AUDITED, key.id, ("state",))


def _in_force(kek: LocalKek, keys: Sequence[WrappedKey]) -> KeyEncryption:
    """Of a KEK and its successor the one that the active key is wrapped under."""
    active = next(key for key in keys if key.state == "active" and key.id != FINGERPRINTS)
    return next((one for one in kek.each() if unwrapped(one, active) is not None), kek)


def _activate(
    connection: Connection, kek: KeyEncryption, key_id: str, actor: str, now: int
) -> None:
    """Make a pending key the active one, once what is stored of it has been seen to open."""
    keys = {key.id: key for key in store.data_keys(connection)}
    if keys[key_id].state != "pending":
        return  # another process was faster
    if unwrapped(kek, keys[key_id]) is None:
        store.destroy_key(connection, key_id)
        record(connection, now, actor, "retire", _AUDITED, key_id, ("state", "wrapped"))
        return
    for key in keys.values():
        if key.state == "active" and key.id != FINGERPRINTS:
            store.move_key(connection, key.id, "active", "decrypt_only")
            record(connection, now, actor, "rotate", _AUDITED, key.id, ("state",))
    store.move_key(connection, key_id, "pending", "active")
    record(connection, now, actor, "activate", _AUDITED, key_id, ("state",))


def _sets(database: Database, column: SealedColumn, active: str) -> Iterator[list[SealedValue]]:
    """What of a column isn't under the active key, set by set."""
    after = 0
    while True:
        with database.read() as connection:
            values = sealed.sealed_values(
                connection, column, not_under=active, after=after, most=SET
            )
        if not values:
            return
        yield values
        after = values[-1].row
        time.sleep(_REST_S)


def _seal_anew(
    database: Database,
    column: SealedColumn,
    ring: KeyRing,
    values: Sequence[SealedValue],
    done: Rotated,
) -> None:
    """Seal a set anew: each value only if it is still the one that was read."""
    anew: list[tuple[SealedValue, str | None]] = []
    for each in values:
        try:
            anew.append((each, ring.seal(ring.open(each.sealed, each.place), each.place)))
        except CredentialFailure:
            if column.forgettable:
                anew.append((each, None))
            else:
                done.unreadable.append(each.place)
    with database.write() as connection:
        if not store.is_active(connection, ring.active):
            raise _overtaken()
        for each, text in anew:
            done.values += sealed.replace_sealed(connection, column, each, text)


def _overtaken() -> OperatorError:
    return OperatorError(
        "another rotation of the keys is under way: run the command again when it is done",
        code="keys.overtaken",
    )


def _require_needless(key_id: str, ring: Sequence[WrappedKey], values: int) -> None:
    if not ring:
        raise NotFound(f"there is no data key {key_id} in the ring; see `journey keys status`")
    if ring[0].state != "decrypt_only":
        raise InUse(
            f"the data key {key_id} is {ring[0].state}: `journey keys rotate` puts another one in"
            " its place"
        )
    if values:
        raise InUse(
            f"{values} values are sealed under the data key {key_id}: `journey keys rotate` seals"
            " them anew, and those that it names must be set again"
        )
