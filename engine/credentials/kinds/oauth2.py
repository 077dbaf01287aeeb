"""OAuth 2.0 (RFC 6749): a token server gives access tokens for what is configured here.

The kind says how to ask and how to read; when to ask is ``engine/credentials/access_tokens``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from engine.core.message import Answer
from engine.core.steps.editors import Rule, takes_one_of
from engine.credentials.credential import Placement
from engine.credentials.kinds.base import (
    AuthKind,
    Ca,
    Plain,
    PlainOrSecret,
    Secret,
    control_problem,
    header_value_problem,
)
from engine.credentials.kinds.bearer import checked_prefix, prefixed
from engine.credentials.kinds.oauth2_fields import (
    DEFAULT_TTL,
    Parameter,
    Ttl,
    WrittenParameters,
    later,
    read_parameters,
)
from engine.credentials.kinds.token_expired import TokenExpired
from engine.credentials.references import SecretSource
from engine.credentials.token_urls import check_issuer, check_token_url
from engine.wire.egress import Egress


class OAuth2(AuthKind):
    """``grant`` client_credentials (RFC 6749, 4.4) or password (4.3, deprecated by RFC 9700).

    The token server is ``token_url``, or what ``issuer`` says of itself (RFC 8414).
    ``revocation_url`` (RFC 7009) is told when the profile is deleted. ``token_path`` and
    ``expiry_path`` are dotted paths into the answer for servers that wrap it, ``expiry_unit`` is
    what its number counts; ``default_ttl`` (microseconds; written as a duration) is the life of a
    token whose server doesn't say.
    """

    editor_rules: ClassVar[tuple[Rule, ...]] = takes_one_of("token_url", "issuer")

    kind: Literal["oauth2"] = Field("oauth2", description="OAuth 2.0: tokens are got and renewed.")
    grant: Annotated[
        Literal["client_credentials", "password"],
        later("grant", frozenset({"authorization_code", "device_code", "implicit"})),
        Field(description="How tokens are asked for."),
    ] = "client_credentials"
    token_url: Plain | None = Field(None, description="Where tokens are asked for, https.")
    issuer: Plain | None = Field(None, description="Who says where they are asked for (RFC 8414).")
    revocation_url: Plain | None = Field(
        None, description="Where they are revoked when the profile is deleted (RFC 7009)."
    )
    client_id: PlainOrSecret = Field(description="The client's name there.")
    client_secret: Secret | None = Field(None, description="The client's secret.")
    username: PlainOrSecret | None = Field(None, description="The user, of grant `password`.")
    password: Secret | None = Field(None, description="The password, of grant `password`.")
    scope: Plain = Field("", description="The scopes, separated by spaces.")
    client_auth: Annotated[
        Literal["basic", "post", "none", "mtls"],
        later("client_auth", frozenset({"private_key_jwt", "client_secret_jwt"})),
        Field(
            description="How the client shows who it is: basic, in the body (post), by its client"
            " certificate (mtls), or not."
        ),
    ] = "basic"
    basic_encoding: Literal["form", "raw"] = Field(
        "form", description="RFC 6749, 2.3.1; raw for servers that don't decode."
    )
    body: Literal["form", "json", "query"] = Field(
        "form", description="How the request is written."
    )
    parameters: Annotated[
        tuple[Parameter, ...],
        BeforeValidator(read_parameters, json_schema_input_type=WrittenParameters),
        Field(max_length=50, description="More parameters, as audience; short: {NAME: VALUE}."),
    ] = ()
    token_path: Plain = Field("access_token", description="Where the answer has the token.")
    expiry_path: Plain = Field("expires_in", description="Where the answer has its life.")
    expiry_unit: Literal["seconds", "milliseconds", "minutes"] = Field(
        "seconds", description="What the number there counts."
    )
    default_ttl: Annotated[
        Ttl, Field(description="The life of a token whose server doesn't say; PT5M unless said.")
    ] = DEFAULT_TTL
    token_expired_when: TokenExpired | None = Field(
        None, description="How the API says that a token is over, besides 401."
    )
    ca: Ca | None = Field(
        None, description="PEM certificates trusted besides the public ones, of the token server."
    )
    prefix: Plain = Field("Bearer", description="What stands before the token.")

    @field_validator("token_url", "revocation_url", "issuer")
    @classmethod
    def _may_carry_a_secret(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None or (info.context and info.context.get("stored")):
            return url
        egress = (info.context.get("egress") if info.context else None) or Egress()
        check = check_issuer if info.field_name == "issuer" else check_token_url
        check(url, egress)
        return url

    @field_validator("prefix")
    @classmethod
    def _prefix_can_be_sent(cls, prefix: str) -> str:
        return checked_prefix(prefix)

    @model_validator(mode="after")
    def _is_whole(self) -> OAuth2:
        if (self.token_url is None) == (self.issuer is None):
            problem = "is missing" if self.issuer is None else "and issuer exclude each other"
            raise ValueError(f"token_url {problem}: give the one, or the other to find it by")
        self._check_client()
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

    def _check_client(self) -> None:
        sends_one = self.client_auth in ("basic", "post")
        if sends_one and self.client_secret is None:
            raise ValueError("client_secret is missing (without one write client_auth: none)")
        if not sends_one and self.client_secret is not None:
            raise ValueError(
                f"client_auth: {self.client_auth} sends no client_secret: leave it out"
            )
        if self.client_auth == "mtls" and self.client_certificate is None:
            raise ValueError("client_auth: mtls needs a client_certificate (RFC 8705)")

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
