"""The installation: how it is, who changed what, its keys, what holds for all journeys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from engine.access.roles import Permission
from engine.api.management.calling import Backend, Caller, allowed
from engine.api.management.shown import (
    Cursor,
    Deleted,
    Given,
    Instant,
    Limit,
    Line,
    Page,
    Shown,
    Since,
    decoded,
    page_of,
    since_of,
)
from engine.audit.store import changes
from engine.credentials.kek import LocalKek, find_kek
from engine.endpoints import contact_policy
from engine.endpoints.file import read_file
from engine.operations import apply, delete, key_status, keys, store
from engine.operations.plain_data import plain_data
from engine.operations.running import parted, running
from engine.processes.duties import DUTIES
from engine.users.catalogue import load_catalogue

router = APIRouter()

Insists = Annotated[
    bool, Query(description="Though it is named: checks of those journeys then warn of it.")
]
_WHEN = {duty.name: str(duty.when) for duty in DUTIES}
_CALLED = "endpoints.yaml"


class Change(Shown):
    """Who changed what, when; fields by name, never by value."""

    id: int
    at: Instant
    actor: str
    verb: str
    kind: str
    name: str
    fields: str


class ApplyFile(Given):
    """The text of a file for `journey apply`. It holds no secret; `{seal_from_env: NAME}` and
    `{env: NAME}` mean variables of this server, `{file: NAME}` its files.
    """

    text: Annotated[str, Field(description="YAML: endpoints, auth_profiles, and so on.")]
    dry_run: Annotated[bool, Field(description="Only say what would change.")] = False
    take_secrets: Annotated[bool, Field(description="Put back what was rotated away.")] = False


class Applied(Shown):
    """What became of one entry; `fields` and `notes` never hold a value."""

    kind: str
    name: str
    verb: Literal["created", "changed", "removed", "unchanged"]
    fields: list[str]
    notes: list[str]


class AppliedFile(Shown):
    """What became of each entry, in the file's order."""

    dry_run: bool
    changes: list[Applied]


class Retiring(Given):
    """Which data key is to be destroyed; without `key` every one that nothing needs any more."""

    key: Line | None = None


class Retired(Shown):
    """The data keys that are gone."""

    keys: list[str]


@router.get("/health", tags=["installation"])
def show_health(caller: Caller = allowed(Permission.SYSTEM_READ)) -> dict[str, Any]:
    """What runs on this database and how it is, what `ended` without saying so or for a bug, and
    the duties with a clock.
    """
    with caller.backend.database.read() as connection:
        checks = list(running(connection, caller.now))
        duties, (alive, ended) = store.duties(connection), parted(store.processes(connection))
    return {
        "checks": plain_data(checks),
        "processes": plain_data(alive),
        "ended": [plain_data(each) | {"ended": how} for each, how in ended],
        "duties": [plain_data(each) | {"when": _WHEN.get(each.name, "")} for each in duties],
    }


@router.get("/audit", tags=["installation"])
def list_changes(
    since: Since = None,
    actor: Annotated[Line, Query(description="Made by whom.")] = "",
    text: Annotated[Line, Query(description="In the verb, kind, name or fields.")] = "",
    order: Annotated[Literal["oldest", "newest"], Query(description="Which first.")] = "oldest",
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.AUDIT_READ),
) -> Page[Change]:
    """Who changed what."""
    start, after = since_of(since, caller.now) or 0, decoded(cursor, int)
    newest = limit + 1 if order == "newest" else None
    with caller.backend.database.read() as connection:
        found = changes(connection, since=start, actor=actor, what=text, newest=newest, after=after)
        return page_of(found, Change.model_validate, lambda one: one.id, limit)


@router.get("/contact-policy", tags=["installation"])
def show_contact_policy(caller: Caller = allowed(Permission.JOURNEYS_READ)) -> dict[str, Any]:
    """Whom calls reach, when, how often: one for all journeys; `policy` is null where none holds.
    `apply` changes it.
    """
    with caller.backend.database.read() as connection:
        found = contact_policy.load(connection)
    policy = None if found.policy is None else contact_policy.written(found.policy)
    return {"version": found.version, "policy": policy}


