"""A token that doesn't change by itself (RFC 6750)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field, field_validator

from engine.credentials.credential import Placement
from engine.credentials.kinds.base import AuthKind, Plain, Secret, header_value_problem
from engine.credentials.references import SecretSource


class Bearer(AuthKind):
    """``Authorization: <prefix> <token>``; some APIs want ``Token`` for a prefix, or none."""

    kind: Literal["bearer"] = Field("bearer", description="A token that doesn't change by itself.")
    token: Secret = Field(description="The token.")
    prefix: Plain = Field("Bearer", description="What stands before the token; '' for nothing.")

    @field_validator("prefix")
    @classmethod
    def _can_be_sent(cls, prefix: str) -> str:
        return checked_prefix(prefix)

    def parts(self) -> Iterator[tuple[str, str | SecretSource]]:
        """The token."""
        yield "token", self.token

    def problem_with(self, field: str, value: str) -> str | None:
        """What can't stand in a header."""
        return header_value_problem(value)

    def shows_last_four(self, field: str) -> bool:
        """Yes."""
        return True

    def placement(self, values: Mapping[str, str]) -> Placement:
        """The Authorization header."""
        return Placement(headers=(("authorization", prefixed(self.prefix, values["token"])),))


def checked_prefix(prefix: str) -> str:
    """``prefix`` without outer spaces, if it can stand in a header; else ValueError."""
    problem = header_value_problem(prefix.strip()) if prefix.strip() else None
    if problem is not None:
        raise ValueError(problem)
    return prefix.strip()


def prefixed(prefix: str, value: str) -> str:
    """``prefix value``, or the value alone where there is no prefix."""
    return f"{prefix} {value}" if prefix else value
