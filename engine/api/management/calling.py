"""What a route of the management API works with, and who calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, cast

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from engine.access.roles import Permission, allows
from engine.api.problems import Refused
from engine.clock import wall
from engine.db.ids import IdMaker, entropy
from engine.errors import Forbidden
from engine.versions.store import Versions

if TYPE_CHECKING:
    from engine.api.permits import Permits
    from engine.credentials.references import References
    from engine.credentials.vault import Vault
    from engine.db.connect import Database
    from engine.settings import Settings
    from engine.wire.egress import Egress

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
    """A parameter that is misspelt would be one that isn't there; of two one would be lost."""
    known = {each.alias for each in request.scope["route"].dependant.query_params}
    given = [name for name, _ in request.query_params.multi_items()]
    unknown = sorted(set(given) - known)
    if unknown:
        raise Refused(400, "request.parameter", f"there is no parameter {unknown[0][:60]!r} here")
    if len(given) != len(set(given)):
        raise Refused(400, "request.parameter", "a parameter stands twice in the query")


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

    return Depends(caller)
