"""What lets in and what came of it: API tokens, hooks, failed calls, the audit log."""

from __future__ import annotations

import json
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from engine.access import issuing
from engine.access.roles import Permission
from engine.api.management.calling import Caller, allowed
from engine.api.management.people import Since, instant_of
from engine.api.management.shown import (
    INT64,
    Cursor,
    Given,
    Instant,
    Limit,
    Line,
    Page,
    SecretText,
    Shown,
    decoded,
    encoded,
)
from engine.audit.store import changes
from engine.enrollments.calls import CallFilter, ListedCall, listed
from engine.hooks import keeping
from engine.hooks import store as hook_store
from engine.operations.plain_data import plain_data
from engine.operations.redrive import by_failure, mark
from engine.telemetry.redact import known_secrets

router = APIRouter()

TokenName = Annotated[str, Path(max_length=100, pattern=r"^[0-9A-Za-z][0-9A-Za-z_.-]*$")]
HookName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Expression = Annotated[str, Field(min_length=1, max_length=2_000)]
_DAY_US = 86_400_000_000


class NewToken(Given):
    """A token to be made."""

    name: Annotated[str, Field(max_length=100)]
    kind: Literal["user_data", "journeys", "admin"]
    expires_in_days: Annotated[int | None, Field(ge=1, le=3650)] = None


class TokenRotation(Given):
    """For `overlap_s` seconds the secret before is let in, too."""

    overlap_s: Annotated[int, Field(ge=0, le=90 * 86_400)] = 0


class IssuedToken(Shown):
    """A token's secret: shown now, and never again."""

    id: int = Field(validation_alias="token_id")
    name: str
    kind: str
    token: str = Field(validation_alias="text")
    expires_at: Instant | None


class HookGiven(Given):
    """What is to be set of a hook; what isn't named stays."""

    preset: Literal["standard", "github", "stripe", "shopify"] | None = None
    user: Expression | None = None
    event: Expression | None = None
    when: Expression | None = None
    properties: dict[str, Any] | None = None
    secret: SecretText | None = None


class HookRotation(Given):
    """A hook's next secret. For `overlap_s` seconds the one before is good, too."""

    secret: SecretText
    overlap_s: Annotated[int, Field(ge=0, le=90 * 86_400)] = 0


class Calls(Given):
    """Which failed calls are meant; what isn't named doesn't matter."""

    journey: Line | None = None
    endpoint: Line | None = None
    step: Line | None = None
    code: Line | None = None
    since: Line | None = None


class Redriving(Calls):
    """Failed calls that are to be sent again; `dry` only counts them."""

    dry: bool = True
    apply_outputs: bool = False


class Change(Shown):
    """Who changed what, when; fields by name, never by value."""

    at: Instant
    actor: str
    verb: str
    kind: str
    name: str
    fields: str


@router.get("/tokens", tags=["tokens"])
def list_tokens(
    ended: bool = False, caller: Caller = allowed(Permission.TOKENS_READ)
) -> Page[dict[str, Any]]:
    """The live API tokens, masked; with `ended` those too that nobody is let in by any more."""
    with caller.backend.database.read() as connection:
        found = issuing.listed(connection, caller.now, ended=ended)
    return Page(items=[plain_data(one) for one in found])


@router.post("/tokens", status_code=201, tags=["tokens"])
def create_token(given: NewToken, caller: Caller = allowed(Permission.TOKENS_WRITE)) -> IssuedToken:
    """Make an API token. It is shown now, and never again."""
    now, days = caller.now, given.expires_in_days
    ends = None if days is None else now + days * _DAY_US
    with caller.backend.database.write() as connection:
        made = issuing.create(
            connection, given.name, given.kind, actor=caller.actor, now=now, expires_at=ends
        )
    return IssuedToken.model_validate(made)


@router.post("/tokens/{name}/rotate", tags=["tokens"])
def rotate_token(
    name: TokenName,
    given: TokenRotation | None = None,
    caller: Caller = allowed(Permission.TOKENS_WRITE),
) -> IssuedToken:
    """Give a token another secret."""
    overlap = (given or TokenRotation()).overlap_s * 1_000_000
    with caller.backend.database.write() as connection:
        made = issuing.rotate(connection, name, actor=caller.actor, now=caller.now, overlap=overlap)
    return IssuedToken.model_validate(made)


@router.delete("/tokens/{name}", status_code=204, tags=["tokens"])
def revoke_token(name: TokenName, caller: Caller = allowed(Permission.TOKENS_WRITE)) -> None:
    """End a token: within a second it lets nobody in, anywhere."""
    with caller.backend.database.write() as connection:
        issuing.revoke(connection, name, actor=caller.actor, now=caller.now)


@router.get("/hooks", tags=["hooks"])
def list_hooks(caller: Caller = allowed(Permission.HOOKS_READ)) -> Page[dict[str, Any]]:
    """The hooks with their mappings; never a secret."""
    with caller.backend.database.read() as connection:
        return Page(items=[_hook(one) for one in hook_store.every(connection)])


