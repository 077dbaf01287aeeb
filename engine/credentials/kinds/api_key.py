"""API keys: one or more named values in header, query or body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from engine.credentials.credential import Placement
from engine.credentials.kinds.base import (
    PART_OF_A_KIND,
    AuthKind,
    Place,
    Plain,
    PlainOrSecret,
    header_name_problem,
    header_value_problem,
    value_of,
)
from engine.credentials.kinds.bearer import checked_prefix, prefixed
from engine.credentials.references import SecretSource


class Pair(BaseModel):
    """One value and where it goes. ``prefix`` stands before it, with a space."""

    model_config = PART_OF_A_KIND

    name: Plain = Field(description="The name of the header, parameter or field.")
    value: PlainOrSecret = Field(description="Its value.")
    place: Annotated[Place, Field(alias="in", description="Where it goes.")] = "header"
    prefix: Plain = Field("", description="What stands before the value, with a space.")

    @field_validator("prefix")
    @classmethod
    def _prefix_can_be_sent(cls, prefix: str) -> str:
        return checked_prefix(prefix)

    @model_validator(mode="after")
    def _fits_its_place(self) -> Pair:
        problem = header_name_problem(self.name) if self.place == "header" else None
        if problem is None and not self.name:
            problem = "is empty"
        if problem is not None:
            raise ValueError(f"the pair's name {problem}")
        return self


class ApiKey(AuthKind):
    """``pairs``, each under a name of its own; a pair's name is its secret's field."""

    kind: Literal["api_key"] = Field("api_key", description="Keys in headers, query or body.")
    pairs: Annotated[tuple[Pair, ...], Field(min_length=1, max_length=20, description="The keys.")]

    @field_validator("pairs")
    @classmethod
    def _names_differ(cls, pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
        if len({pair.name.lower() for pair in pairs}) != len(pairs):
            raise ValueError("two pairs have the same name")
        if all(isinstance(pair.value, str) for pair in pairs):
            raise ValueError("no pair is secret: a plain header belongs to the endpoint")
        return pairs

    def parts(self) -> Iterator[tuple[str, str | SecretSource]]:
        """The value of every pair."""
        return ((pair.name, pair.value) for pair in self.pairs)

    def problem_with(self, field: str, value: str) -> str | None:
        """In a header, what can't stand there; elsewhere only emptiness."""
        in_header = any(p.name == field and p.place == "header" for p in self.pairs)
        if in_header:
            return header_value_problem(value)
        return None if value else "is empty"

    def shows_last_four(self, field: str) -> bool:
        """Yes."""
        return True

    def placement(self, values: Mapping[str, str]) -> Placement:
        """Every pair in its place."""
        by_place: dict[str, list[tuple[str, str]]] = {"header": [], "query": [], "body": []}
        for pair in self.pairs:
            name = pair.name.lower() if pair.place == "header" else pair.name
            text = prefixed(pair.prefix, value_of(pair.name, pair.value, values))
            by_place[pair.place].append((name, text))
        return Placement(
            tuple(by_place["header"]), tuple(by_place["query"]), tuple(by_place["body"])
        )
