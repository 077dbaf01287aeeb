"""What a ``run-journey`` command line asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from engine.enrollments.summary import Summary
    from engine.settings import Settings

ONE_USER = "u1"
"""Who is simulated if nobody is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What the command line asks for, as it stands there."""

    file: Path
    users: str | None
    user: str | None
    attributes: tuple[str, ...]
    inputs: tuple[str, ...]
    live: bool
    now: str | None
    span: str | None
    answers: tuple[str, ...]
    endpoints: Path | None
    events: str | None
    record: Path | None
    replay: Path | None
    against: str | None
    html: Path | None
    again: bool
    skip_bad: bool
    database: str | None
    as_json: bool
    quiet: bool
    fail_on: Literal["never", "step", "journey"]

    def check(self) -> None:
        """Raises click.UsageError for options that don't go together."""
        if self.users is not None and self.user is not None:
            raise click.UsageError("--users and --user exclude each other")
        if self.users is not None and (self.attributes or self.inputs):
            raise click.UsageError("--set and --input go with --user; a file brings its own")
        if self.skip_bad and self.users is None:
            raise click.UsageError("--skip-bad goes with --users")
        if self.live and not (self.users or self.user is not None or self.events):
            raise click.UsageError("--live needs users: --users FILE, --user ID, or --events FILE")
        if self.users == self.events == "-":
            raise click.UsageError("only one of --users and --events can be standard input")
        if self.record is not None and self.replay is not None:
            raise click.UsageError("--record and --replay exclude each other")
        if str(self.record) == "-" or str(self.replay) == "-":
            raise click.UsageError("a recording is a file: name it")
        self._check_comparison()
        self._check_mode()

    @property
    def names_nobody(self) -> bool:
        """Whether the command line leaves it open who is taken through the journey."""
        named = (self.users, self.user, self.events)
        return not any(one is not None for one in named) and not (self.attributes or self.inputs)

    def _check_comparison(self) -> None:
        if self.against is None:
            return
        other = {"--record": self.record, "--html": self.html}
        if self.fail_on != "never":
            other["--fail-on"] = Path()
        for option, value in other.items():
            if value is not None:
                raise click.UsageError(f"--against and {option} exclude each other")

    def _check_mode(self) -> None:
        simulated = {
            "--answer": self.answers,
            "--endpoints": self.endpoints,
            "--replay": self.replay,
            "--against": self.against,
            "--html": self.html,
        }
        database = None if self.against is not None else self.database
        live = {"--again": self.again, "--database": database}
        wrong, mode = (simulated, "--simulate") if self.live else (live, "--live")
        for option, value in wrong.items():
            if value:
                raise click.UsageError(f"{option} goes with {mode}")

    def start(self, settings: Settings) -> int | None:
        """``--now`` in microseconds UTC; local times are the installation's. None: not given.

        Raises SettingsError for an installation in no known zone.
        """
        from engine.core.expressions.calendar import parse_iso
        from engine.operations.zone import installation_zone

        zone = installation_zone(settings)
        if self.now is None:
            return None
        instant = parse_iso(self.now, zone)
        if instant is None:
            raise click.BadParameter(
                f"{self.now[:60]!r} is no ISO 8601 time, as in 2026-11-22T09:00+03:00",
                param_hint="--now",
            )
        return instant

    def horizon(self) -> int | None:
        """``--for`` in microseconds; None: not given."""
        if self.span is None:
            return None
        from engine.core.expressions.durations import DurationError, parse_duration

        try:
            return parse_duration(self.span).microseconds
        except DurationError as error:
            remedy = f"; {error.remedy}" if error.remedy else ""
            raise click.BadParameter(f"{error.message}{remedy}", param_hint="--for") from None

    def fails(self, summary: Summary) -> bool:
        """Whether what ``--fail-on`` asks about has happened."""
        if self.fail_on == "step":
            return summary.failed > 0
        if self.fail_on == "journey":
            return summary.left_by_failure > 0 or summary.stuck > 0
        return False
