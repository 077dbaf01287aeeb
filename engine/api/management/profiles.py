"""Auth profiles: what calls authenticate with.

A secret comes in and never goes out: what is shown of one is a fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from engine.access.roles import Permission
from engine.api.management.calling import Caller, allowed
from engine.api.management.shown import (
    Cursor,
    Deleted,
    Force,
    Given,
    IfMatch,
    Limit,
    Line,
    Named,
    Page,
    SecretText,
    seen_of,
    sorted_page,
    tag_with,
)
from engine.api.problems import Refused
from engine.core.expressions.calendar import parse_iso
from engine.core.expressions.scope import UTC_ZONE
from engine.credentials import profiles, rotation
from engine.credentials.expiry import read_date
from engine.credentials.listing import search_profiles, show_profile
from engine.credentials.profiles import ProfileChange
from engine.credentials.references import FromEnv, FromFile, SecretSource, read_source
from engine.credentials.references import Given as GivenSecret
from engine.credentials.store.profiles import profile_by_name
from engine.errors import OperatorError
from engine.operations import delete, probe, revoking
from engine.operations.edit_profile import Edit, edited
from engine.operations.marks import profile_mark, require_same
from engine.operations.plain_data import plain_data
from engine.telemetry.redact import known_secrets
from engine.versions import usage

router = APIRouter(tags=["auth profiles"])

Words = Annotated[str, Field(max_length=10_000)]


class Secret(Given):
    """Where a secret is from: sealed now (`value`), or referred to and read when it is used."""

    value: SecretText | None = None
    env: Line | None = None
    file: Line | None = None

    def source(self, field: str) -> SecretSource:
        """The one that is given. Raises OperatorError."""
        if (self.value is None) + (self.env is None) + (self.file is None) != 2:
            raise OperatorError(f"{field}: give one of value, env and file", code="auth.invalid")
        if self.value is not None:
            known_secrets.learn((self.value.get_secret_value(),))
            return GivenSecret(self.value.get_secret_value())
        reference: FromEnv | FromFile | dict[str, str | None]
        reference = {"env": self.env} if self.env is not None else {"file": self.file}
        try:
            return read_source(reference)
        except ValueError as error:
            raise OperatorError(f"{field}: {error}", code="auth.invalid") from None


class ProfileGiven(Given):
    """What is to be set of an auth profile; what isn't named stays."""

    kind: Line | None = None
    title: Line | None = None
    fields: dict[str, Words] = Field(default_factory=dict)
    secrets: dict[str, Secret] = Field(default_factory=dict)


class Rotation(Given):
    """A secret's next value. For `overlap_s` seconds the one before is tried, too. `at` (ISO 8601)
    schedules it; `expires` (a date) says when the service ends it, of one that is current.
    """

    secret: SecretText
    field: Line | None = None
    overlap_s: Annotated[int, Field(ge=0, le=90 * 86_400)] = 0
    expires: Line | None = None
    at: Line | None = None

    def verb(self) -> Callable[..., ProfileChange]:
        """What does it. Raises Refused."""
        if self.at is None:
            return partial(rotation.rotate, expires=self._end())
        if self.expires is not None:
            raise Refused(422, "request.invalid", "expires: it is said of the current secret")
        begins = parse_iso(self.at, UTC_ZONE)
        if begins is None:
            raise Refused(422, "request.invalid", "at: give ISO 8601, as in 2027-01-31T09:00Z")
        return partial(rotation.schedule, begins=begins)

    def _end(self) -> str | None:
        try:
            return read_date(self.expires)
        except ValueError as error:
            raise Refused(422, "request.invalid", f"expires: {error}") from None


class NewName(Given):
    """What a profile is to be called."""

    name: Line


class ProfileTrial(Given):
    """An `endpoint` that is asked with the profile, whichever it has."""

    endpoint: Line | None = None
    method: Annotated[str, Field(pattern=r"^[A-Z]{1,20}$")] = "GET"
    path: Annotated[str, Field(max_length=2000, pattern=r"^/[^\x00-\x20\x7f]*$")] = "/"


@router.get("/auth-profiles")
def list_profiles(
    text: Annotated[Line, Query(description="In the name, title, kind or a host.")] = "",
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.PROFILES_READ),
) -> Page[dict[str, Any]]:
    """The auth profiles by name; of secrets whether they are set, and a fingerprint."""
    with caller.backend.database.read() as connection:
        found = search_profiles(connection, text, caller.backend.references)
    return sorted_page(found, plain_data, lambda one: one.name, limit, cursor)


@router.get("/auth-profiles/{name}")
def show_auth_profile(
    name: Named, response: Response, caller: Caller = allowed(Permission.PROFILES_READ)
) -> dict[str, Any]:
    """One auth profile."""
    with caller.backend.database.read() as connection:
        tag_with(response, profile_mark(profile_by_name(connection, name)))
        shown = show_profile(connection, name, caller.backend.references)
    found: dict[str, Any] = plain_data(shown)
    return found


