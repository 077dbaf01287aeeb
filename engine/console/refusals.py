"""A request that can't be granted, as a page says it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from engine.errors import (
    DatabaseUnavailable,
    EngineError,
    Forbidden,
    InUse,
    NotFound,
    OperatorError,
    StepFailure,
)

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_KINDS: tuple[tuple[type[EngineError], int, str], ...] = (
    (NotFound, 404, "Nothing of that name"),
    (Forbidden, 403, "Not yours to do"),
    (InUse, 409, "Still used"),
    (OperatorError, 409, "This can't be done"),
    (StepFailure, 409, "This can't be done"),
    (DatabaseUnavailable, 503, "The database can't be used just now"),
)


class Refusal(EngineError):
    """``status`` says it in HTTP's words, ``title`` and the message in a person's."""

    code = "console.refused"

    def __init__(
        self,
        status: int,
        title: str,
        message: str,
        used_by: tuple[str, ...] = (),
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.title = title
        self.used_by = used_by
        self.headers = headers


def refusal_of(error: Exception) -> Refusal:
    """What a page says of an error; of a bug nothing but that it is one."""
    if isinstance(error, Refusal):
        return error
    if not isinstance(error, EngineError):
        message = "this is a bug in journey; the log has it under the request's id"
        return Refusal(500, "A bug", message)
    used_by = error.used_by if isinstance(error, InUse) else ()
    for kind, status, title in _KINDS:
        if isinstance(error, kind):
            headers = {"retry-after": "2"} if status == 503 else {}
            return Refusal(status, title, error.message, used_by, headers)
    return Refusal(500, "The installation is wrong", error.message)
