"""The ``journey`` command: a table of commands, each loaded when it is run.

``--help`` imports nothing but click, since it is asked for often and the rest takes a second.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from engine import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "api": ("engine.cli.up:api", "Run the HTTP API and the console."),
    "apply": ("engine.cli.apply:apply", "Create and update endpoints and auth profiles."),
    "archive": ("engine.cli.archive:archive", "Let everybody leave a journey, for good."),
    "audit": ("engine.cli.audit:audit", "Who changed what, when."),
    "auth": ("engine.cli.auth:auth", "Auth profiles: what requests authenticate with."),
    "backup": ("engine.cli.backup:backup", "Copy the database, or verify a copy."),
    "calls": ("engine.cli.calls:calls", "Calls that failed or are to be made; send them again."),
    "catalogue": ("engine.cli.catalogue:catalogue", "Declared attributes and events."),
    "check": ("engine.cli.check:check", "Check journey files; say everything that is wrong."),
    "completion": ("engine.cli.completion:completion", "Completion for bash, zsh or fish."),
    "config": ("engine.cli.config:config", "Every setting, its value, and where it is from."),
    "doctor": ("engine.cli.doctor:doctor", "Check the installation; say what to do."),
    "endpoints": ("engine.cli.endpoints:endpoints", "Endpoints: where journeys' calls go."),
    "enrollments": ("engine.cli.enrollments:enrollments", "Passages: who is where in journeys."),
    "events": ("engine.cli.events:events", "What users do: send, list, explain."),
    "export": ("engine.cli.journeys:export", "A journey's text, as it was published."),
    "graph": ("engine.cli.graph:graph", "Draw a journey, as SVG or Mermaid."),
    "hooks": ("engine.cli.hooks:hooks", "Foreign webhooks, which become events."),
    "keys": ("engine.cli.keys:keys", "The keys that seal secrets."),
    "list": ("engine.cli.journeys:list_", "Journeys: state, versions, users inside."),
    "migrate": ("engine.cli.migrate:migrate", "Bring an older database up to date."),
    "new": ("engine.cli.new:new", "Begin a journey, with its scenarios and endpoints."),
    "operators": ("engine.cli.operators:operators", "Operators: who logs in, as what."),
    "pause": ("engine.cli.pause:pause", "Hold everybody in a journey."),
    "plan": ("engine.cli.plan:plan", "What publishing a journey would do."),
    "publish": ("engine.cli.publish:publish", "Let users enter journeys, as files have them."),
    "report": ("engine.cli.report:report", "What became of everybody in a journey."),
    "resume": ("engine.cli.pause:resume", "Let everybody in a paused journey go on."),
    "run": ("engine.cli.run_journey:run_journey", "Take users through a journey (run-journey)."),
    "schema": ("engine.cli.schema:schema", "The language as JSON Schema, for editors."),
    "scheduler": ("engine.cli.up:scheduler", "Run the duties with a clock, until stopped."),
    "show": ("engine.cli.journeys:show", "One journey: versions, triggers, users inside."),
    "test": ("engine.cli.run_scenarios:test", "Run scenarios: tests of journeys."),
    "tokens": ("engine.cli.tokens:tokens", "API tokens: what other systems come in with."),
    "up": ("engine.cli.up:up", "Run the engine: API, console, worker, scheduler."),
    "users": ("engine.cli.users:users", "Users: import, show, list, erase."),
    "why": ("engine.cli.why:why", "Why a user is where he is in a journey."),
    "worker": ("engine.cli.up:worker", "Run a worker, until stopped."),
}
"""Command → where it is (``module:attribute``), and its line in ``journey --help``."""


class LazyGroup(click.Group):
    """A group that imports a command when it is run or asked for its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, by name."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported; None if there is none of that name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        from importlib import import_module

        module, _, attribute = entry[0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; an unknown one is answered with the nearest."""
        if args and args[0] not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            ctx.fail(f"there is no command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, from what stands here."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Settings are environment variables: JOURNEY_HOME, JOURNEY_DATABASE_URL, ...",
)
@click.version_option(__version__, prog_name="journey")
def journey() -> None:
    """Take users through journeys: call endpoints, wait, branch, and never lose anybody."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``journey``; the exit code."""
    from engine.cli.outcome import run

    return run(journey, "journey", sys.argv[1:] if arguments is None else arguments)


def entry() -> NoReturn:
    """The console script ``journey``: run it, and end the process."""
    from engine.cli.outcome import leave

    leave(main())


if __name__ == "__main__":
    entry()
