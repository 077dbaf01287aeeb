"""The installation's time zone, as its setting names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.expressions.calendar import find_zone
from engine.errors import SettingsError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from engine.settings import Settings


def installation_zone(settings: Settings) -> ZoneInfo:
    """The zone of users and journeys without one. Raises SettingsError where there is none of that
    name: everybody's nine o'clock would be another one.
    """
    zone = find_zone(settings.timezone)
    if zone is None:
        raise SettingsError(
            f"JOURNEY_TIMEZONE names no known time zone: {settings.timezone[:60]!r}; use a name"
            " like Europe/Istanbul",
            code="settings.timezone",
        )
    return zone
