"""``journey graph FILE``: a journey as a picture, perhaps with the numbers of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.context import database_option, opened, whole_number

if TYPE_CHECKING:
    from engine.core.drawing.counts import Counts
    from engine.core.dsl.check import LoadedAndChecked


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["svg", "mermaid"]),
    default="svg",
    show_default=True,
    help="A picture, or text for Markdown that draws it.",
)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where to write it; standard output unless said.",
)
@click.option("--counts", is_flag=True, help="Show at each step the numbers of the newest run.")
@click.option("--run", "run_id", metavar="ID", type=whole_number, help="The numbers of this run.")
@database_option
def graph(
    file: Path,
    form: str,
    output: Path | None,
    counts: bool,
    run_id: int | None,
    database: str | None,
) -> None:
    """Draw the journey in FILE: its steps, where they lead, and how it ends.

    The SVG stands for itself: it loads nothing, and is light or dark as its reader is. With
    --counts or --run each step shows how many came, wait there, or failed.
    """
    from engine.cli.journey_file import load_journey, read_bounded
    from engine.cli.output_file import write
    from engine.core.drawing.mermaid import mermaid
    from engine.core.drawing.svg import svg
    from engine.core.dsl.program import compile_journey

    loaded = load_journey(file, read_bounded(file))
    counted = _counts(loaded, run_id, database) if counts or run_id is not None else None
    draw = svg if form == "svg" else mermaid
    write(output, draw(compile_journey(loaded.journey), counted))


def _counts(loaded: LoadedAndChecked, run_id: int | None, database: str | None) -> Counts:
    """The numbers of a run of the journey, by the ids of its steps."""
    from engine.enrollments import reports
    from engine.enrollments.drawn_counts import counts_of
    from engine.versions.store import Versions, newest

    name = loaded.journey.journey
    with opened(database) as installation, installation.database().read() as connection:
        run = reports.find_run(connection, name, run_id)
        summary = reports.summary(connection, run, Versions())
        published = newest(connection, name)
    same = published is not None and (published.id, published.hash) == (
        run.version_id,
        loaded.source_hash,
    )
    if not same:
        click.echo(
            f"run {run.id} is of version {summary.version}, whose text isn't this file's:"
            " its steps are found by their ids",
            err=True,
        )
    return counts_of(summary)
