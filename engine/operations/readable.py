"""Settings that are read where they are needed, read all at once: before anything is begun."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from engine.errors import SettingsError
from engine.operations.retention import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.settings import Settings

_READ: tuple[Callable[[Settings], object], ...] = (
    attrgetter("calls_in_flight"),
    attrgetter("lease_s"),
    attrgetter("backups_to_keep"),
    Kept.by,
)
_OF_DOORS: tuple[Callable[[Settings], object], ...] = (
    attrgetter("listens_on"),
    attrgetter("bytes_in_a_body"),
)


def unreadable(settings: Settings, *, doors: bool = True) -> Iterator[SettingsError]:
    """What is wrong with each setting that can't be read; with those of ``doors``, HTTP's."""
    for read in (*_READ, *(_OF_DOORS if doors else ())):
        try:
            read(settings)
        except SettingsError as error:
            yield error


def require_readable(settings: Settings, *, doors: bool) -> None:
    """Raise SettingsError for the first setting that can't be read, as :func:`unreadable`."""
    for error in unreadable(settings, doors=doors):
        raise error
