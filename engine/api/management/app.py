"""The management API: FastAPI over the operations that commands use, with our problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match

from engine import __version__
from engine.api.asgi import JSON, header
from engine.api.bodies import read_body
from engine.api.management import (
    calls,
    doors,
    endpoints,
    events,
    installation,
    journeys,
    operators,
    passages,
    people,
    profiles,
    published,
)
from engine.api.management.described import describe_with
from engine.api.problems import CONTENT_TYPE, Refused, a_bug, details_of, headers_of, status_of
from engine.api.reference.pages import DOCS, STYLE, reference_routes
from engine.core import guarded_json
from engine.errors import EngineError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from engine.api.asgi import Application, Message, Receive, Scope, Send
    from engine.api.management.calling import Backend
    from engine.api.permits import Permits

PREFIX = "/api/v1"
ROUTERS = tuple(
    each.router
    for each in (
        *(journeys, published, people, events, passages, calls),
        *(endpoints, profiles, doors, operators, installation),
    )
)
"""Every route of it, by group."""
STREAMED = frozenset({f"{PREFIX}{people.IMPORT}"})
"""Routes that read their bodies themselves."""

EVENTS = f"{PREFIX}/events"
"""The route for events: one of POST stands before the application."""
OPENAPI = f"{PREFIX}/openapi.json"
OPEN = frozenset({OPENAPI, f"{PREFIX}{DOCS}", f"{PREFIX}{STYLE}"})
"""What anybody may read: it is the same for every installation of this version."""

_MOST_PROBLEMS, _LONGEST_PART = 20, 100
_REFUSALS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem",
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


def management(backend: Backend, largest: int) -> Application:
    """The application. ``largest`` is how many bytes a body may have, unpacked."""
    app = FastAPI(
        title="Journey Engine",
        version=__version__,
        summary="Customer journeys: what the commands do, over HTTP.",
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=_REFUSALS,
        exception_handlers={
            EngineError: _engine_error,
            RequestValidationError: _invalid,
            HTTPException: _http_error,
            Exception: _bug,
        },
    )
    app.state.backend = backend
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    describe_with(app, PREFIX, ROUTERS)
    app.include_router(reference_routes(PREFIX, OPENAPI, app.openapi), prefix=PREFIX)
    return _Guarded(cast("ASGIApp", app), backend.permits, largest)


class _Guarded:
    """Gives a request on when its body has come whole, within the bound, and without traps. Whoever
    has no token is turned away before anything of him is read.
    """

    def __init__(self, inner: ASGIApp, permits: Permits, largest: int) -> None:
        self._inner = inner
        self._permits = permits
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _refuse_nul(scope)
        if scope["path"] not in OPEN:
            self._permits.identify(scope)
        if scope["path"] in STREAMED:
            await self._inner(scope, receive, send)
            return
        body = await read_body(scope, receive, self._largest)
        if body:
            _require_json(scope, body)
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"content-encoding"]
        told = False

        async def again() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._inner(scope, again, send)


def _refuse_nul(scope: Scope) -> None:
    """No text of ours holds one, and no database takes it."""
    if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
        raise Refused(400, "request.nul", "the request's path or query holds a NUL character")


def _require_json(scope: Scope, body: bytes) -> None:
    kind = (header(scope, b"content-type") or b"").partition(b";")[0].strip().lower()
    if kind != JSON:
        raise Refused(
            415, "request.content_type", "the body is to come as Content-Type: application/json"
        )
    try:
        guarded_json.parse(body)
    except guarded_json.NotGuardedJSON as reason:
        raise Refused(400, "request.bad_json", f"the body is {reason}") from None
    if b"\\u0000" in body:
        raise Refused(400, "request.nul", "the body holds a NUL character")


async def _engine_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, EngineError)  # noqa: S101 - it is registered for those
    return _problem(request, error)


async def _bug(request: Request, _error: Exception) -> JSONResponse:
    """The guard before this application logs it: it is raised again behind the answer."""
    return _problem(request, a_bug())


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """What doesn't fit the schema, by its place; never the value, which may be a secret."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for those
    found = [
        {"place": ".".join(str(part)[:_LONGEST_PART] for part in one["loc"]), "message": one["msg"]}
        for one in error.errors()[:_MOST_PROBLEMS]
    ]
    first = found[0]
    refused = Refused(422, "request.invalid", f"{first['place']}: {first['message']}")
    return _problem(request, refused, problems=found)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for those
    headers = dict(error.headers or {})
    if error.status_code == 405 and (methods := _methods_at(request.scope["path"])):
        headers["Allow"] = methods
    code = {404: "request.not_found", 405: "request.method"}.get(error.status_code, "request.bad")
    detail = {404: "there is nothing at this path", 405: "this route doesn't take that method"}
    text = detail.get(error.status_code, "the request can't be read")
    return _problem(request, Refused(error.status_code, code, text, headers.items()))


def _methods_at(path: str) -> str:
    """What may be asked of a path: each method has a route of its own, and Starlette tells those of
    the first.
    """
    found = {"POST"} if path == EVENTS else set[str]()
    asked = {"type": "http", "path": path.removeprefix(PREFIX), "method": ""}
    for route in (one for router in ROUTERS for one in router.routes):
        if isinstance(route, APIRoute) and route.matches(asked)[0] is not Match.NONE:
            found |= route.methods or set()
    return ", ".join(sorted(found))


def _problem(request: Request, error: EngineError, **more: object) -> JSONResponse:
    said = details_of(error, request.scope["request_id"]) | more
    return JSONResponse(
        said, status_of(error), headers=dict(headers_of(error)), media_type=CONTENT_TYPE
    )
