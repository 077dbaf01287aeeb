"""What is wrong with a file of users: the first problems named, all of them counted."""

from __future__ import annotations

from engine.errors import OperatorError, Problem
from engine.users.row import BadRow

PROBLEMS = 20
"""How many problems are named."""


class UsersFileError(OperatorError):
    """The users can't be taken as they are.

    ``problems`` are the first of them in file order, each with its line; ``further`` counts the
    others.
    """

    code = "users.invalid"

    def __init__(self, message: str, problems: tuple[Problem, ...] = (), further: int = 0) -> None:
        super().__init__(message, code=problems[0].code if problems else None)
        self.problems = problems
        self.further = further


class Findings:
    """The bad rows: the first ones named, all counted."""

    def __init__(self, name: str) -> None:
        self._name = name
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
        return tuple(Problem(b.code, b.message, b.line, 1, b.remedy) for b in self._bad)

    def error(self) -> UsersFileError:
        """The error for a file that must be good; there is at least one problem."""
        more = f" (and {self.count - 1:,} more)" if self.count > 1 else ""
        return self._error(f"{self._first()}{more}; --skip-bad leaves bad rows out")

    def nobody(self) -> UsersFileError:
        """The error for a file without one good row."""
        if not self.count:
            return UsersFileError(f"no users in {self._name}")
        return self._error(
            f"no users in {self._name}: all its rows are bad ({self.count:,}); {self._first()}"
        )

    def _error(self, message: str) -> UsersFileError:
        problems = self.problems
        return UsersFileError(message, problems, self.count - len(problems))

    def _first(self) -> str:
        return placed(self._name, self.problems[0])

    def _keep_first(self) -> None:
        self._bad = sorted(self._bad, key=lambda bad: bad.line)[:PROBLEMS]


def placed(name: str, problem: Problem) -> str:
    """``problem`` in one line, as a compiler would put it."""
    remedy = f"; {problem.remedy}" if problem.remedy else ""
    return f"{name}:{problem.line}: {problem.message}{remedy}"
