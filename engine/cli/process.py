"""What every command does first, before it reads anything that may be secret."""

from __future__ import annotations

from engine.processes.limits import no_core_dumps
from engine.settings import environment, load_settings
from engine.telemetry.logs import start_logging
from engine.telemetry.redact import known_secrets


def begin() -> None:
    """No core dumps; logs as the settings say, redacted. Raises SettingsError."""
    no_core_dumps()
    settings = load_settings(environment())
    known_secrets.learn((settings.kek, settings.kek_new))
    start_logging(settings.log_level, settings.log_file, known_secrets)
