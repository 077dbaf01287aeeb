"""From one version of a journey to another: what it means, and as lines."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING

from engine.core.dsl.load import load
from engine.operations.export import export
from engine.versions.changes import Changes, changes

if TYPE_CHECKING:
    from engine.db.connect import Connection


@dataclass(slots=True, frozen=True)
class Difference:
    """What version ``after`` is other than ``before``; ``text`` is a unified diff, '' for none."""

    journey: str
    before: int
    after: int
    changes: Changes
    text: str


def difference(connection: Connection, journey: str, before: int, after: int) -> Difference:
    """How two versions of a journey differ. Raises NotFound."""
    old, new = export(connection, journey, before), export(connection, journey, after)
    names = f"{journey} version {before}", f"{journey} version {after}"
    lines = unified_diff(old.splitlines(), new.splitlines(), *names, lineterm="")
    loaded = load(old.encode(), names[0]), load(new.encode(), names[1])
    return Difference(journey, before, after, changes(*loaded), "\n".join(lines))
