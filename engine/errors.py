"""Every error the engine raises on purpose, in one tree.

::

    EngineError                  .code (stable slug), .message (what, where, what to do)
    ├── DefinitionError          the author slipped: every problem of a file at once
    ├── OperatorError            can't be granted now                       → exit 2, HTTP 4xx
    │   ├── NotFound
    │   ├── InUse                .used_by names who
    │   ├── Limit
    │   ├── Forbidden
    │   └── ChangedMeanwhile
    ├── SettingsError            the installation is wrong                  → exit 78
    ├── DatabaseUnavailable      the database can't be reached or written   → exit 5
    └── StepFailure              the world said no: caught once, becomes data
        ├── CredentialFailure    credential.missing | unreadable | rejected | unavailable
        │                        | host_not_allowed
        └── CallFailure          call.unfillable | blocked | unreachable | timed_out | rate_limited
                                 | circuit_open | client_error | server_error | bad_response
                                 | refused_by_rule | unknown

A message is one line and never holds a secret. Anything that isn't in this tree is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


class EngineError(Exception):
    """The root. ``code`` is a stable slug; ``message`` says what, where, and what to do."""

    code: str = "engine.error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a file an author wrote, as a compiler would print it.

    ``line`` and ``column`` count from 1. ``remedy`` says what would be right ('' if nothing can be
    said). ``text`` is the line as written, for the caret. ``end`` is the column behind the last
    character that is meant, 0 where it isn't known.
    """

    code: str
    message: str
    line: int
    column: int
    remedy: str = ""
    text: str = ""
    severity: Literal["error", "warning"] = "error"
    end: int = field(default=0, compare=False)


class DefinitionError(EngineError):
    """A journey, scenario or apply file can't be used; carries every problem, in file order."""

    code = "definition.invalid"

    def __init__(
        self, file: str, problems: tuple[Problem, ...], *, code: str | None = None
    ) -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(
            f"{file}:{first.line}:{first.column}: {first.message}{more}", code=code or first.code
        )
        self.file = file
        self.problems = problems


class OperatorError(EngineError):
    """What was asked for can't be granted now. Exit code 2; HTTP 4xx."""

    code = "operator.refused"


class NotFound(OperatorError):
    """Nothing of that name is here."""

    code = "operator.not_found"


class InUse(OperatorError):
    """It is still used; ``used_by`` has one line per user of it."""

    code = "operator.in_use"

    def __init__(self, message: str, used_by: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.used_by = used_by


class Limit(OperatorError):
    """A bound of the product was reached."""

    code = "operator.limit"


class Forbidden(OperatorError):
    """The actor may not do this."""

    code = "operator.forbidden"


class ChangedMeanwhile(OperatorError):
    """It isn't any more what the change was made for."""

    code = "operator.changed"


class SettingsError(EngineError):
    """The installation is wrong (settings, keys, foreign or unknown database). Exit code 78."""

    code = "settings.invalid"


class DatabaseUnavailable(EngineError):
    """The database can't be reached or written now: locked, read-only, full. Exit code 5."""

    code = "database.unavailable"


class DecidedByHalf(DatabaseUnavailable):
    """The database failed while a set was decided: what is in memory is void, and is read anew."""


class StepFailure(EngineError):
    """The world said no. Caught once, at the border, and recorded as the step's failure."""

    code = "step.failed"


class CredentialFailure(StepFailure):
    """No usable credential for this request; ``code`` is one of ``credential.*``."""

    code = "credential.unavailable"


class CallFailure(StepFailure):
    """The request couldn't be made or its answer is a failure; ``code`` is one of ``call.*``."""

    code = "call.unknown"