@router.get("/catalogue", tags=["installation"])
def show_catalogue(caller: Caller = allowed(Permission.JOURNEYS_READ)) -> dict[str, Any]:
    """The attributes and events that are declared. `apply` declares them."""
    with caller.backend.database.read() as connection:
        found: dict[str, Any] = load_catalogue(connection).model_dump(mode="json")
    return found


@router.delete("/catalogue/attributes/{name}", tags=["installation"])
def delete_attribute(
    name: Annotated[str, Path(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")],
    force: Insists = False,
    caller: Caller = allowed(Permission.JOURNEYS_WRITE),
) -> Deleted:
    """Declare an attribute no more; refused while journeys name it. What users have of it stays."""
    with caller.backend.database.write() as connection:
        used = delete.delete_attribute(
            connection, name, force=force, actor=caller.actor, now=caller.now
        )
    return Deleted(used_by=list(used), notes=[])


@router.delete("/catalogue/events/{name:path}", tags=["installation"])
def delete_event(
    name: Annotated[str, Path(max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")],
    force: Insists = False,
    caller: Caller = allowed(Permission.JOURNEYS_WRITE),
) -> Deleted:
    """Declare an event no more; refused while journeys name it. It comes in all the same."""
    with caller.backend.database.write() as connection:
        used = delete.delete_event(
            connection, name, force=force, actor=caller.actor, now=caller.now
        )
    return Deleted(used_by=list(used), notes=[])


@router.post("/apply", tags=["installation"])
def apply_file(
    given: ApplyFile, caller: Caller = allowed(Permission.PROFILES_WRITE)
) -> AppliedFile:
    """Create and update endpoints, auth profiles, contact policy and the catalogue: all of it, or
    nothing. Doing it twice changes nothing; what isn't in the file stays.
    """
    for each in (Permission.ENDPOINTS_WRITE, Permission.ENDPOINTS_AUTH, Permission.JOURNEYS_WRITE):
        caller.require(each)
    backend = caller.backend
    written = read_file(given.text.encode(), _CALLED, egress=backend.egress)
    rehearses = given.dry_run
    vault = apply.rehearsal_vault(backend.database, backend.vault) if rehearses else backend.vault()
    means = apply.Keys(vault, backend.references, backend.egress, given.take_secrets)
    done = apply.apply(
        backend.database, means, written, actor=caller.actor, now=caller.now, dry_run=rehearses
    )
    return AppliedFile(dry_run=rehearses, changes=[Applied.model_validate(one) for one in done])


@router.get("/keys", tags=["keys"])
def show_keys(caller: Caller = allowed(Permission.KEYS_READ)) -> dict[str, Any]:
    """Each data key: its state, how many values are sealed under it, whether it opens. `strays` are
    values under keys that are gone.
    """
    kek = _kek(caller.backend)
    with caller.backend.database.read() as connection:
        found: dict[str, Any] = plain_data(key_status.status(connection, kek))
    return found


@router.post("/keys/rotate", tags=["keys"])
def rotate_keys(caller: Caller = allowed(Permission.KEYS_WRITE)) -> dict[str, Any]:
    """Seal every secret and token anew under a fresh data key. `unreadable` names what couldn't be
    opened, and has to be set again.
    """
    database, kek = caller.backend.database, _kek(caller.backend)
    done = keys.rotate(database, kek, actor=caller.actor, now=caller.now)
    with database.read() as connection:
        names = keys.names_of(connection, done)
    told = {"key": done.key, "resumed": done.resumed, "values": done.values}
    return told | {"unreadable": names}


@router.post("/keys/retire", tags=["keys"])
def retire_keys(
    given: Retiring | None = None, caller: Caller = allowed(Permission.KEYS_WRITE)
) -> Retired:
    """Destroy data keys that nothing needs any more; refused for one that is needed."""
    _kek(caller.backend)
    which = (given or Retiring()).key
    gone = keys.retire(caller.backend.database, key_id=which, actor=caller.actor, now=caller.now)
    return Retired(keys=list(gone))


def _kek(backend: Backend) -> LocalKek:
    """The key-encryption key, once the ring was seen to open. Raises SettingsError, and NotFound
    where there is no ring yet.
    """
    with backend.database.read() as connection:
        key_status.require_ring(connection)
    backend.vault()
    found = find_kek(backend.settings)
    assert found is not None  # noqa: S101  opening the vault has found it
    return found
