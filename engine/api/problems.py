"""What a request is answered that isn't granted: problem details (RFC 9457) with our codes.

``{"type": "about:blank", "title", "status", "detail", "code", "request_id"}``; of a journey, or a
file of users, that is wrong also ``problems``, of something that is still used ``used_by``.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from engine.core import guarded_json
from engine.errors import (
    ChangedMeanwhile,
    CredentialFailure,
    DatabaseUnavailable,
    DefinitionError,
    EngineError,
    Forbidden,
    InUse,
    Limit,
    NotFound,
    OperatorError,
)
from engine.users.findings import RowsError
from engine.users.ingest import FactRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.api.asgi import Headers, Send

CONTENT_TYPE = "application/problem+json"

RETRY_AFTER_S = 2
"""When a request is to be sent again that met a database which can't be used."""

_BY_KIND: tuple[tuple[type[EngineError], HTTPStatus], ...] = (
    (DefinitionError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (RowsError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (FactRefused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFound, HTTPStatus.NOT_FOUND),
    (InUse, HTTPStatus.CONFLICT),
    (Limit, HTTPStatus.CONFLICT),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (ChangedMeanwhile, HTTPStatus.PRECONDITION_FAILED),
    (OperatorError, HTTPStatus.CONFLICT),
    (CredentialFailure, HTTPStatus.CONFLICT),
    (DatabaseUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


class Refused(EngineError):
    """A request can't be granted: ``status`` says so in HTTP's words, ``headers`` go with it."""

    code = "request.refused"

    def __init__(
        self, status: int, code: str, message: str, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.headers = tuple(headers)


def a_bug() -> Refused:
    """What is said where something broke that nobody outside can do about."""
    return Refused(
        500, "server.bug", "this is a bug in journey; the log has it under the request's id"
    )


def status_of(error: EngineError) -> int:
    """The HTTP status that an error stands for; 500 for one that nobody outside can do about."""
    if isinstance(error, Refused):
        return error.status
    return next((int(status) for kind, status in _BY_KIND if isinstance(error, kind)), 500)


def details_of(error: EngineError, request_id: str) -> dict[str, object]:
    """The members of the problem document."""
    status = status_of(error)
    said: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        "code": error.code,
        "request_id": request_id,
    }
    if isinstance(error, InUse):
        said["used_by"] = list(error.used_by)
    if isinstance(error, DefinitionError | RowsError):
        said["problems"] = [
            {
                "code": each.code,
                "message": each.message,
                "remedy": each.remedy,
                "line": each.line,
                "column": each.column,
                "severity": each.severity,
            }
            for each in error.problems
        ]
    return said


def headers_of(error: EngineError) -> list[tuple[str, str]]:
    """What goes with the problem: when to come again, how to authenticate."""
    if isinstance(error, Refused):
        return list(error.headers)
    if isinstance(error, DatabaseUnavailable):
        return [("retry-after", str(RETRY_AFTER_S))]
    return []


async def send_problem(
    send: Send, error: EngineError, request_id: str, *, with_message: bool = False
) -> None:
    """Answer with the problem. ``with_message``: the detail stands there as ``message``, too. SDKs
    of Segment's kind read that (theirs for Python raises KeyError without it) and don't know
    RFC 9457's ``detail``.
    """
    said = details_of(error, request_id)
    if with_message:
        said["message"] = error.message
    body = guarded_json.dumps(said)
    headers: Headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        *((name.encode(), value.encode()) for name, value in headers_of(error)),
    ]
    await send({"type": "http.response.start", "status": status_of(error), "headers": headers})
    await send({"type": "http.response.body", "body": body})
