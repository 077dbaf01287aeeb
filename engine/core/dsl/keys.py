"""Which keys stand where, and what was meant by one that doesn't."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import get_args

from pydantic import BaseModel

from engine.core.dsl import synonyms
from engine.core.dsl.problems import nearest, one_of

Loc = tuple[int | str, ...]
"""Pydantic's place of an error: keys, indices and tags of unions."""

TRIGGERS = ("event", "schedule", "audience", "date")
"""The keys that tell triggers apart."""

_NOT_OURS = re.compile(r"[^a-z0-9]+")


def meant_by(
    key: str, model: type[BaseModel], loc: Loc, present: Collection[str | int]
) -> tuple[str, str]:
    """The remedy for ``key``, which doesn't stand at ``loc`` below ``model``, and the key it
    should have been there ('' if that isn't clear). ``present`` are the keys beside it.
    """
    here = models_at(model, loc)
    allowed = names_of(here)
    free = [name for name in allowed if name not in present]
    head, colon, rest = (part.strip() for part in key.partition(":"))
    if colon and head in allowed:
        return f"a space belongs behind the colon: `{head}: {rest}`", head
    other = synonym(key, free)
    place = "" if other in required_names(here) else _elsewhere(key, here, model, loc)
    meant = (
        "" if place else _nearest(key, free, loc, other if other in required_names(here) else "")
    )
    meant = meant or ("" if place else other)
    return place or (f"did you mean `{meant}`?" if meant else one_of(allowed)), meant


def _nearest(key: str, free: Iterable[str], loc: Loc, other: str) -> str:
    """The key that ``key`` is a misspelling of; ``other`` if that is certain already."""
    if not other and key not in TRIGGERS and loc and str(loc[-1]).startswith("by "):
        other = nearest(key, TRIGGERS, cutoff=0.75)
    return other or nearest(key, free)


def synonym(key: str, allowed: Iterable[str]) -> str:
    """Which of ``allowed`` other tools call ``key``, or ''."""
    free = frozenset(allowed)
    folded = _NOT_OURS.sub("_", key.lower()).strip("_")
    return next((name for name in synonyms.KEYS.get(folded, ()) if name in free), "")


def _elsewhere(key: str, here: list[type[BaseModel]], model: type[BaseModel], loc: Loc) -> str:
    """Where ``key`` does stand, if that is one level below or above."""
    for one in here:
        for name, _ in _fields(one):
            if any(key in names_of([inner]) for inner in _below(one, name)):
                return f"it stands in `{name}`"
    names = [item for item in loc if isinstance(item, str)]
    if not names or names[-1] not in names_of(models_at(model, loc[:-1])):
        return ""
    if key in names_of(models_at(model, loc[:-1])):
        return f"it stands beside `{names[-1]}`, not in it: in the step or list item around it"
    return ""


def allowed_keys(model: type[BaseModel], loc: Loc) -> list[str]:
    """The keys that may stand at pydantic's ``loc`` below ``model``."""
    return names_of(models_at(model, loc))


def names_of(models: Iterable[type[BaseModel]]) -> list[str]:
    """The keys of ``models``, in order of the alphabet."""
    return sorted({name for one in models for name, _ in _fields(one)})


def required_names(models: Iterable[type[BaseModel]]) -> frozenset[str]:
    """The keys that must stand in one of ``models``."""
    return frozenset(name for one in models for name, required in _fields(one) if required)


def models_at(model: type[BaseModel], loc: Loc) -> list[type[BaseModel]]:
    """The models that may stand at pydantic's ``loc`` below ``model``."""
    models = [model]
    for item in loc:
        if isinstance(item, int):
            continue
        below = [m for one in models for m in _below(one, item)]
        narrowed = [one for one in models if _is_told_by(one, item)]
        models = below or narrowed or models
    return models


def _is_told_by(model: type[BaseModel], tag: str) -> bool:
    """Whether ``tag`` of a union stands for ``model``: a step's type, or ``by KEY``."""
    field = model.model_fields.get("type")
    if field is not None and tag in get_args(field.annotation):
        return True
    return tag.startswith("by ") and tag[3:] in required_names([model])


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, bool]]:
    for name, field in model.model_fields.items():
        yield field.alias or name, field.is_required()


def _below(model: type[BaseModel], key: str) -> list[type[BaseModel]]:
    if not model.__pydantic_fields_complete__:
        model.model_rebuild()  # which steps a body holds is only known once it is built
    for name, field in model.model_fields.items():
        if key in (name, field.alias):
            return list(_models_in(field.annotation))
    return []


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
