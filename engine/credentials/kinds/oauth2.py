"""OAuth 2.0 (RFC 6749): a token server gives access tokens for what is configured here.

The kind says how to ask and how to read; when to ask is ``engine/credentials/access_tokens``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from engine.core.expressions.durations import SECOND, DurationError, parse_duration
from engine.core.message import Answer
from engine.core.steps.fields import FixedSpan
from engine.credentials.credential import Placement
from engine.credentials.kinds.base import (
    AuthKind,
    Place,
    Plain,
    PlainOrSecret,
    Secret,
    control_problem,
    header_name_problem,
    header_value_problem,
)
from engine.credentials.kinds.bearer import checked_prefix, prefixed
from engine.credentials.references import SecretSource
from engine.credentials.token_urls import check_token_url
from engine.wire.egress import Egress

DEFAULT_TTL = 300 * SECOND
"""How long a token lasts whose server doesn't say. Short: a wrong guess costs one 401."""

_LONGEST_TTL = 30 * 86_400 * SECOND
_OWN_FIELDS = frozenset(
    {
        *("grant_type", "scope", "client_id", "client_secret"),
        *("username", "password", "refresh_token"),
    }
)


class Parameter(BaseModel):
    """One more parameter of the token request. A name may repeat (RFC 8707's ``resource``)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        populate_by_name=True,
        defer_build=True,
    )

    name: Plain = Field(description="The parameter's name.")
    value: PlainOrSecret = Field(description="Its value.")
    place: Annotated[Place, Field(alias="in", description="Where it goes.")] = "body"

    @model_validator(mode="after")
    def _fits_its_place(self) -> Parameter:
        problem = header_name_problem(self.name) if self.place == "header" else None
        if problem is None and not self.name:
            problem = "is empty"
        if problem is None and self.place != "header" and self.name in _OWN_FIELDS:
            problem = f"is a field of the profile itself: {self.name}"
        if problem is None and self.place == "header" and isinstance(self.value, str):
            problem = header_value_problem(self.value)
        if problem is not None:
            raise ValueError(f"the parameter's name {problem}")
        return self


def _later(what: str, words: frozenset[str]) -> BeforeValidator:
    def check(written: object) -> object:
        if isinstance(written, str) and written in words:
            raise ValueError(f"{what} {written} is not supported by this version")
        return written

    return BeforeValidator(check)


def _ttl(written: object, info: ValidationInfo) -> int:
    if isinstance(written, int) and info.context and info.context.get("stored"):
        return written
    try:
        length = parse_duration(written).elapsed if isinstance(written, str) else None
    except DurationError:
        length = None
    if length is None:
        raise ValueError("must be a duration such as PT5M")
    if not SECOND <= length <= _LONGEST_TTL:
        raise ValueError("must be between one second and 30 days")
    return length


def _parameters(written: object) -> object:
    """``{audience: x, resource: [a, b]}`` is short for a list of parameters in the body."""
    if not isinstance(written, Mapping):
        return written
    return [
        {"name": name, "value": value}
        for name, given in written.items()
        for value in (given if isinstance(given, list) else [given])
    ]


_WrittenParameters = tuple[Parameter, ...] | dict[str, PlainOrSecret | tuple[PlainOrSecret, ...]]


class OAuth2(AuthKind):
    """``grant`` client_credentials (RFC 6749, 4.4) or password (4.3, deprecated by RFC 9700).

    ``token_path`` and ``expiry_path`` are dotted paths into the answer for servers that wrap it;
    ``default_ttl`` (microseconds; written as a duration) is the life of a token whose server
    doesn't say.
    """

    kind: Literal["oauth2"] = Field("oauth2", description="OAuth 2.0: tokens are got and renewed.")
    grant: Annotated[
        Literal["client_credentials", "password"],
        _later("grant", frozenset({"authorization_code", "device_code", "implicit"})),
        Field(description="How tokens are asked for."),
    ] = "client_credentials"
    token_url: Plain = Field(description="Where tokens are asked for, https.")
    client_id: PlainOrSecret = Field(description="The client's name there.")
    client_secret: Secret | None = Field(None, description="The client's secret.")
    username: PlainOrSecret | None = Field(None, description="The user, of grant `password`.")
    password: Secret | None = Field(None, description="The password, of grant `password`.")
    scope: Plain = Field("", description="The scopes, separated by spaces.")
    client_auth: Annotated[
        Literal["basic", "post", "none"],
        _later("client_auth", frozenset({"private_key_jwt", "mtls", "client_secret_jwt"})),
        Field(description="How the client shows who it is: basic, in the body (post), or not."),
    ] = "basic"
    basic_encoding: Literal["form", "raw"] = Field(
        "form", description="RFC 6749, 2.3.1; raw for servers that don't decode."
    )
    body: Literal["form", "json"] = Field("form", description="How the request is written.")
    parameters: Annotated[
        tuple[Parameter, ...],
        BeforeValidator(_parameters, json_schema_input_type=_WrittenParameters),
        Field(max_length=50, description="More parameters, as audience; short: {NAME: VALUE}."),
    ] = ()
    token_path: Plain = Field("access_token", description="Where the answer has the token.")
    expiry_path: Plain = Field("expires_in", description="Where the answer has its life.")
    default_ttl: Annotated[
        int,
        BeforeValidator(_ttl, json_schema_input_type=FixedSpan),
        Field(description="The life of a token whose server doesn't say; PT5M unless said."),
    ] = DEFAULT_TTL
    prefix: Plain = Field("Bearer", description="What stands before the token.")

    @model_validator(mode="before")
    @classmethod
    def _no_discovery_yet(cls, written: object) -> object:
        if isinstance(written, Mapping) and "issuer" in written:
            raise ValueError(
                "issuer: finding the token server by discovery is not supported by this version:"
                " write token_url"
            )
        return written

    @field_validator("token_url")
    @classmethod
    def _may_carry_a_secret(cls, token_url: str, info: ValidationInfo) -> str:
        if info.context and info.context.get("stored"):
            return token_url
        egress = info.context.get("egress") if info.context else None
        check_token_url(token_url, egress or Egress())
        return token_url

    @field_validator("prefix")
    @classmethod
    def _prefix_can_be_sent(cls, prefix: str) -> str:
        return checked_prefix(prefix)

    @model_validator(mode="after")
    def _is_whole(self) -> OAuth2:
        if self.client_auth != "none" and self.client_secret is None:
            raise ValueError("client_secret is missing (without one write client_auth: none)")
        if self.client_auth == "none" and self.client_secret is not None:
            raise ValueError("client_auth: none sends no client_secret: leave it out")
        if self.client_auth == "none" and self.grant == "client_credentials":
            raise ValueError("grant client_credentials needs a client_secret (RFC 6749, 4.4)")
        if self.grant == "password" and (self.username is None or self.password is None):
            raise ValueError("grant password needs username and password")
        if self.grant != "password" and (self.username is not None or self.password is not None):
            raise ValueError("username and password belong to grant: password")
        secret = [p.name for p in self.parameters if not isinstance(p.value, str)]
        if len(set(secret)) != len(secret):
            raise ValueError("two secret parameters have the same name")
        return self

    def parts(self) -> Iterator[tuple[str, str | SecretSource]]:
        """Client, user, and the parameters as ``parameters.NAME``."""
        yield "client_id", self.client_id
        if self.client_secret is not None:
            yield "client_secret", self.client_secret
        if self.username is not None and self.password is not None:
            yield "username", self.username
            yield "password", self.password
        for parameter in self.parameters:
            yield f"parameters.{parameter.name}", parameter.value

    def problem_with(self, field: str, value: str) -> str | None:
        """Emptiness and control characters; what goes into a header must fit there."""
        if any(
            f"parameters.{each.name}" == field and each.place == "header"
            for each in self.parameters
        ):
            return header_value_problem(value)
        return control_problem(value) if value or field == "password" else "is empty"

    def shows_last_four(self, field: str) -> bool:
        """Not of the user's password."""
        return field != "password"

    def placement(self, values: Mapping[str, str]) -> Placement:
        """The Authorization header of ``values['access_token']``."""
        token = prefixed(self.prefix, values["access_token"])
        return Placement(headers=(("authorization", token),))

    @staticmethod
    def rejected(answer: Answer) -> bool:
        """401, or a 403 that names the token (RFC 6750, 3.1).

        ``insufficient_scope`` isn't: a new token would have the same scope.
        """
        challenge = answer.headers.get("www-authenticate", "").lower()
        if "insufficient_scope" in challenge:
            return False
        return answer.status == 401 or (answer.status == 403 and "invalid_token" in challenge)
