"""Endpoints: where calls go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from engine.access.roles import Permission
from engine.api.management.calling import Backend, Caller, allowed
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
from engine.endpoints import store
from engine.endpoints.states import UNTOUCHED, SharedGate, gate_of, gates
from engine.operations import delete, probe, revoking
from engine.operations.edit_endpoint import move, set_endpoint
from engine.operations.marks import endpoint_mark, require_same
from engine.operations.plain_data import plain_data
from engine.telemetry.redact import known_secrets
from engine.versions import usage

router = APIRouter(tags=["endpoints"])


class EndpointGiven(BaseModel):
    """Fields of an endpoint; what isn't named stays. One that moves to another host with an auth
    profile demands the present values of the profile's sealed `secrets`, by name.
    """

    model_config = ConfigDict(extra="allow")

    secrets: dict[str, SecretText] = Field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Any]:
        """What the endpoint is to be."""
        return self.model_extra or {}


class Trial(Given):
    """One request, as a journey's call would be sent."""

    method: Annotated[str, Field(pattern=r"^[A-Z]{1,20}$")] = "GET"
    path: Annotated[str, Field(max_length=2000, pattern=r"^/[^\x00-\x1f\x7f]*$")] = "/"
    user: Annotated[
        str | None, Field(max_length=255, description="Fill in `path` ({{ user.id }}) as for him.")
    ] = None


@router.get("/endpoints")
def list_endpoints(
    text: Annotated[Line, Query(description="In the name, title, URL or profile.")] = "",
    limit: Limit = 100,
    cursor: Cursor = None,
    caller: Caller = allowed(Permission.ENDPOINTS_READ),
) -> Page[dict[str, Any]]:
    """The endpoints by name, and how each fares."""
    with caller.backend.database.read() as connection:
        fares = gates(connection)
        found = [one for one in store.load_all(connection) if _holds(one, text.lower())]

    def shown(stored: store.Stored) -> dict[str, Any]:
        return _endpoint(stored, fares.get(stored.endpoint.name, UNTOUCHED), caller.now)

    return sorted_page(found, shown, lambda one: one.endpoint.name, limit, cursor)


@router.get("/endpoints/{name}")
def show_endpoint(
    name: Named, response: Response, caller: Caller = allowed(Permission.ENDPOINTS_READ)
) -> dict[str, Any]:
    """One endpoint with all its settings."""
    with caller.backend.database.read() as connection:
        stored = store.load(connection, name)
        tag_with(response, endpoint_mark(stored))
        return _endpoint(stored, gate_of(connection, name), caller.now)


@router.put("/endpoints/{name}")
def put_endpoint(
    name: Named,
    given: EndpointGiven,
    response: Response,
    if_match: IfMatch = None,
    caller: Caller = allowed(Permission.ENDPOINTS_WRITE),
) -> dict[str, Any]:
    """Create an endpoint, or change the fields that are named; null takes one back to its default.
    It holds for the next call of every journey.
    """
    fields, shown = given.fields, _fingerprints(caller.backend, given.secrets)
    if fields.get("name", name) != name:
        raise Refused(422, "request.invalid", "name: an endpoint keeps its name; make another one")
    with caller.backend.database.write() as connection:
        before = store.find(connection, name)
        require_same(f"endpoint {name}", seen_of(if_match), endpoint_mark(before))
        has_auth = before is not None and before.profile_id is not None
        moves = has_auth and ("base_url" in fields or move(connection, name, fields) is not None)
        if "auth" in fields or moves:
            caller.require(Permission.ENDPOINTS_AUTH)
        done = set_endpoint(
            connection, name, fields, given=shown, actor=caller.actor, now=caller.now
        )
        tag_with(response, endpoint_mark(store.find(connection, name)))
    return {"created": done.created, "fields": list(done.fields), "notes": list(done.notes)}


@router.delete("/endpoints/{name}")
def delete_endpoint(
    name: Named, force: Force = False, caller: Caller = allowed(Permission.ENDPOINTS_WRITE)
) -> Deleted:
    """Delete an endpoint; refused while journeys call it."""
    backend = caller.backend
    with backend.database.write() as connection:
        tokens = revoking.revocable_of_endpoint(connection, backend.vault, backend.references, name)
        used = delete.delete_endpoint(
            connection, name, force=force, actor=caller.actor, now=caller.now
        )
    return Deleted(used_by=list(used), notes=backend.revoked(tokens))


@router.get("/endpoints/{name}/usage")
def endpoint_usage(
    name: Named, caller: Caller = allowed(Permission.ENDPOINTS_READ)
) -> dict[str, Any]:
    """Where it is used: journeys, steps, users inside now."""
    with caller.backend.database.read() as connection:
        found: dict[str, Any] = plain_data(usage.of_endpoint(connection, name))
    return found


@router.post("/endpoints/{name}/test")
def try_endpoint(
    name: Named,
    given: Trial | None = None,
    caller: Caller = allowed(Permission.ENDPOINTS_TEST),
) -> dict[str, Any]:
    """Send one request now, as a journey's call would be sent, and say what became of it."""
    asked, backend = given or Trial(), caller.backend
    target = asked.path
    if asked.user is not None:
        with backend.database.read() as connection:
            target = probe.target_as(connection, asked.user, target, caller.now)
    call = probe.TestCall(name, asked.method, target)
    return backend.attempted(lambda means: probe.try_endpoint(means, call))


def _endpoint(stored: store.Stored, fares: SharedGate, now: int) -> dict[str, Any]:
    gate, endpoint = fares.gate, stored.endpoint
    settings = endpoint.model_dump(mode="json")
    shown: dict[str, Any] = {key: value for key, value in settings.items() if value is not None}
    lost = {} if stored.auth_lost is None else {"auth_lost": stored.auth_lost}
    return shown | lost | {"version": stored.version, "state": gate.words(now)}


def _fingerprints(backend: Backend, secrets: Mapping[str, SecretStr]) -> dict[str, str]:
    """Keyed fingerprints of secrets that somebody shows to know, by name."""
    if not secrets:
        return {}
    values = {name: secret.get_secret_value() for name, secret in secrets.items()}
    known_secrets.learn(values.values())
    fingerprint = backend.vault().fingerprint
    return {name: fingerprint(value) for name, value in values.items()}


def _holds(stored: store.Stored, text: str) -> bool:
    endpoint = stored.endpoint
    places = (endpoint.name, endpoint.title or "", endpoint.base_url, endpoint.auth)
    return any(text in place.lower() for place in places)
