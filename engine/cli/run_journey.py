"""``run-journey FILE`` (``journey run FILE``): take users through a journey, simulated or live."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from engine.cli.context import database_option
from engine.cli.invocation import Invocation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.enrollments.summary import Summary

ENDED_BY_SIGNAL = 128


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
@click.option(
    "--events",
    metavar="FILE",
    help="What happens to users, as CSV (user,event,at,...) or JSON Lines; users then enter by the"
    " journey's triggers, if it has any.",
)
@click.option(
    "--record",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write what endpoints answer to FILE, without secrets; it holds personal data.",
)
@click.option(
    "--replay",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Simulated: endpoints answer what a --record wrote; exits with 4 where that says nothing.",
)
@click.option(
    "--against",
    metavar="VERSION|FILE",
    help="Simulated: take the same users through another file too, or through a published version"
    " (its number, or newest), and show whose ways differ.",
)
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Simulated: write a page with the graph and all tables to FILE.",
)
@click.option("--again", is_flag=True, help="Live: a new run over users who finished one.")
@click.option("--skip-bad", is_flag=True, help="Leave bad rows of --users out, and count them.")
@database_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; the summary last.")
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
    from engine.cli.outcome import CHECK_FAILED

    invocation = Invocation(live=not simulated, **options)
    invocation.check()
    summaries, interrupted = _run(invocation)
    if interrupted is not None:
        return ENDED_BY_SIGNAL + interrupted
    return CHECK_FAILED if any(map(invocation.fails, summaries)) else 0


def _run(invocation: Invocation) -> tuple[list[Summary], int | None]:
    """What became of everybody, and the signal that interrupted it."""
    from engine.cli.launch import prepared

    with prepared(invocation) as launch:
        try:
            if invocation.live:
                from engine.cli.live_run import run

                return run(launch)
            if invocation.against is not None:
                from engine.cli.against import compared

                compared(launch)
                return [], None
            from engine.cli.simulated_run import simulated

            return [simulated(launch)], None
        finally:
            launch.output.progress.clear()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``run-journey``; the exit code."""
    from engine.cli.outcome import run

    return run(run_journey, "run-journey", sys.argv[1:] if arguments is None else arguments)


def entry() -> NoReturn:
    """The console script ``run-journey``: run it, and end the process."""
    from engine.cli.outcome import leave

    leave(main())


if __name__ == "__main__":
    entry()
