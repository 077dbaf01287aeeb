"""What every kind of auth profile has, and how its fields are written.

A kind is one frozen model: which fields it has, which of them are secret, what it puts into a
request, and which answers mean that the credential was refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from engine.core.message import Answer
from engine.core.steps.definition import as_authors_meet_it
from engine.credentials.credential import Placement
from engine.credentials.expiry import read_date
from engine.credentials.references import SecretSource, read_source, written_form
from engine.credentials.wording import CLIENT_CERTIFICATE, THREE_WAYS
from engine.wire.certificates import ca_problem, client_certificate_problem
from engine.wire.transport import OWNED_HEADERS

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_VISIBLE = re.compile(r"[\x20-\x7e\t]*")
_LONGEST_TEXT = 2_000


def _source(written: object, info: ValidationInfo) -> SecretSource:
    return read_source(written, stored=bool(info.context and info.context.get("stored")))


def _text_or_source(written: object, info: ValidationInfo) -> str | SecretSource:
    return _text(written) if isinstance(written, str) else _source(written, info)


def _text(written: object) -> str:
    if not isinstance(written, str):
        raise ValueError("must be text")
    if len(written) > _LONGEST_TEXT or _CONTROL.search(written):
        raise ValueError("must be one line of text of at most 2,000 characters")
    return written


def _ca(written: object) -> str:
    problem = ca_problem(written) if isinstance(written, str) else "must be text"
    if problem is not None:
        raise ValueError(problem)
    return str(written)


def _as_written(value: str | SecretSource) -> object:
    return value if isinstance(value, str) else written_form(value)


_REFERENCES = {
    "seal_from_env": "Read from this variable now, and sealed in the database.",
    "env": "Read from this variable of the process that sends.",
    "file": "Read from this file below JOURNEY_SECRET_DIRS, whenever it changes.",
}
_OF_PLAIN: JsonSchemaValue = {"type": "string", "maxLength": _LONGEST_TEXT}
_OF_SECRETS: JsonSchemaValue = {
    "title": "secret",
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
    "properties": {
        way: {"type": "string", "minLength": 1, "description": about}
        for way, about in _REFERENCES.items()
    },
    "errorMessage": THREE_WAYS,
}

Secret = Annotated[
    SecretSource,
    PlainValidator(_source),
    PlainSerializer(_as_written),
    WithJsonSchema(_OF_SECRETS),
]
"""A secret field: always a source, never a value."""

Ca = Annotated[str, PlainValidator(_ca), WithJsonSchema({"type": "string"})]
"""Certificates of authorities in PEM."""

Plain = Annotated[str, PlainValidator(_text), WithJsonSchema(_OF_PLAIN)]
"""A field that is no secret."""

PlainOrSecret = Annotated[
    str | SecretSource,
    PlainValidator(_text_or_source),
    PlainSerializer(_as_written),
    WithJsonSchema({"title": "text or secret", "oneOf": [_OF_SECRETS, _OF_PLAIN]}),
]
"""A field that may be written plainly or kept secret."""


PART_OF_A_KIND = ConfigDict(
    frozen=True,
    extra="forbid",
    hide_input_in_errors=True,
    populate_by_name=True,
    defer_build=True,
)
"""How the models are that a kind's fields are made of."""


class AuthKind(BaseModel):
    """The base of every kind. ``title`` is for people; ``origins`` (``https://host``) are where the
    credential may be sent besides the endpoints that an admin gives it to; ``secret_expires`` is
    the date at which the service ends its secret, for a warning in time. ``client_certificate``
    (PEM: a certificate, perhaps its chain, and its private key) is shown to whom the credential is
    sent, in the TLS handshake (RFC 8446, 4.4.2).
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )

    kind: str = Field(description="What kind of authentication it is.")
    title: Plain = Field("", description="What people see instead of the name.")
    origins: tuple[Plain, ...] = Field(
        (), description="Where it may be sent besides the endpoints that have it: https://host."
    )

    secret_expires: Annotated[
        str | None,
        BeforeValidator(read_date),
        Field(description="The date at which the service ends the secret, as in 2027-03-31."),
    ] = None
    client_certificate: Secret | None = Field(
        None, description="A client certificate with its private key (PEM), shown in TLS."
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The schema as authors meet it."""
        return as_authors_meet_it(cls, core_schema, handler)

    def sources(self) -> dict[str, SecretSource]:
        """Every secret field of this profile and where its value comes from."""
        found = {name: value for name, value in self.parts() if not isinstance(value, str)}
        if self.client_certificate is not None:
            found[CLIENT_CERTIFICATE] = self.client_certificate
        return found

    def value_problem(self, field: str, value: str) -> str | None:
        """Why ``value`` can't be the secret ``field``, in words without it; None if it can."""
        if field == CLIENT_CERTIFICATE:
            return client_certificate_problem(value)
        return self.problem_with(field, value)

    def parts(self) -> Iterator[tuple[str, str | SecretSource]]:
        """Every field that is, or may be, secret: name → text or source."""
        return iter(())

    def problem_with(self, field: str, value: str) -> str | None:
        """The same for the fields that are this kind's own."""
        return None

    def shows_last_four(self, field: str) -> bool:
        """Whether the last four characters may be shown: of keys and tokens, never of passwords."""
        return False

    def placement(self, values: Mapping[str, str]) -> Placement:
        """What the opened ``values`` (by secret field) put into a request."""
        raise NotImplementedError

    @staticmethod
    def rejected(answer: Answer) -> bool:
        """Whether this answer says that the credential isn't good (any more)."""
        return answer.status == 401

    def stored_settings(self) -> dict[str, object]:
        """The profile without its secrets, as JSON values: what the store keeps."""
        return self.model_dump(
            mode="json", by_alias=True, exclude={"kind", "title", "origins"}, exclude_defaults=True
        )


def value_of(field: str, written: str | SecretSource, values: Mapping[str, str]) -> str:
    """The text of a field that may be plain or secret."""
    return written if isinstance(written, str) else values[field]


def header_name_problem(name: str) -> str | None:
    """Why ``name`` is no header that a profile may set (RFC 9110, 5.1); None if it is one."""
    if not _TOKEN.fullmatch(name):
        return "is no header name"
    if name.lower() in _FRAMING:
        return f"is a header that HTTP itself sets: {name.lower()}"
    return None


_FRAMING = OWNED_HEADERS | {"content-type", "proxy-authorization"}


def header_value_problem(value: str) -> str | None:
    """Why ``value`` can't stand in a header; None if it can. Says nothing about the value."""
    if not value:
        return "is empty"
    if not _VISIBLE.fullmatch(value):
        return "holds a character that can't be sent in a header"
    if value != value.strip():
        return "begins or ends with a space"
    return None


def control_problem(value: str) -> str | None:
    """Whether ``value`` holds control characters, in words; None if not."""
    return "holds a control character" if _CONTROL.search(value) else None


Place = Literal["header", "query", "body"]
