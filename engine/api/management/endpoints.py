"""Endpoints and auth profiles: where calls go, and what they authenticate with.

A secret comes in and never goes out: what is shown of one is a fingerprint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field, SecretStr

from engine.access.roles import Permission
from engine.api.management.calling import Backend, Caller, allowed
from engine.api.management.shown import Cursor, Given, Limit, Line, Page, after, page_of
from engine.credentials import profiles, rotation
from engine.credentials.listing import search_profiles, show_profile
from engine.credentials.references import FromEnv, FromFile, SecretSource, read_source
from engine.credentials.references import Given as GivenSecret
from engine.credentials.store.profiles import profile_by_name
from engine.endpoints import store
from engine.endpoints.states import UNTOUCHED, SharedGate, gate_of, gates
from engine.errors import OperatorError
from engine.operations import delete, probe
from engine.operations.edit_endpoint import set_endpoint
from engine.operations.edit_profile import Edit, edited
from engine.operations.plain_data import plain_data
from engine.telemetry.redact import known_secrets
from engine.versions import usage
from engine.wire.http_transport import HttpTransport

router = APIRouter()

Named = Annotated[str, Path(max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Force = Annotated[bool, Query(description="Though it is used: its calls then fail, visibly.")]
Words = Annotated[str, Field(max_length=10_000)]


class Trial(Given):
    """One request, as a journey's call would be sent."""

    method: Annotated[str, Field(pattern=r"^[A-Z]{1,20}$")] = "GET"
    path: Annotated[str, Field(max_length=2000, pattern=r"^/[^\x00-\x20\x7f]*$")] = "/"


class Secret(Given):
    """Where a secret is from: sealed now (`value`), or referred to and read when it is used."""

    value: Annotated[SecretStr, Field(min_length=1, max_length=65_536, strict=False)] | None = None
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

    secret: Annotated[SecretStr, Field(min_length=1, max_length=65_536, strict=False)]
    field: Line | None = None
    overlap_s: Annotated[int, Field(ge=0, le=90 * 86_400)] = 0
    expires: Line | None = None


@router.get("/endpoints", tags=["endpoints"])
def list_endpoints(
    text: Annotated[Line, Query(description="In the name, title, URL or profile.")] = "",
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.ENDPOINTS_READ),
) -> Page[dict[str, Any]]:
    """The endpoints by name, and how each fares."""
    with caller.backend.database.read() as connection:
        fares = gates(connection)
        found = sorted(store.load_all(connection), key=_name_of)
    wanted = [one for one in after(found, _name_of, cursor) if _holds(one, text.lower())]
    return page_of(
        wanted,
        lambda one: _endpoint(one, fares.get(one.endpoint.name, UNTOUCHED), caller.now),
        _name_of,
        limit,
    )


@router.get("/endpoints/{name}", tags=["endpoints"])
def show_endpoint(
    name: Named, caller: Caller = allowed(Permission.ENDPOINTS_READ)
) -> dict[str, Any]:
    """One endpoint with all its settings."""
    with caller.backend.database.read() as connection:
        return _endpoint(store.load(connection, name), gate_of(connection, name), caller.now)


@router.put("/endpoints/{name}", tags=["endpoints"])
def put_endpoint(
    name: Named,
    given: dict[str, Any],
    caller: Caller = allowed(Permission.ENDPOINTS_WRITE),
) -> dict[str, Any]:
    """Create an endpoint, or change the fields that are named; null takes one back to its default.
    It holds for the next call of every journey.
    """
    with caller.backend.database.write() as connection:
        before = store.find(connection, name)
        has_auth = before is not None and before.profile_id is not None
        if "auth" in given or (has_auth and "base_url" in given):
            caller.require(Permission.ENDPOINTS_AUTH)
        done = set_endpoint(connection, name, given, actor=caller.actor, now=caller.now)
    return {"created": done.created, "fields": list(done.fields), "notes": list(done.notes)}


@router.delete("/endpoints/{name}", status_code=204, tags=["endpoints"])
def delete_endpoint(
    name: Named, force: Force = False, caller: Caller = allowed(Permission.ENDPOINTS_WRITE)
) -> None:
    """Delete an endpoint; refused while journeys call it."""
    with caller.backend.database.write() as connection:
        delete.delete_endpoint(connection, name, force=force, actor=caller.actor, now=caller.now)


