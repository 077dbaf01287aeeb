"""What is wrong with a file of users or events: the first problems named, all of them counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import OperatorError, Problem

if TYPE_CHECKING:
    from engine.users.row import BadRow

PROBLEMS = 20
"""How many problems are named."""


class RowsError(OperatorError):
    """The rows of a file can't be taken as they are.

    ``problems`` are the first of them in file order, each with its line; ``further`` counts the
    others. ``file`` is what messages call it.
    """

    def __init__(
        self,
        message: str,
        problems: tuple[Problem, ...] = (),
        further: int = 0,
        file: str = "",
    ) -> None:
        super().__init__(message, code=problems[0].code if problems else None)
        self.problems = problems
        self.further = further
        self.file = file

    @property
    def others(self) -> tuple[str, ...]:
        """The problems behind the first, which the message names, each as a compiler puts it."""
        return tuple(placed(self.file, problem) for problem in self.problems[1:])


class UsersFileError(RowsError):
    """The users can't be taken as they are."""

    code = "users.invalid"


class EventsFileError(RowsError):
    """The events can't be taken as they are."""

    code = "events.invalid"


class Findings:
    """The bad rows of the file ``name``: the first ones named, all counted. ``kind`` is the error
    they make; what ends its message is ``hint``.
    """

    def __init__(self, name: str, kind: type[RowsError] = UsersFileError, hint: str = "") -> None:
        self._name = name
        self._kind = kind
        self._hint = hint
        self._bad: list[BadRow] = []
        self.count = 0

    def add(self, bad: BadRow) -> None:
        """One more; in whatever order."""
        self.count += 1
        self._bad.append(bad)
        if len(self._bad) > 2 * PROBLEMS:
            self._keep_first()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The first ones in file order."""
        self._keep_first()
        return tuple(_problem(bad) for bad in self._bad)

    def error(self) -> RowsError:
        """The error for a file that must be good; there is at least one problem."""
        more = f" (and {self.count - 1:,} more)" if self.count > 1 else ""
        return self._error(f"{self._first()}{more}{self._hint}")

    def nothing(self, what: str) -> RowsError:
        """The error for a file without one good row; ``what`` it should hold, as in 'users'."""
        if not self.count:
            return self._kind(f"no {what} in {self._name}")
        return self._error(
            f"no {what} in {self._name}: all its rows are bad ({self.count:,}); {self._first()}"
        )

    def _error(self, message: str) -> RowsError:
        problems = self.problems
        return self._kind(message, problems, self.count - len(problems), self._name)

    def _first(self) -> str:
        return placed(self._name, self.problems[0])

    def _keep_first(self) -> None:
        self._bad = sorted(self._bad, key=lambda bad: bad.line)[:PROBLEMS]


def unusable(name: str, bad: BadRow, kind: type[RowsError] = UsersFileError) -> RowsError:
    """The error for the file ``name``, of which nothing can be taken because of ``bad``."""
    problem = _problem(bad)
    return kind(placed(name, problem), (problem,), file=name)


def _problem(bad: BadRow) -> Problem:
    return Problem(bad.code, bad.message, bad.line, 1, bad.remedy)


def placed(name: str, problem: Problem) -> str:
    """``problem`` in one line, as a compiler would put it."""
    remedy = f"; {problem.remedy}" if problem.remedy else ""
    return f"{name}:{problem.line}: {problem.message}{remedy}"
