"""Slips that people make: each is told at its line, with what would be right, and told once."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from engine.core.dsl import journey
from engine.core.dsl.keys import models_at, names_of
from tests.unit.core.dsl.mutations import RIGHT, Mutation, base, heard, mutations, problems_of

ALL = list(mutations())

_NEVER_MISTYPED = frozenset(("type", "url"))


@pytest.mark.parametrize("mutation", ALL, ids=[one.name for one in ALL])
def test_a_slip_is_told_once_at_its_line_with_what_would_be_right(mutation: Mutation) -> None:
    told = heard(mutation)
    if mutation.code == RIGHT:
        assert told.main is None
        return
    assert told.main is not None, "nothing was said"
    assert (told.main.line, told.main.code) == (mutation.line, mutation.code)
    assert [word for word in mutation.remedy if word not in told.main.remedy] == []
    said = f"{told.main.message} {told.main.remedy}"
    assert [word for word in mutation.says if word not in said] == []
    assert sorted(problem.code for problem in told.others) == sorted(mutation.also)


@pytest.mark.parametrize("name", ["membership", "cart-rescue", "renewal"])
def test_what_is_mutated_is_right_as_it_stands(name: str) -> None:
    assert problems_of(base(name)) == ()


def test_the_corpus_is_large_and_no_slip_has_more_than_one_follow_up() -> None:
    assert len(ALL) > 500
    assert len({one.text for one in ALL}) == len(ALL)
    assert max(len(one.also) for one in ALL) <= 1


def test_every_key_of_the_language_is_mistyped_once() -> None:
    right = {name for one in _models() for name in names_of([one])}
    unmistyped = {
        name
        for name in right
        if not any(one.code == "key.unknown" and f"`{name}`" in one.remedy for one in ALL)
    }
    assert unmistyped <= _NEVER_MISTYPED


def _models() -> list[type[BaseModel]]:
    """Every model that stands in a journey file."""
    found: list[type[BaseModel]] = [journey.Journey]
    for model in found:
        for name in names_of([model]):
            found.extend(one for one in models_at(model, (name,)) if one not in found)
    return found
