"""Changing single fields of an endpoint, and binding its auth profile to its host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from engine.core.dsl.problems import did_you_mean
from engine.credentials.attach import origin_text
from engine.credentials.profiles import extend_origins
from engine.credentials.store.profiles import profile_by_name
from engine.endpoints import store
from engine.endpoints.model import NO_AUTH, Endpoint
from engine.errors import OperatorError
from engine.operations.moving import Move, move_of, require_known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.db.connect import Connection


@dataclass(slots=True, frozen=True)
class Edited:
    """What was done: ``created``, the names of changed fields, and notes for the operator."""

    created: bool
    fields: tuple[str, ...]
    notes: tuple[str, ...] = ()


def set_endpoint(
    connection: Connection,
    name: str,
    fields: Mapping[str, Any],
    *,
    given: Mapping[str, str] | None = None,
    actor: str,
    now: int,
) -> Edited:
    """Create the endpoint ``name``, or change the named fields of it; the others stay.

    Assigning a profile lets its credential be sent to the endpoint's host. Moving an endpoint to
    another host demands the sealed secrets of its profile: ``given`` are their keyed fingerprints,
    by field (:func:`move` says which ones); where there are none, its profile is named again.
    Raises OperatorError with everything that is wrong, and NotFound for a profile that doesn't
    exist.
    """
    before, endpoint = _merged(connection, name, fields)
    _require_own(connection, endpoint)
    move = _move(connection, before, endpoint)
    if move is not None:
        known = [each for each, value in (given or {}).items() if _holds(move, each, value)]
        require_known(move, known, now)
    if "auth" not in fields and (move is None or not move.secrets):
        _require_bound(connection, endpoint)
    notes = list(_bind(connection, endpoint, actor, now))
    if before is not None and before.inline and endpoint.auth != before.endpoint.auth:
        notes.append(f"auth: {endpoint.auth} takes the place of its own")
    changed = store.save(connection, endpoint, now=now, actor=actor)
    return Edited(before is None, changed, tuple(notes))


def move(connection: Connection, name: str, fields: Mapping[str, Any]) -> Move | None:
    """The move that :func:`set_endpoint` would make, with the secrets that it demands; None for
    none. Raises as it does for fields that are wrong.
    """
    return _move(connection, *_merged(connection, name, fields))


def _move(connection: Connection, before: store.Stored | None, after: Endpoint) -> Move | None:
    profile = profile_by_name(connection, after.auth)
    if before is None or profile is None:
        return None
    return move_of(before.endpoint, after, profile)


def _holds(move: Move, field: str, fingerprint: str) -> bool:
    secret = move.profile.secrets.get(field)
    return secret is not None and secret.fingerprint == fingerprint


def _merged(
    connection: Connection, name: str, fields: Mapping[str, Any]
) -> tuple[store.Stored | None, Endpoint]:
    """The endpoint as it stands and as it is to be."""
    before = store.find(connection, name)
    written: dict[str, Any] = {"name": name}
    if before is not None:
        written |= store.settings_of(before.endpoint)
        if before.profile_id is not None:  # else nobody said so: the profile may be lost
            written["auth"] = before.endpoint.auth
    elif "base_url" not in fields:
        raise OperatorError(f"there is no endpoint {name} yet: give its --url")
    merged = {**written, **fields}
    if merged.get("auth", "") is None:
        merged["auth"] = NO_AUTH
    network = merged.get("network")
    if isinstance(network, dict):
        stays = written.get("network", {})
        merged["network"] = {k: v for k, v in {**stays, **network}.items() if v is not None}
    # Nothing takes a field back to its default.
    given = {key: value for key, value in merged.items() if value is not None}
    return before, read_endpoint(given)


def read_endpoint(written: Mapping[str, Any]) -> Endpoint:
    """The endpoint that ``written`` describes. Raises OperatorError with every problem."""
    try:
        return Endpoint.model_validate(dict(written))
    except ValidationError as error:
        problems = [_problem(dict(each)) for each in error.errors(include_input=False)]
    raise OperatorError(
        f"endpoint {written['name']}: {'; '.join(problems)}", code="endpoint.invalid"
    )


def _problem(error: Mapping[str, Any]) -> str:
    path = ".".join(str(step) for step in error["loc"])
    if error["type"] == "extra_forbidden":
        hint = did_you_mean(str(error["loc"][-1]), Endpoint.model_fields)
        return f"{path} is no field of an endpoint" + (f" ({hint})" if hint else "")
    remedy = error.get("ctx", {}).get("remedy")
    said = error["msg"][:1].lower() + error["msg"][1:]
    return f"{path}: {said}" + (f" ({remedy})" if remedy else "")


def _require_own(connection: Connection, endpoint: Endpoint) -> None:
    """Another endpoint's own profile can't be borrowed: it goes when that endpoint goes."""
    if endpoint.auth == endpoint.name or endpoint.profile is None:
        return
    owner = store.find(connection, endpoint.auth)
    if owner is not None and owner.inline and owner.endpoint.auth == endpoint.auth:
        raise OperatorError(
            f"{endpoint.auth} is endpoint {endpoint.auth}'s own authentication; make a profile of"
            " its own with `journey auth set`"
        )


def _require_bound(connection: Connection, endpoint: Endpoint) -> None:
    """Nobody points a stored secret at another host by the way."""
    profile = profile_by_name(connection, endpoint.auth)
    origin = origin_text(endpoint.base_url)
    if endpoint.profile is not None and profile and origin not in profile.columns.origins:
        raise OperatorError(
            f"endpoint {endpoint.name}: auth profile {endpoint.auth} may not be sent to {origin}:"
            f" name it again with --auth {endpoint.auth} to allow it, or take it away with"
            " --auth none",
            code="credential.host_not_allowed",
        )


def _bind(connection: Connection, endpoint: Endpoint, actor: str, now: int) -> Iterator[str]:
    if endpoint.profile is None or not store.has_profile(connection, endpoint.profile):
        return  # saving says that there is none, with the nearest
    urls = (endpoint.base_url,)
    for origin in extend_origins(connection, endpoint.profile, urls, actor=actor, now=now):
        yield f"auth profile {endpoint.profile} may now be sent to {origin}"