@router.put("/auth-profiles/{name}")
def put_profile(
    name: Named,
    given: ProfileGiven,
    response: Response,
    if_match: IfMatch = None,
    caller: Caller = allowed(Permission.PROFILES_WRITE),
) -> dict[str, Any]:
    """Create an auth profile, or change what is named. The next call of every journey uses it."""
    backend = caller.backend
    secrets = {field: secret.source(field) for field, secret in given.secrets.items()}
    edit = Edit(given.kind, given.title, given.fields, secrets, _nobody_to_ask)
    vault = backend.vault()
    with backend.database.write() as connection:
        stored = profile_by_name(connection, name)
        require_same(f"auth profile {name}", seen_of(if_match), profile_mark(stored))
        written = edited(name, stored, edit, backend.egress)
        done = profiles.set_profile(
            connection,
            vault,
            backend.references,
            name,
            written,
            actor=caller.actor,
            now=caller.now,
            take_secrets=True,
            inline=stored is not None and stored.columns.inline,
        )
        tag_with(response, profile_mark(profile_by_name(connection, name)))
    return {"created": done.created, **_told(done)}


@router.post("/auth-profiles/{name}/rotate")
def rotate_secret(
    name: Named, given: Rotation, caller: Caller = allowed(Permission.PROFILES_WRITE)
) -> dict[str, Any]:
    """Replace one secret, now or at a time to come; the next call of every journey from then on
    uses the new one.
    """
    value, vault = given.secret.get_secret_value(), caller.backend.vault()
    known_secrets.learn((value,))
    verb = given.verb()
    with caller.backend.database.write() as connection:
        done = verb(
            connection,
            vault,
            name,
            value,
            field=given.field,
            actor=caller.actor,
            now=caller.now,
            overlap_us=given.overlap_s * 1_000_000,
        )
    return _told(done)


@router.post("/auth-profiles/{name}/settle")
def settle_profile(
    name: Named, caller: Caller = allowed(Permission.PROFILES_WRITE)
) -> dict[str, Any]:
    """Keep its current secrets only: overlaps end now, what is scheduled is given up."""
    with caller.backend.database.write() as connection:
        done = rotation.settle(connection, name, actor=caller.actor, now=caller.now)
    return _told(done)


@router.post("/auth-profiles/{name}/rename", status_code=204)
def rename_profile(
    name: Named, given: NewName, caller: Caller = allowed(Permission.PROFILES_WRITE)
) -> None:
    """Give it another name; its secrets, token and history stay."""
    with caller.backend.database.write() as connection:
        profiles.rename(connection, name, given.name, actor=caller.actor, now=caller.now)


@router.get("/auth-profiles/{name}/usage")
def profile_usage(
    name: Named, caller: Caller = allowed(Permission.PROFILES_READ)
) -> list[dict[str, Any]]:
    """Where it is used: endpoints, journeys, steps, users inside now."""
    with caller.backend.database.read() as connection:
        profiles.require_profile(connection, name)
        found: list[dict[str, Any]] = plain_data(usage.of_profile(connection, name))
    return found


@router.post("/auth-profiles/{name}/test")
def try_profile(
    name: Named,
    given: ProfileTrial | None = None,
    caller: Caller = allowed(Permission.PROFILES_TEST),
) -> dict[str, Any]:
    """Open its secrets; of an OAuth profile, ask its token server for a token, too. With an
    `endpoint`, one request is sent there with it.
    """
    if given is None or given.endpoint is None:
        return caller.backend.attempted(lambda means: probe.try_profile(means, name))
    caller.require(Permission.ENDPOINTS_TEST)
    call = probe.TestCall(given.endpoint, given.method, given.path)
    return caller.backend.attempted(lambda means: probe.try_endpoint(means, call, name))


@router.delete("/auth-profiles/{name}")
def delete_profile(
    name: Named, force: Force = False, caller: Caller = allowed(Permission.PROFILES_WRITE)
) -> Deleted:
    """Delete an auth profile with its secrets; refused while endpoints use it."""
    backend = caller.backend
    with backend.database.write() as connection:
        tokens = revoking.revocable(connection, backend.vault, backend.references, name)
        used = delete.delete_profile(
            connection, name, force=force, actor=caller.actor, now=caller.now
        )
    return Deleted(used_by=list(used), notes=backend.revoked(tokens))


def _told(done: ProfileChange) -> dict[str, Any]:
    return {
        "version": done.version,
        "fields": list(done.fields),
        "notes": list(done.notes),
    }


def _nobody_to_ask(field: str) -> str:
    raise OperatorError(f"the secret {field} is needed: give it in 'secrets'", code="auth.invalid")
