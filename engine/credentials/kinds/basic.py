"""HTTP Basic (RFC 7617): user and password in UTF-8."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field, field_validator

from engine.credentials.credential import Placement
from engine.credentials.kinds.base import (
    AuthKind,
    PlainOrSecret,
    Secret,
    control_problem,
    value_of,
)
from engine.credentials.references import SecretSource


class Basic(AuthKind):
    """``Authorization: Basic`` of ``username:password``. An empty password is legal."""

    kind: Literal["basic"] = Field("basic", description="HTTP Basic: user and password.")
    username: PlainOrSecret = Field(description="The user's name; no `:` in it.")
    password: Secret = Field(description="The password; may be empty.")

    @field_validator("username")
    @classmethod
    def _fits_before_the_colon(cls, username: str | SecretSource) -> str | SecretSource:
        problem = _username_problem(username) if isinstance(username, str) else None
        if problem is not None:
            raise ValueError(problem)
        return username

    def parts(self) -> Iterator[tuple[str, str | SecretSource]]:
        """User name and password."""
        yield "username", self.username
        yield "password", self.password

    def problem_with(self, field: str, value: str) -> str | None:
        """RFC 7617: no control characters, no colon in the user."""
        return _username_problem(value) if field == "username" else control_problem(value)

    def placement(self, values: Mapping[str, str]) -> Placement:
        """The Authorization header."""
        user = value_of("username", self.username, values)
        pair = b64encode(f"{user}:{values['password']}".encode()).decode()
        return Placement(headers=(("authorization", f"Basic {pair}"),))


def _username_problem(username: str) -> str | None:
    if ":" in username:
        return "can't hold a ':' (RFC 7617)"
    return control_problem(username)
