"""What a look finds: one thing each, and how looking goes on where something can't be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.db.connect import Database

State = Literal["ok", "odd", "wrong"]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and what to do about it ('' if nothing)."""

    name: str
    state: State
    found: str
    remedy: str = ""


def outliving(name: str, checks: Iterator[_T]) -> Iterator[_T | Check]:
    """``checks``; where one breaks off, as at a row that nobody can have written, a finding says
    so.
    """
    try:
        yield from checks
    except EngineError as error:
        yield Check(name, "wrong", error.message)
    except OSError as error:  # says nothing of what the database holds
        where = "" if error.filename is None else f": {error.filename}"
        yield Check(name, "wrong", f"can't be looked at: {error.strerror}{where}")
    except Exception as error:  # noqa: BLE001 - what else is wrong has to be told as well
        found = f"what the database holds of it can't be read ({type(error).__name__})"
        yield Check(name, "wrong", found, "restore it from a backup, or report this as a bug")


def reading(
    name: str, database: Database, checks: Callable[..., Iterator[Check]], *arguments: object
) -> Iterator[Check]:
    """:func:`outliving`, of ``checks`` that take a connection and ``arguments``: in a transaction
    of their own, since a server reads nothing behind an error.
    """

    def read() -> Iterator[Check]:
        with database.read() as connection:
            yield from checks(connection, *arguments)

    return outliving(name, read())
