"""Which kinds there are, and reading a profile that somebody wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from engine.credentials.kinds.api_key import ApiKey
from engine.credentials.kinds.base import AuthKind
from engine.credentials.kinds.basic import Basic
from engine.credentials.kinds.bearer import Bearer
from engine.credentials.kinds.none import NoAuth
from engine.credentials.kinds.oauth2 import OAuth2
from engine.wire.egress import Egress

KINDS: Mapping[str, type[AuthKind]] = {
    "none": NoAuth,
    "basic": Basic,
    "bearer": Bearer,
    "api_key": ApiKey,
    "oauth2": OAuth2,
}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field: ``path`` leads to it from the profile's top. Never a value."""

    path: tuple[str | int, ...]
    message: str

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))}: {self.message}" if self.path else self.message


def profile_name_problem(name: str) -> str | None:
    """Why ``name`` can't name a profile; None if it can."""
    if name == NoAuth.model_fields["kind"].default:
        return "`none` means no authentication: give the profile another name"
    if _NAME.fullmatch(name):
        return None
    return (
        "a profile's name is letters, digits, '_', '.', '-' (at most 100), a letter or digit first"
    )


def read_profile(
    written: Mapping[str, Any], *, egress: Egress | None = None
) -> AuthKind | tuple[FieldProblem, ...]:
    """The profile that ``written`` describes, or every problem it has.

    Secret fields take a reference as a file writes it (``{"env": "X"}``) or a
    :class:`~engine.credentials.references.Given`. ``egress`` says which token servers may be plain
    http besides loopback.
    """
    kind = written.get("kind")
    if kind is None:
        return (FieldProblem((), f"kind is missing: one of {', '.join(KINDS)}"),)
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return (FieldProblem(("kind",), f"is none of {', '.join(KINDS)}"),)
    try:
        return model.model_validate(dict(written), context={"egress": egress})
    except ValidationError as error:
        return tuple(
            _problem(model, each) for each in error.errors(include_input=False, include_url=False)
        )


def stored_profile(kind: str, settings: Mapping[str, Any]) -> AuthKind:
    """The profile that the store kept. Raises ``ValidationError`` where it was changed by hand."""
    return KINDS[kind].model_validate({**settings, "kind": kind}, context={"stored": True})


def _problem(model: type[AuthKind], error: Any) -> FieldProblem:
    path = tuple(error["loc"])
    match error["type"]:
        case "missing":
            return FieldProblem(path[:-1], f"{path[-1]} is missing")
        case "extra_forbidden":
            known = [field.alias or name for name, field in model.model_fields.items()]
            close = get_close_matches(str(path[-1]), known, n=1)
            hint = f"; did you mean {close[0]}?" if close else f": {', '.join(known)}"
            name = str(path[-1])[:40]
            return FieldProblem(path[:-1], f"{name!r} is no field of this kind{hint}")
        case "value_error":
            return FieldProblem(path, str(error["ctx"]["error"]))
        case "literal_error":
            return FieldProblem(path, f"must be {error['ctx']['expected']}")
        case "too_short":
            return FieldProblem(path, "needs at least one")
        case _:
            return FieldProblem(path, error["msg"][:1].lower() + error["msg"][1:])
