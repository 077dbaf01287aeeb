"""Problems of files as commands print them: for people, for programs, for GitHub's annotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.errors import Problem


@dataclass(frozen=True, slots=True)
class Located:
    """A problem, and the file it is in."""

    file: str
    problem: Problem


def as_json(found: Iterable[Located]) -> str:
    """One array of objects: file, line, column, end, code, severity, message, remedy.

    Lines and columns count from 1; ``end`` is the column behind the last character that is meant,
    null where that isn't known.
    """
    from json import dumps

    return dumps(
        [
            {
                "file": one.file,
                "line": one.problem.line,
                "column": one.problem.column,
                "end": one.problem.end or None,
                "code": one.problem.code,
                "severity": one.problem.severity,
                "message": one.problem.message,
                "remedy": one.problem.remedy,
            }
            for one in found
        ],
        ensure_ascii=False,
        indent=2,
    )


def as_github(found: Iterable[Located]) -> Iterator[str]:
    """Workflow commands, which GitHub shows as annotations beside the lines they are about.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    for one in found:
        problem = one.problem
        end = f",endColumn={problem.end}" if problem.end else ""
        place = f"file={_property(one.file)},line={problem.line},col={problem.column}{end}"
        text = problem.message + (f"\n{problem.remedy}" if problem.remedy else "")
        yield f"::{problem.severity} {place},title={_property(problem.code)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
