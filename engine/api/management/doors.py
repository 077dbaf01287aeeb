"""What lets in: API tokens, and hooks."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from engine.access import issuing
from engine.access.roles import Permission
from engine.api.management.calling import Caller, allowed
from engine.api.management.shown import (
    Cursor,
    Given,
    IfMatch,
    Instant,
    Limit,
    Page,
    SecretText,
    Shown,
    decoded,
    page_of,
    seen_of,
    sorted_page,
    tag_with,
)
from engine.hooks import deliveries, keeping
from engine.hooks import store as hook_store
from engine.operations.marks import hook_mark, require_same
from engine.operations.plain_data import plain_data
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
    """For `overlap_s` seconds the secret before is let in, too. Unless said, the new one lives as
    long as that was given.
    """

    overlap_s: Annotated[int, Field(ge=0, le=90 * 86_400)] = 0
    expires_in_days: Annotated[int | None, Field(ge=1, le=3650)] = None


class IssuedToken(Shown):
    """A token's secret: shown now, and never again."""

    id: int = Field(validation_alias="token_id")
    name: str
    kind: str
    token: str = Field(validation_alias="text")
    expires_at: Instant | None
    previous_until: Instant | None


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


class HookDelivered(Shown):
    """What came to a hook, and what became of it: its event was received (`event`: `seq` among the
    facts of `user`), `waits` to be, was counted already (`repeated`) or is `forgotten`; it is no
    event (`ignored`), or was `refused`. `size` are bytes.
    """

    id: int
    at: Instant
    result: Literal["event", "waits", "repeated", "forgotten", "ignored", "refused"]
    code: str | None
    detail: str | None
    size: int
    event: str | None
    message_id: str | None
    user: str | None
    seq: int | None


@router.get("/tokens", tags=["tokens"])
def list_tokens(
    ended: Annotated[bool, Query(description="Those too that let nobody in any more.")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.TOKENS_READ),
) -> Page[dict[str, Any]]:
    """The live API tokens, masked, in the order in which they were made."""
    start = decoded(cursor, int) or 0
    with caller.backend.database.read() as connection:
        found = issuing.listed(connection, caller.now, ended=ended)
    rest = sorted((one for one in found if one.id > start), key=lambda one: one.id)
    return page_of(rest, plain_data, lambda one: one.id, limit)


@router.post("/tokens", status_code=201, tags=["tokens"])
def create_token(given: NewToken, caller: Caller = allowed(Permission.TOKENS_WRITE)) -> IssuedToken:
    """Make an API token. It is shown now, and never again."""
    now = caller.now
    ends = _end(now, given.expires_in_days)
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
    asked, now = given or TokenRotation(), caller.now
    overlap, ends = asked.overlap_s * 1_000_000, _end(now, asked.expires_in_days)
    with caller.backend.database.write() as connection:
        made = issuing.rotate(
            connection, name, actor=caller.actor, now=now, overlap=overlap, expires_at=ends
        )
    return IssuedToken.model_validate(made)


@router.delete("/tokens/{name}", status_code=204, tags=["tokens"])
def revoke_token(
    name: TokenName,
    previous: Annotated[bool, Query(description="Only the secret before, in its overlap.")] = False,
    caller: Caller = allowed(Permission.TOKENS_WRITE),
) -> None:
    """End a token: within a second it lets nobody in, anywhere."""
    verb = issuing.revoke_previous if previous else issuing.revoke
    with caller.backend.database.write() as connection:
        verb(connection, name, actor=caller.actor, now=caller.now)


@router.get("/hooks", tags=["hooks"])
def list_hooks(
    limit: Limit = 100, cursor: Cursor = None, caller: Caller = allowed(Permission.HOOKS_READ)
) -> Page[dict[str, Any]]:
    """The hooks with their mappings, by name; never a secret."""
    with caller.backend.database.read() as connection:
        found = hook_store.every(connection)
    return sorted_page(found, _hook, lambda one: one.name, limit, cursor)


@router.get("/hooks/{name}", tags=["hooks"])
def show_hook(
    name: HookName, response: Response, caller: Caller = allowed(Permission.HOOKS_READ)
) -> dict[str, Any]:
    """One hook with its mapping; never a secret."""
    with caller.backend.database.read() as connection:
        stored = keeping.require(connection, name)
    tag_with(response, hook_mark(stored))
    return _hook(stored)


@router.get("/hooks/{name}/deliveries", tags=["hooks"])
def list_deliveries(
    name: HookName,
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.HOOKS_READ),
) -> Page[HookDelivered]:
    """What came to a hook, the newest first: the last 50 that were taken, and the last 50 that were
    refused; never a body. A new one is here within a second.
    """
    before = decoded(cursor, int)
    with caller.backend.database.read() as connection:
        hook = keeping.require(connection, name)
        found = deliveries.of_hook(connection, hook.id, before=before, most=limit + 1)
    return page_of(found, _delivered, lambda one: one.delivery.id, limit)


@router.put("/hooks/{name}", tags=["hooks"])
def put_hook(
    name: HookName,
    given: HookGiven,
    response: Response,
    if_match: IfMatch = None,
    caller: Caller = allowed(Permission.HOOKS_WRITE),
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
        before = hook_store.find(connection, name)
        require_same(f"hook {name}", seen_of(if_match), hook_mark(before))
        created = keeping.set_hook(connection, vault, name, edit, actor=actor, now=now)
        stored = keeping.require(connection, name)
    tag_with(response, hook_mark(stored))
    return {"created": created, **_hook(stored)}


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


def _end(now: int, days: int | None) -> int | None:
    return None if days is None else now + days * _DAY_US


def _delivered(one: deliveries.Became) -> HookDelivered:
    came = one.delivery
    return HookDelivered(
        id=came.id,
        at=came.at,
        result=one.result,
        code=came.code or None,
        detail=came.detail or None,
        size=came.size,
        event=came.event,
        message_id=came.message_id,
        user=one.user,
        seq=one.seq,
    )


def _hook(stored: hook_store.StoredHook) -> dict[str, Any]:
    shown: dict[str, Any] = plain_data(stored)
    kept = {key: shown[key] for key in ("name", "preset", "changed_at", "previous_until")}
    mapping: dict[str, Any] = json.loads(stored.mapping)
    return kept | mapping
