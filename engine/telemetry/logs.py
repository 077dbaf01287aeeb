"""Logs: one JSON object a line, with every secret that this process has opened taken out.

They go to standard error, or to a file. Libraries are heard from WARNING on, at level DEBUG from
there; those that speak HTTP print URLs, headers and bodies, and are never heard below WARNING.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from engine.errors import SettingsError
from engine.telemetry.redact import RedactionFilter, Redactor

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

HTTP_LIBRARIES = ("httpx", "httpcore", "h11", "h2", "hpack", "urllib3", "requests")
"""Loggers of libraries that put requests on the wire: at DEBUG some print tokens as they send them.

Redaction would find most of it; what is never written needs no finding.
"""

_OURS = "engine"
_HANDLER = "journey"


def start_logging(level: str, file: str, redactor: Redactor) -> None:
    """Log what is at least ``level`` to ``file`` ('': standard error). Starting again replaces what
    was started before.

    Raises :class:`SettingsError` for a level that isn't one and a file that can't be written.
    """
    wanted = level.upper()
    if wanted not in LEVELS:
        raise SettingsError(
            f"JOURNEY_LOG_LEVEL is {level[:20]!r}; give one of {', '.join(LEVELS)}",
            code="settings.log_level",
        )
    handler = _destination(file)
    handler.setFormatter(_JSONLines())
    handler.addFilter(RedactionFilter(redactor))
    handler.set_name(_HANDLER)
    root = logging.getLogger()
    for before in [each for each in root.handlers if each.name == _HANDLER]:
        root.removeHandler(before)
        before.close()
    root.addHandler(handler)
    root.setLevel(wanted if wanted in ("DEBUG", "ERROR", "CRITICAL") else logging.WARNING)
    logging.getLogger(_OURS).setLevel(wanted)
    for name in HTTP_LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # What logging says about a record it can't write would hold the record's arguments.
    logging.raiseExceptions = False


def _destination(file: str) -> logging.Handler:
    if not file:
        return _StandardError()
    from engine.telemetry.log_file import LogFile  # noqa: PLC0415 - brings sockets and pickles

    try:
        return LogFile(file)
    except OSError as error:
        raise SettingsError(
            f"JOURNEY_LOG_FILE can't be written: {file}: {error.strerror}", code="settings.log_file"
        ) from None


class _StandardError(logging.Handler):
    """Standard error as it is at the moment of writing."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line; a closed or full standard error ends nothing."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 (see logging.raiseExceptions)
            self.handleError(record)


class _JSONLines(logging.Formatter):
    """``{"at", "level", "logger", "message"}`` and, of an exception, ``traceback``."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        at = datetime.fromtimestamp(record.created, UTC)
        line = {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_text:
            line["traceback"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)
