"""``run-journey FILE`` (``journey run FILE``): take users through a journey, simulated or live."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from engine.cli.context import database_option
from engine.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        if self.live and self.users is None and self.user is None:
            raise click.UsageError("--live needs users: --users FILE, or --user ID")
        self._check_mode()

    def _check_mode(self) -> None:
        simulated = {"--answer": self.answers, "--endpoints": self.endpoints}
        live = {"--again": self.again, "--database": self.database}
        wrong, mode = (simulated, "--simulate") if self.live else (live, "--live")
        for option, value in wrong.items():
            if value:
                raise click.UsageError(f"{option} goes with {mode}")

    def start(self, settings: Settings) -> int | None:
        """``--now`` in microseconds UTC; local times are the installation's. None: not given."""
        if self.now is None:
            return None
        from engine.core.expressions.calendar import find_zone, parse_iso

        zone = find_zone(settings.timezone)
        if zone is None:
            raise SettingsError(
                f"JOURNEY_TIMEZONE names no known time zone: {settings.timezone[:60]!r}",
                code="settings.timezone",
            )
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


@click.command(
    name="run-journey",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--users", metavar="FILE", help="Users as CSV or JSON Lines; - reads standard input.")
@click.option("--user", metavar="ID", help="One user, instead of a file.")
@click.option(
    "--set",
    "attributes",
    metavar="K=V",
    multiple=True,
    help="An attribute of --user: JSON if it parses, else text; timezone=ZONE is his zone.",
)
@click.option("--input", "inputs", metavar="K=V", multiple=True, help="An input of the journey.")
@click.option(
    "--simulate/--live",
    "simulated",
    default=True,
    help="Simulate: scripted answers, a virtual clock, nothing sent or stored (the default)."
    " Live: real calls, durable; the same command goes on where it was interrupted.",
)
@click.option("--now", metavar="ISO", help="The moment it begins; the clock then is virtual.")
@click.option(
    "--for", "span", metavar="DUR", help="How far to go, as in P3D. Without: simulated to the end."
)
@click.option(
    "--answer",
    "answers",
    metavar="ENDPOINT=STATUS[:BODY]",
    multiple=True,
    help="Simulated: what an endpoint answers; repeated: in order for each user, the last stays."
    " Also ENDPOINT=timeout and ENDPOINT=connection. Default: 200 and {}.",
)
@click.option(
    "--endpoints",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Simulated: the endpoints' timeouts, retries and rules of success"
    " (default: endpoints.yaml beside FILE, if there is one).",
)
@click.option("--again", is_flag=True, help="Live: a new run over users who finished one.")
@click.option("--skip-bad", is_flag=True, help="Leave bad rows of --users out, and count them.")
@database_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: steps, a summary.")
@click.option("--quiet", "-q", is_flag=True, help="No progress and no notes.")
@click.option(
    "--fail-on",
    type=click.Choice(["never", "step", "journey"]),
    default="never",
    show_default=True,
    help="Exit with 6 if a step failed, or if somebody left by a failure.",
)
def run_journey(simulated: bool, **options: Any) -> int:
    """Take users through the journey in FILE.

    Nothing is sent unless --live says so.
    """
    from engine.cli.launch import launch

    invocation = Invocation(live=not simulated, **options)
    invocation.check()
    return launch(invocation)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``run-journey``; the exit code. The console script's entry."""
    from engine.cli.outcome import run

    return run(run_journey, "run-journey", sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
