"""What a run prints: NDJSON for programs, a timeline for one user, tables for many."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

from engine.cli.show.ndjson import passage_line, step_line, summary_line
from engine.cli.show.progress import Progress
from engine.cli.show.table import summary_lines
from engine.cli.show.terminal import Paint
from engine.cli.show.timeline import Timeline
from engine.clock import stopwatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.cli.show.timeline import Event
    from engine.enrollments.summary import Summary

Form = Literal["json", "timeline", "table"]
Mode = Literal["simulated", "live"]


class Output:
    """Data goes to standard output, progress and notes to standard error."""

    def __init__(
        self,
        form: Form,
        mode: Mode,
        zone: str,
        environment: Mapping[str, str],
        *,
        quiet: bool,
    ) -> None:
        self._form = form
        self._mode = mode
        self._quiet = quiet
        self._paint = Paint.of(sys.stdout, environment)
        self._timeline = Timeline(mode, zone, self._paint)
        shows = not quiet and form != "timeline" and environment.get("TERM") != "dumb"
        self.progress = Progress(sys.stderr, stopwatch, on=shows)

    @property
    def telling(self) -> bool:
        """Whether every event is wanted."""
        return self._form != "table"

    def event(self, event: Event) -> None:
        """Something happened to a user."""
        if self._form == "json":
            if event.execution is not None:
                self._print(step_line(event.passage, event.execution))
            elif event.what == "ended":
                self._print(passage_line(event.passage, event.text, event.at))
        elif self._form == "timeline":
            for line in self._timeline.lines(event):
                self._print(line)
            sys.stdout.flush()

    def note(self, text: str) -> None:
        """Something a person should know."""
        if not self._quiet:
            self.progress.note(text)

    def summary(self, summary: Summary, about: str = "", *, in_full: bool = False) -> None:
        """How it ended; ``about`` says in words what it is of. A timeline has told it all already,
        unless it is wanted ``in_full``."""
        self.progress.clear()
        if self._form == "json":
            self._print(summary_line(summary))
        elif self._form == "table" or in_full:
            heading = " · ".join(part for part in (self._mode, about) if part)
            for line in summary_lines(summary, heading, self._paint):
                self._print(line)

    def _print(self, line: str) -> None:
        if self.progress.drawn:
            self.progress.clear()
        sys.stdout.write(line + "\n")
