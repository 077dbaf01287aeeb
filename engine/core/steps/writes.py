"""What steps write: ``vars.NAME`` of the passage, ``user.NAME`` of the user."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from engine.core.steps.fields import Read, refuse

if TYPE_CHECKING:
    from engine.core.expressions.scope import Scope

_TARGET = re.compile(r"(vars|user)\.([A-Za-z_][A-Za-z0-9_]{0,62})")


def _read_target(raw: object) -> str:
    if not isinstance(raw, str) or not _TARGET.fullmatch(raw):
        shown = repr(raw[:80]) if isinstance(raw, str) else "this"
        refuse("target.invalid", f"{shown} can't be written to", "vars.NAME or user.NAME")
    if raw == "user.id":
        refuse("target.invalid", "a user's id is final", "vars.NAME, or another attribute")
    return raw


Target = Annotated[
    str,
    Read(
        _read_target,
        {
            "title": "vars.NAME or user.NAME",
            "type": "string",
            "pattern": rf"^(?!user\.id$){_TARGET.pattern}$",
            "errorMessage": "vars.NAME or user.NAME",
        },
    ),
]
"""What a step writes to: ``vars.NAME`` (this passage) or ``user.NAME`` (the user)."""


@dataclass(frozen=True, slots=True)
class Write:
    """One value to be written: where, and what makes it (raising Unfillable if nothing does)."""

    to_user: bool
    name: str
    make: Callable[[Scope], object]


def write_to(target: str, make: Callable[[Scope], object]) -> Write:
    """The write to ``vars.NAME`` or ``user.NAME``."""
    root, _, name = target.partition(".")
    return Write(root == "user", name, make)


def written(
    writes: Iterable[Write], scope: Scope
) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    """The values for ``vars`` and for ``user`` (None: there are none), all made from what stood
    before any was written.

    Raises Unfillable if one can't be made: then none is.
    """
    variables: dict[str, object] = {}
    attributes: dict[str, object] = {}
    for write in writes:
        (attributes if write.to_user else variables)[write.name] = write.make(scope)
    return variables or None, attributes or None
