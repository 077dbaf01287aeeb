"""Users: who is known, importing many of them, erasing one."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Path, Query, Request, Response

from engine.access.roles import Permission
from engine.api.management.calling import Caller, allowed
from engine.api.management.shown import (
    Cursor,
    Limit,
    Line,
    Page,
    ProblemShown,
    Shown,
    decoded,
    page_of,
)
from engine.api.problems import Refused
from engine.api.spooling import spooled
from engine.core import guarded_json
from engine.db.vacuum import wipe_beside_others
from engine.errors import NotFound, OperatorError
from engine.operations import erase
from engine.operations.cursors import cursor_of
from engine.operations.import_users import Imported, import_users
from engine.operations.search_users import fitting, wanted_of
from engine.users import store
from engine.users.source import Source

router = APIRouter(prefix="/users", tags=["users"])

IMPORT = "/users/import"
"""The route whose body is a file, and isn't held in memory."""
LARGEST_FILE = 256 * 1024 * 1024
"""Bytes of it, unpacked."""
_ERASING_S = 10.0
_LINES = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")
_FILES = {"text/csv": "body.csv", **dict.fromkeys(_LINES, "body.jsonl")}
_EXAMPLE = {"id": "ada", "timezone": "Europe/Istanbul", "attributes": {"plan": "pro"}}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "array", "items": {"type": "object"}},
                "example": [_EXAMPLE],
            },
            "application/x-ndjson": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}, "example": "id,plan\nada,pro\n"},
        },
    }
}

UserPath = Annotated[str, Path(min_length=1, max_length=255)]


class User(Shown):
    """A user as he stands now."""

    id: str
    timezone: str | None
    attributes: dict[str, Any]


class LinkedUser(User):
    """A user; `anonymous` are the anonymous users who turned out to be this one."""

    anonymous: list[str]


class ImportDone(Shown):
    """How many users were told of; how many bad rows were left out, and the first of those."""

    accepted: int
    skipped: int
    problems: list[ProblemShown]


class Erased(Shown):
    """How many rows were deleted, by table; null: a worker does it when it comes to it."""

    erased: dict[str, int] | None


@router.get("")
def list_users(
    attribute: Annotated[
        list[Line] | None,
        Query(max_length=20, description="As plan=pro: users who have this value. May be repeated"),
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.USERS_READ),
) -> Page[User]:
    """Users and their attributes, in an order that stays. With `attribute` a page may have few
    users or none, and a `next`: a request looks at so many at most.
    """
    try:
        wanted = wanted_of(attribute or (), "attribute")
    except OperatorError as error:
        raise Refused(422, error.code, error.message) from None
    with caller.backend.database.read() as connection:
        everybody = store.every_user(connection, after=decoded(cursor, str))
        if not wanted:
            return page_of(everybody, User.model_validate, lambda user: user.id, limit)
        found, last = fitting(everybody, wanted, limit)
    items = [User.model_validate(user) for user in found]
    return Page(items=items, next=None if last is None else cursor_of(last))


@router.post("/import", openapi_extra=_BODY)
async def import_file(
    request: Request,
    skip_bad: Annotated[
        bool, Query(description="Leave bad rows out, and count them; else one refuses all.")
    ] = False,
    caller: Caller = allowed(Permission.USERS_WRITE),
) -> ImportDone:
    """Set the attributes of many users: a file (CSV or JSON Lines, gzip or not), or a JSON array of
    objects with `id`, `timezone` and `attributes`. All of it is checked before the first is taken.
    What isn't in a row stays; null removes an attribute.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    name = "body.jsonl" if kind == "application/json" else _FILES.get(kind)
    if name is None:
        raise Refused(
            415,
            "request.content_type",
            "users come as application/json, application/x-ndjson or text/csv",
        )
    if not caller.backend.importing.acquire(blocking=False):
        raise Refused(
            503, "request.busy", "other files are being imported", (("retry-after", "5"),)
        )
    try:
        whole = kind == "application/json"
        most = caller.backend.settings.bytes_in_a_body if whole else LARGEST_FILE
        async with spooled(request.scope, request.receive, most) as file:
            done = await asyncio.to_thread(_import, caller, file, name, whole, skip_bad)
    finally:
        caller.backend.importing.release()
    problems = [ProblemShown.model_validate(each) for each in done.problems]
    return ImportDone(accepted=done.users, skipped=done.skipped, problems=problems)


@router.get("/{user:path}")
def show_user(user: UserPath, caller: Caller = allowed(Permission.USERS_READ)) -> LinkedUser:
    """What is known of a user; of an anonymous one who turned out to be a known one, that one:
    `id` says who.
    """
    with caller.backend.database.read() as connection:
        user = store.known_as(connection, user) or user
        before = store.known_from(connection, user)
        known = store.find_user(connection, user)
    if known is None:
        if not before:
            raise NotFound(f"there is no user {user[:60]!r}")
        known = store.KnownUser(user, None, {})
    shown = User.model_validate(known).model_dump()
    return LinkedUser(**shown, anonymous=before)


@router.delete("/{user:path}", responses={202: {"model": Erased}})
def erase_user(
    user: UserPath, response: Response, caller: Caller = allowed(Permission.USERS_ERASE)
) -> Erased:
    """Delete everything that is held of a person, for good. 202: a worker owns him, and is slow."""
    gone = erase.erase_user(
        caller.backend.database,
        user,
        actor=caller.actor,
        now=caller.now,
        patience_s=_ERASING_S,
    )
    if gone is not None:
        wipe_beside_others(caller.backend.database, _ERASING_S)
    response.status_code = 202 if gone is None else 200
    return Erased(erased=gone)


def _import(caller: Caller, file: BinaryIO, name: str, whole: bool, skip_bad: bool) -> Imported:
    if whole:
        _as_lines(file)
    return import_users(caller.backend.database, Source(file, name), skip_bad=skip_bad)


def _as_lines(file: BinaryIO) -> None:
    """Make JSON Lines of a JSON array. Raises Refused."""
    file.seek(0)
    try:
        said = guarded_json.parse(file.read())
    except guarded_json.NotGuardedJSON as reason:
        raise Refused(400, "request.bad_json", f"the body is {reason}") from None
    if not isinstance(said, list):
        raise Refused(422, "request.invalid", "body: an array of users is wanted")
    file.seek(0)
    file.truncate()
    file.writelines(guarded_json.dumps(each) + b"\n" for each in said)
    file.flush()
