"""The key ring: the data keys that seal secrets, rotated and retired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access.roles import Permission
from engine.console.listing import as_csv, wants_csv
from engine.console.visit import Page, Redirected, Shown
from engine.credentials.kek import find_kek
from engine.errors import OperatorError
from engine.operations import keys
from engine.operations.key_status import status
from engine.operations.tables import instant

if TYPE_CHECKING:
    from engine.console.visit import Reply, Visit
    from engine.operations.key_status import KeyStatus
    from engine.operations.keys import Rotated

_COLUMNS = ("id", "state", "made_at", "values", "opens")


def _show(visit: Visit) -> Reply:
    kek = find_kek(visit.means.settings)
    found: tuple[KeyStatus, ...] = ()
    strays = 0
    if kek is not None:
        with visit.means.database.read() as connection:
            ring = status(connection, kek)
        found, strays = ring.keys, ring.strays
    if wants_csv(visit):
        return as_csv("keys", map(_row, found), _COLUMNS)
    values = {
        "found": found,
        "kek": None if kek is None else kek.name,
        "lost": strays + sum(each.values for each in found if each.opens is False),
        "spare": [each for each in found if each.state == "decrypt_only" and not each.values],
    }
    return Shown("keys.html", values)


def _row(key: KeyStatus) -> dict[str, object]:
    return {
        "id": key.id,
        "state": key.state,
        "made_at": instant(key.made_at),
        "values": key.values,
        "opens": key.opens,
    }


def _rotate(visit: Visit) -> Reply:
    means = visit.means
    means.vault()  # the ring is there, and opens
    kek = find_kek(means.settings)
    if kek is None:
        raise OperatorError("there is no key-encryption key yet: `journey keys init` makes it")
    done = keys.rotate(means.database, kek, actor=visit.actor, now=visit.now)
    return Redirected("/keys", _said(done), bad=bool(done.unreadable))


def _said(done: Rotated) -> str:
    what = "A rotation that was stopped is done" if done.resumed else "Rotated"
    said = f"{what}: {done.values:,} values are sealed anew, under {done.key}"
    if not done.unreadable:
        return said
    return f"{said}; {len(done.unreadable):,} don't open and have to be set again"


def _retire(visit: Visit) -> Reply:
    gone = keys.retire(visit.means.database, key_id=None, actor=visit.actor, now=visit.now)
    if not gone:
        return Redirected("/keys", "No data key could be retired: each is still needed", bad=True)
    return Redirected("/keys", f"Retired: nothing opens with {', '.join(gone)} any more")


PAGES = (
    Page("GET", "/keys", Permission.KEYS_READ, _show),
    Page("POST", "/keys/rotate", Permission.KEYS_WRITE, _rotate),
    Page("POST", "/keys/retire", Permission.KEYS_WRITE, _retire),
)
