"""The OpenAPI document: what FastAPI can't know of it is added here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute

from engine.access.roles import allows
from engine.access.tokens import KINDS
from engine.api.management.calling import permission_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import APIRouter, FastAPI

_PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457). `code` is stable, `detail` is for people.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
    },
}
_EVENT = {
    "type": "object",
    "description": "An event, or without `event` a change of attributes.",
    "required": ["user"],
    "properties": {
        "user": {"type": "string", "description": "Whose it is."},
        "event": {"description": "Its name."},
        "at": {"description": "When it happened, ISO 8601; now unless said."},
        "id": {"description": "The same id counts once for the user."},
        "properties": {"description": "An object: the event's own data."},
        "attributes": {"description": "An object: what changes of the user."},
    },
}
_EXAMPLE = {"user": "ada", "event": "bought", "properties": {"total": 12.5}, "id": "order-77"}
_EVENTS: dict[str, Any] = {
    "tags": ["events"],
    "summary": "Send Events",
    "description": "Events and changes of attributes: one, an array, or a line each. All of them"
    " are durable when it is answered, or none was taken.",
    "operationId": "send_events_api_v1_events_post",
    "security": [{"HTTPBearer": []}],
    "x-token-kinds": ["user_data", "admin"],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"anyOf": [_EVENT, {"type": "array", "items": _EVENT}]},
                "example": _EXAMPLE,
            },
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    },
    "responses": {
        "200": {
            "description": "How many were taken.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["accepted"],
                        "properties": {"accepted": {"type": "integer"}},
                    }
                }
            },
        },
    },
}


def describe_with(app: FastAPI, prefix: str, routers: Sequence[APIRouter]) -> None:
    """Let the document of ``app`` tell of problems, of what token each route of ``routers`` takes,
    and of the route for events, which stands before the application.
    """
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        """The document, made once."""
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = describe()
        document["components"]["schemas"]["Problem"] = _PROBLEM
        paths = document["paths"]
        for route in (one for router in routers for one in router.routes):
            permission = permission_of(route) if isinstance(route, APIRoute) else None
            if isinstance(route, APIRoute) and permission is not None:
                for method in route.methods or ():
                    operation = paths[f"{prefix}{route.path_format}"][method.lower()]
                    operation["x-permission"] = permission.value
                    kinds = [kind for kind in KINDS if allows(kind, permission)]
                    operation["x-token-kinds"] = kinds
        default = next(iter(paths.values()))["get"]["responses"]["default"]
        events = paths[f"{prefix}/events"]
        events["post"] = {**_EVENTS, "responses": {**_EVENTS["responses"], "default": default}}
        return document

    app.openapi = openapi  # type: ignore[method-assign]
