"""What a route of the management API works with, and who calls it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args, get_origin

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from engine.access.roles import Permission, allows
from engine.api.problems import Refused
from engine.clock import wall
from engine.db.ids import IdMaker, entropy
from engine.errors import EngineError, Forbidden
from engine.operations import probe, revoking
from engine.operations.plain_data import plain_data
from engine.versions.store import Versions

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

    from engine.api.permits import Permits
    from engine.credentials.access_tokens.revoke import Revocable
    from engine.credentials.references import References
    from engine.credentials.vault import Vault
    from engine.db.connect import Database
    from engine.settings import Settings
    from engine.wire.egress import Egress

IMPORTS = 2
"""Files that are imported at once: each keeps a thread and a part of the disk."""

_BEARER = HTTPBearer(auto_error=False, bearerFormat="jrn_...", description="An API token.")


@dataclass(frozen=True, slots=True)
class Backend:
    """What all routes share. ``vault`` opens secrets when it is asked for."""

    database: Database
    settings: Settings
    permits: Permits
    vault: Callable[[], Vault]
    references: References
    egress: Egress
    versions: Versions = field(default_factory=Versions)
    new_id: IdMaker = field(default_factory=lambda: IdMaker(entropy))
    importing: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(IMPORTS))

    def attempted(self, attempt: Callable[[probe.Means], Awaitable[probe.Tried]]) -> dict[str, Any]:
        """What came of an attempt to reach somebody, as JSON data; it lasts as long as a call."""
        tried = probe.attempted(self.database, self.vault(), self.references, self.egress, attempt)
        found: dict[str, Any] = plain_data(tried)
        return found

    def revoked(self, tokens: Revocable | None) -> list[str]:
        """What a token server says that is told, after the commit, of a token that is over."""
        if tokens is None:
            return []
        try:
            return [revoking.revoke(self.egress, tokens)]
        except EngineError as error:
            return [error.message]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the token's name and kind. ``actor`` is how the audit log calls him."""

    token_id: int
    name: str
    kind: str
    backend: Backend

    @property
    def actor(self) -> str:
        """For the audit log."""
        return f"token {self.name}"

    @property
    def now(self) -> int:
        """Wall time, and journey time: this process serves a database of the real clock."""
        return wall()

    def require(self, permission: Permission) -> None:
        """Raise Forbidden unless he may do that, too."""
        if not allows(self.kind, permission):
            raise Forbidden(f"a token of kind {self.kind} may not do this; it takes {permission}")


def _refuse_unknown(request: Request) -> None:
    """A parameter that is misspelt would be one that isn't there; of two one would be lost, unless
    it is a list.
    """
    known = {each.alias: each for each in request.scope["route"].dependant.query_params}
    given = [name for name, _ in request.query_params.multi_items()]
    unknown = sorted(set(given) - known.keys())
    if unknown:
        raise Refused(400, "request.parameter", f"there is no parameter {unknown[0][:60]!r} here")
    single = [name for name in given if not _is_list(known[name].field_info.annotation)]
    if len(single) != len(set(single)):
        raise Refused(400, "request.parameter", "a parameter stands twice in the query")


def _is_list(annotation: Any) -> bool:
    return any(get_origin(part) is list for part in (annotation, *get_args(annotation)))


def allowed(permission: Permission) -> Any:
    """The default of a route's parameter ``caller``: a :class:`Caller` who has ``permission``."""

    async def caller(
        request: Request, _bearer: Annotated[object, Security(_BEARER)] = None
    ) -> Caller:
        """Who calls. Raises Refused."""
        backend = cast("Backend", request.app.state.backend)
        grant = backend.permits.require(request.scope, permission)
        _refuse_unknown(request)
        return Caller(grant.token_id, grant.name, grant.kind, backend)

    caller.permission = permission  # type: ignore[attr-defined]
    return Depends(caller)


def permission_of(route: APIRoute) -> Permission | None:
    """What a route asks for; None: nothing."""
    calls = (each.call for each in route.dependant.dependencies)
    return next((found for each in calls if (found := getattr(each, "permission", None))), None)