@router.put("/hooks/{name}", tags=["hooks"])
def put_hook(
    name: HookName, given: HookGiven, caller: Caller = allowed(Permission.HOOKS_WRITE)
) -> dict[str, Any]:
    """Create a hook, or change what is named. It is served at `/hooks/NAME`."""
    secret = None if given.secret is None else given.secret.get_secret_value()
    known_secrets.learn(() if secret is None else (secret,))
    edit = keeping.HookEdit(
        given.preset, given.user, given.event, given.when, given.properties, secret
    )
    vault = caller.backend.vault()
    with caller.backend.database.write() as connection:
        actor, now = caller.actor, caller.now
        created = keeping.set_hook(connection, vault, name, edit, actor=actor, now=now)
        return {"created": created, **_hook(keeping.require(connection, name))}


@router.post("/hooks/{name}/rotate", status_code=204, tags=["hooks"])
def rotate_hook(
    name: HookName, given: HookRotation, caller: Caller = allowed(Permission.HOOKS_WRITE)
) -> None:
    """Replace a hook's secret."""
    secret, vault = given.secret.get_secret_value(), caller.backend.vault()
    known_secrets.learn((secret,))
    overlap = given.overlap_s * 1_000_000
    with caller.backend.database.write() as connection:
        actor, now = caller.actor, caller.now
        keeping.rotate(connection, vault, name, secret, overlap_us=overlap, actor=actor, now=now)


@router.delete("/hooks/{name}", status_code=204, tags=["hooks"])
def delete_hook(name: HookName, caller: Caller = allowed(Permission.HOOKS_WRITE)) -> None:
    """Delete a hook: what is sent to it from now on is answered 404."""
    with caller.backend.database.write() as connection:
        keeping.delete(connection, name, actor=caller.actor, now=caller.now)


@router.get("/calls", tags=["calls"])
def list_calls(
    failed: bool = False,
    journey: Annotated[Line | None, Query(min_length=1)] = None,
    endpoint: Annotated[Line | None, Query(min_length=1)] = None,
    step: Annotated[Line | None, Query(min_length=1)] = None,
    code: Annotated[
        Line | None, Query(min_length=1, description="The last failure, as call.timed_out.")
    ] = None,
    since: Since = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.CALLS_READ),
) -> Page[dict[str, Any]]:
    """Calls that are to be made, or failed for good."""
    start = 0 if cursor is None else decoded(cursor, int)
    wanted = CallFilter(failed, journey, endpoint, step, code, _since(since))
    with caller.backend.database.read() as connection:
        found = listed(connection, wanted, caller.backend.versions)
        return _from_place(found, start, limit, _call)


@router.post("/calls/redrive", tags=["calls"])
def redrive_calls(
    given: Redriving, caller: Caller = allowed(Permission.CALLS_REDRIVE)
) -> dict[str, Any]:
    """Send failed calls again, with the same key and bytes and a fresh credential: the worker that
    runs does it. A dry one says how many it would be, by step and failure.
    """
    wanted = CallFilter(
        True, given.journey, given.endpoint, given.step, given.code, _since(given.since)
    )
    database = caller.backend.database
    with database.read() as connection:
        found = list(listed(connection, wanted, caller.backend.versions))
    marked = 0
    if found and not given.dry:
        outputs, actor = given.apply_outputs, caller.actor
        marked = mark(database, found, apply_outputs=outputs, actor=actor, now=caller.now)
    return {"calls": len(found), "by": plain_data(by_failure(found)), "marked": marked}


@router.get("/audit", tags=["audit"])
def list_changes(
    since: Since = None,
    actor: Annotated[Line, Query()] = "",
    text: Annotated[Line, Query(description="In the verb, kind, name or fields.")] = "",
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.AUDIT_READ),
) -> Page[Change]:
    """Who changed what, the oldest first."""
    start = 0 if cursor is None else decoded(cursor, int)
    with caller.backend.database.read() as connection:
        found = changes(connection, since=_since(since) or 0, actor=actor, what=text)
        return _from_place(found, start, limit, Change.model_validate)


def _since(text: str | None) -> int | None:
    return None if text is None else min(max(instant_of(text), 0), INT64)


def _from_place(records: Any, start: int, limit: int, shown: Any) -> Page[Any]:
    """A page of a list that only grows at its end, by the number of the record it begins at."""
    found = list(islice(records, start, start + limit + 1))
    more = encoded(start + limit) if len(found) > limit else None
    return Page(items=[shown(one) for one in found[:limit]], next=more)


def _call(call: ListedCall) -> dict[str, Any]:
    shown: dict[str, Any] = plain_data(call)
    _, _, _, shown["visit"], shown["redrive"] = shown.pop("place")
    return shown


def _hook(stored: hook_store.StoredHook) -> dict[str, Any]:
    shown: dict[str, Any] = plain_data(stored)
    kept = {key: shown[key] for key in ("name", "preset", "changed_at", "previous_until")}
    mapping: dict[str, Any] = json.loads(stored.mapping)
    return kept | mapping
