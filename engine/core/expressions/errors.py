"""What an expression can say no with: at compile time to its author, at run time to its step."""

from __future__ import annotations

from engine.errors import EngineError, StepFailure

Place = tuple[str | int, ...]


class ExpressionError(EngineError):
    """The author's text isn't an expression, a value or a path of the language.

    ``offset`` is the 0-based column in the text that was compiled, ``remedy`` says what would be
    right ('' if nothing can be said), ``path`` is the place inside a value: keys and indices.
    """

    code = "definition.expression"

    def __init__(self, message: str, offset: int = 0, remedy: str = "", path: Place = ()) -> None:
        super().__init__(message)
        self.offset = offset
        self.remedy = remedy
        self.path = path

    def at(self, path: Place, offset: int = 0) -> ExpressionError:
        """The same error, seen from further out: ``path`` before it, ``offset`` added."""
        return ExpressionError(self.message, self.offset + offset, self.remedy, path + self.path)


class Unfillable(StepFailure):
    """A value can't be made from this user's data: null, too big, or not for this place.

    The message names the expression, never the data. ``path`` is the place inside the value.
    """

    code = "step.unfillable"

    def __init__(self, message: str, path: Place = ()) -> None:
        super().__init__(message)
        self.path = path

    def at(self, path: Place) -> Unfillable:
        """The same failure, seen from further out."""
        return Unfillable(self.message, path + self.path)
