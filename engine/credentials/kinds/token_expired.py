"""How an API says that an access token is over, where it doesn't say 401."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from engine.core import guarded_json
from engine.core.message import Answer
from engine.core.steps.definition import as_authors_meet_it
from engine.credentials.kinds.base import PART_OF_A_KIND, Plain, header_name_problem

_LARGEST_BODY = 64 * 1024
"""What says that a token is over is a short answer; reading each long one would cost too much."""


def _several(written: object) -> object:
    return list(written) if isinstance(written, list | tuple) else [written]


_Values = str | int | bool | tuple[str | int | bool, ...]
_Statuses = int | tuple[int, ...]


class _Condition(BaseModel):
    model_config = PART_OF_A_KIND

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return as_authors_meet_it(cls, core_schema, handler)


class HeaderSays(_Condition):
    """A header of the answer holds this text, whatever the case."""

    name: Plain = Field(description="The header's name.")
    holds: Plain = Field(min_length=1, description="A text that it holds, whatever the case.")

    @model_validator(mode="after")
    def _is_a_header(self) -> HeaderSays:
        problem = header_name_problem(self.name)
        if problem is not None:
            raise ValueError(f"name {problem}")
        return self


class JsonSays(_Condition):
    """One of these values stands at a dotted path of the answer's JSON."""

    path: Plain = Field(min_length=1, description="A dotted path, as in error.code.")
    equals: Annotated[
        tuple[str | int | bool, ...],
        BeforeValidator(_several, json_schema_input_type=_Values),
        Field(min_length=1, max_length=20, description="One of these stands there."),
    ]


class TokenExpired(_Condition):
    """All that is given must hold. A 401 means it anyhow."""

    status: Annotated[
        tuple[Annotated[int, Field(ge=200, le=599)], ...],
        BeforeValidator(_several, json_schema_input_type=_Statuses),
        Field(max_length=20, description="One of these statuses."),
    ] = ()
    header: HeaderSays | None = Field(None, description="A header that holds a text.")
    body: Annotated[
        JsonSays | None, Field(alias="json", description="A value in the answer's JSON.")
    ] = None

    @model_validator(mode="after")
    def _says_something(self) -> TokenExpired:
        if (
            self.header is None
            and self.body is None
            and (not self.status or min(self.status) < 300)
        ):
            raise ValueError("needs a header or json, or a status that isn't a success")
        return self

    def matches(self, answer: Answer) -> bool:
        """Whether ``answer`` says that the token it was asked with is over."""
        if not answer.status or (self.status and answer.status not in self.status):
            return False
        if self.header is not None:
            said = answer.headers.get(self.header.name.lower(), "")
            if self.header.holds.lower() not in said.lower():
                return False
        return self.body is None or _stands_in(answer.body, self.body)


def _stands_in(body: bytes, wanted: JsonSays) -> bool:
    if len(body) > _LARGEST_BODY:
        return False
    try:
        found = value_at(guarded_json.parse(body), wanted.path)
    except guarded_json.NotGuardedJSON:
        return False
    return any(found == each and type(found) is type(each) for each in wanted.equals)


def value_at(document: object, path: str) -> object:
    """What stands at a dotted path, None for nothing; a name with dots in it is tried first."""
    if isinstance(document, Mapping) and path in document:
        return document[path]
    found: object = document
    for name in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(name)
        elif isinstance(found, list) and name.isascii() and name.isdigit():
            found = found[int(name)] if int(name) < len(found) else None
        else:
            return None
    return found