@router.get("/endpoints/{name}/usage", tags=["endpoints"])
def endpoint_usage(
    name: Named, caller: Caller = allowed(Permission.ENDPOINTS_READ)
) -> dict[str, Any]:
    """Where it is used: journeys, steps, users inside now."""
    with caller.backend.database.read() as connection:
        found: dict[str, Any] = plain_data(usage.of_endpoint(connection, name))
    return found


@router.post("/endpoints/{name}/test", tags=["endpoints"])
def try_endpoint(
    name: Named,
    given: Trial | None = None,
    caller: Caller = allowed(Permission.ENDPOINTS_TEST),
) -> dict[str, Any]:
    """Send one request now, as a journey's call would be sent, and say what became of it."""
    asked = given or Trial()
    call = probe.TestCall(name, asked.method, asked.path)
    return _try(caller.backend, lambda means: probe.try_endpoint(means, call))


@router.get("/auth-profiles", tags=["auth profiles"])
def list_profiles(
    text: Annotated[Line, Query(description="In the name, title, kind or a host.")] = "",
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.PROFILES_READ),
) -> Page[dict[str, Any]]:
    """The auth profiles by name; of secrets whether they are set, and a fingerprint."""
    with caller.backend.database.read() as connection:
        found = sorted(search_profiles(connection, text), key=lambda one: one.name)
    return page_of(
        after(found, lambda one: one.name, cursor), plain_data, lambda one: one.name, limit
    )


@router.get("/auth-profiles/{name}", tags=["auth profiles"])
def show_auth_profile(
    name: Named, caller: Caller = allowed(Permission.PROFILES_READ)
) -> dict[str, Any]:
    """One auth profile."""
    with caller.backend.database.read() as connection:
        found: dict[str, Any] = plain_data(show_profile(connection, name))
    return found


@router.put("/auth-profiles/{name}", tags=["auth profiles"])
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


@router.post("/auth-profiles/{name}/rotate", tags=["auth profiles"])
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


@router.post("/auth-profiles/{name}/test", tags=["auth profiles"])
def try_profile(name: Named, caller: Caller = allowed(Permission.PROFILES_TEST)) -> dict[str, Any]:
    """Open its secrets; of an OAuth profile, ask its token server for a token, too."""
    return _try(caller.backend, lambda means: probe.try_profile(means, name))


@router.delete("/auth-profiles/{name}", status_code=204, tags=["auth profiles"])
def delete_profile(
    name: Named, force: Force = False, caller: Caller = allowed(Permission.PROFILES_WRITE)
) -> None:
    """Delete an auth profile; refused while endpoints use it."""
    with caller.backend.database.write() as connection:
        delete.delete_profile(connection, name, force=force, actor=caller.actor, now=caller.now)


def _endpoint(stored: store.Stored, fares: SharedGate, now: int) -> dict[str, Any]:
    gate, endpoint = fares.gate, stored.endpoint
    settings = endpoint.model_dump(mode="json")
    shown: dict[str, Any] = {key: value for key, value in settings.items() if value is not None}
    lost = {} if stored.auth_lost is None else {"auth_lost": stored.auth_lost}
    return shown | lost | {"version": stored.version, "state": gate.words(now)}


def _name_of(stored: store.Stored) -> str:
    return stored.endpoint.name


def _holds(stored: store.Stored, text: str) -> bool:
    endpoint = stored.endpoint
    places = (endpoint.name, endpoint.title or "", endpoint.base_url, endpoint.auth)
    return any(text in place.lower() for place in places)


def _nobody_to_ask(field: str) -> str:
    raise OperatorError(f"the secret {field} is needed: give it in 'secrets'", code="auth.invalid")


def _try(
    backend: Backend, attempt: Callable[[probe.Means], Awaitable[probe.Tried]]
) -> dict[str, Any]:
    """One attempt, on a loop of its own: it is rare, and may take as long as a call."""
    vault = backend.vault()

    async def scenario() -> probe.Tried:
        transport = HttpTransport(backend.egress)
        try:
            means = probe.Means(backend.database, vault, backend.references, transport)
            return await attempt(means)
        finally:
            await transport.close()

    found: dict[str, Any] = plain_data(asyncio.run(scenario()))
    return found
