"""The kinds of values that stand in an OAuth profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo, model_validator

from engine.core.expressions.durations import SECOND, DurationError, parse_duration
from engine.core.steps.fields import FixedSpan
from engine.credentials.kinds.base import (
    PART_OF_A_KIND,
    Place,
    Plain,
    PlainOrSecret,
    header_name_problem,
    header_value_problem,
)

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

    model_config = PART_OF_A_KIND

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


def later(what: str, words: frozenset[str]) -> BeforeValidator:
    """Words that are known and not supported yet are refused as such."""

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


def read_parameters(written: object) -> object:
    """``{audience: x, resource: [a, b]}`` is short for a list of parameters in the body."""
    if not isinstance(written, Mapping):
        return written
    return [
        {"name": name, "value": value}
        for name, given in written.items()
        for value in (given if isinstance(given, list) else [given])
    ]


WrittenParameters = tuple[Parameter, ...] | dict[str, PlainOrSecret | tuple[PlainOrSecret, ...]]
"""Both ways to write them."""

Ttl = Annotated[int, BeforeValidator(_ttl, json_schema_input_type=FixedSpan)]
"""A life in microseconds; written as a duration."""
