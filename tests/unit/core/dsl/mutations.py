"""Mutations of valid journeys, read from ``tests/data/mutations``: see its README."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from engine.core.dsl.check import load_and_check
from engine.errors import DefinitionError, Problem

MUTATIONS = Path(__file__).parents[3] / "data" / "mutations"
RIGHT = "none"
"""The code of a mutation that leaves the file right."""


@dataclass(frozen=True)
class Mutation:
    """One edit of a valid file, and what an author should hear of it.

    ``line`` is the number of the line meant, ``remedy`` the words that must stand in the remedy,
    ``says`` those that must stand in the message or the remedy, ``also`` the codes of follow-ups.
    """

    name: str
    text: str
    line: int
    code: str
    remedy: tuple[str, ...]
    says: tuple[str, ...]
    also: tuple[str, ...]


@dataclass(frozen=True)
class Heard:
    """What the loader says of a mutation: the problem meant (or the first), and the others."""

    main: Problem | None
    others: tuple[Problem, ...]


def mutations() -> Iterator[Mutation]:
    """Every mutation of the corpus."""
    for file in sorted(MUTATIONS.glob("*.yaml")):
        for case in yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader):
            yield _mutation(file.stem, case)


def heard(mutation: Mutation) -> Heard:
    """Load the mutated file as ``journey check`` does."""
    problems = problems_of(mutation.text)
    main = next(
        (p for p in problems if (p.line, p.code) == (mutation.line, mutation.code)),
        problems[0] if problems else None,
    )
    return Heard(main, tuple(problem for problem in problems if problem is not main))


def problems_of(text: str) -> tuple[Problem, ...]:
    """Every error, or if there is none every warning, of a journey."""
    try:
        return load_and_check(text.encode(), "j.yaml").checked.problems
    except DefinitionError as error:
        return error.problems


@cache
def base(name: str) -> str:
    """The text of a valid file."""
    return (MUTATIONS / "bases" / f"{name}.yaml").read_text(encoding="utf-8")


def _mutation(area: str, case: dict[str, Any]) -> Mutation:
    before = base(case["in"])
    old, new = case["from"], case["to"]
    name = f"{area}: {new.strip()}"
    assert before.count(old) == 1, f"{name}: {old!r} stands {before.count(old)} times in the base"
    after = before.replace(old, new)
    return Mutation(
        name=name,
        text=after,
        line=_line(before, after, case, name),
        code=case["code"],
        remedy=tuple(str(word) for word in case.get("remedy", ())),
        says=tuple(str(word) for word in case.get("says", ())),
        also=tuple(case.get("also", ())),
    )


def _line(before: str, after: str, case: dict[str, Any], name: str) -> int:
    """The line of ``case['line']`` in the mutated text, or of the first change."""
    if meant := case.get("line"):
        assert after.count(meant) == 1, f"{name}: {meant!r} stands {after.count(meant)} times"
        at = after.index(meant) + (len(meant) - len(meant.lstrip("\n")))
    else:
        at = next(i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    return after.count("\n", 0, at) + 1
