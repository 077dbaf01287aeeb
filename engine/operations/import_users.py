"""Users from a file: all of it is checked, then their attributes are told of, set by set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.operations.sending import change_of, in_sets, require_importable
from engine.users.files import open_users
from engine.users.ingest import rows_of

if TYPE_CHECKING:
    from engine.db.connect import Database
    from engine.errors import Problem
    from engine.users.source import Source


@dataclass(slots=True, frozen=True)
class Imported:
    """How many users were told of, how many bad rows left out, and the first of those."""

    users: int
    skipped: int
    problems: tuple[Problem, ...]


def import_users(database: Database, source: Source, *, skip_bad: bool = False) -> Imported:
    """Tell of the users in ``source`` (CSV or JSON Lines), which is closed then. A worker receives
    them.

    Raises UsersFileError for bad rows (unless ``skip_bad``) and where there is no user at all.
    """
    with open_users(source, inputs={}, skip_bad=skip_bad, also=require_importable) as given:
        sets = in_sets(database, map(change_of, given.rows()), rows_of)
        sent = sum(added.changes for added in sets)
        return Imported(sent, given.skipped, tuple(given.problems))
