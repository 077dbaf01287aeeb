"""A journey's file as commands take it: read with a bound, loaded, checked, its needs met."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.versions.files import LARGEST, UnreadableFile, read_bounded

if TYPE_CHECKING:
    from pathlib import Path

    from engine.core.dsl.check import LoadedAndChecked

__all__ = ["LARGEST", "UnreadableFile", "load_journey", "read_bounded"]


def load_journey(file: Path, source: bytes) -> LoadedAndChecked:
    """The journey of a file that was read. Raises DefinitionError with every problem."""
    from engine.core.dsl.check import load_and_check

    return load_and_check(source, str(file))
