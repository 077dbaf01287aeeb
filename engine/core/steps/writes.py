"""What steps write: ``vars.NAME`` of the passage, ``user.NAME`` of the user."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.core.expressions.scope import Scope


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


def written(writes: Iterable[Write], scope: Scope) -> tuple[dict[str, object], dict[str, object]]:
    """The values for ``vars`` and for ``user``, all made from what stood before any was written.

    Raises Unfillable if one can't be made: then none is.
    """
    variables: dict[str, object] = {}
    attributes: dict[str, object] = {}
    for write in writes:
        (attributes if write.to_user else variables)[write.name] = write.make(scope)
    return variables, attributes
