"""Auth profiles: what calls authenticate with.

A secret comes in and never goes out: what is shown of one is a fingerprint.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from engine.access.roles import Permission
from engine.api.management.calling import Caller, allowed
from engine.api.management.shown import (
    Cursor,
    Force,
    Given,
    Limit,
    Line,
    Named,
    Page,
    SecretText,
    sorted_page,
)
from engine.api.management.trying import try_now
from engine.credentials import profiles, rotation
from engine.credentials.listing import search_profiles, show_profile
from engine.credentials.references import FromEnv, FromFile, SecretSource, read_source
from engine.credentials.references import Given as GivenSecret
from engine.credentials.store.profiles import profile_by_name
from engine.errors import OperatorError
from engine.operations import delete, probe
from engine.operations.edit_profile import Edit, edited
from engine.operations.plain_data import plain_data
from engine.telemetry.redact import known_secrets

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
    """A secret's next value. For `overlap_s` seconds the one before is tried, too."""

    secret: SecretText
    field: Line | None = None
    overlap_s: Annotated[int, Field(ge=0, le=90 * 86_400)] = 0
    expires: Line | None = None


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
    name: Named, caller: Caller = allowed(Permission.PROFILES_READ)
) -> dict[str, Any]:
    """One auth profile."""
    with caller.backend.database.read() as connection:
        shown = show_profile(connection, name, caller.backend.references)
    found: dict[str, Any] = plain_data(shown)
    return found


@router.put("/auth-profiles/{name}")
def put_profile(
    name: Named, given: ProfileGiven, caller: Caller = allowed(Permission.PROFILES_WRITE)
) -> dict[str, Any]:
    """Create an auth profile, or change what is named. The next call of every journey uses it."""
    backend = caller.backend
    secrets = {field: secret.source(field) for field, secret in given.secrets.items()}
    with backend.database.read() as connection:
        stored = profile_by_name(connection, name)
    edit = Edit(given.kind, given.title, given.fields, secrets, _nobody_to_ask)
    written, vault = edited(name, stored, edit, backend.egress), backend.vault()
    with backend.database.write() as connection:
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
    return {"created": done.created, "fields": list(done.fields), "notes": list(done.notes)}


@router.post("/auth-profiles/{name}/rotate")
def rotate_secret(
    name: Named, given: Rotation, caller: Caller = allowed(Permission.PROFILES_WRITE)
) -> dict[str, Any]:
    """Replace one secret; the next call of every journey uses the new one."""
    value, vault = given.secret.get_secret_value(), caller.backend.vault()
    known_secrets.learn((value,))
    with caller.backend.database.write() as connection:
        done = rotation.rotate(
            connection,
            vault,
            name,
            value,
            field=given.field,
            actor=caller.actor,
            now=caller.now,
            overlap_us=given.overlap_s * 1_000_000,
            expires=given.expires,
        )
    return {"fields": list(done.fields), "notes": list(done.notes)}


@router.post("/auth-profiles/{name}/test")
def try_profile(name: Named, caller: Caller = allowed(Permission.PROFILES_TEST)) -> dict[str, Any]:
    """Open its secrets; of an OAuth profile, ask its token server for a token, too."""
    return try_now(caller.backend, lambda means: probe.try_profile(means, name))


@router.delete("/auth-profiles/{name}", status_code=204)
def delete_profile(
    name: Named, force: Force = False, caller: Caller = allowed(Permission.PROFILES_WRITE)
) -> None:
    """Delete an auth profile; refused while endpoints use it."""
    with caller.backend.database.write() as connection:
        delete.delete_profile(connection, name, force=force, actor=caller.actor, now=caller.now)


def _nobody_to_ask(field: str) -> str:
    raise OperatorError(f"the secret {field} is needed: give it in 'secrets'", code="auth.invalid")
