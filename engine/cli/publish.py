"""``journey publish FILE...``: journeys become the versions that users enter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.context import actor, database_option, opened
from engine.clock import wall

if TYPE_CHECKING:
    from engine.operations.publish import JourneyText
    from engine.versions.publish import Publication


@click.command()
@click.argument(
    "files", metavar="FILE|FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per journey.")
@database_option
def publish(files: tuple[Path, ...], as_json: bool, database: str | None) -> int | None:
    """Publish the journeys in files and folders, with their triggers on.

    New users enter the new version; who is inside stays on his. All of it is published, or nothing:
    a file with an error (exit code 3) never takes the place of a good version. A text that was
    published already stays that version. `journey plan FILE` says beforehand what would happen.
    """
    from engine.cli.journey_files import journey_files
    from engine.cli.outcome import INVALID_FILE, tell
    from engine.core.dsl.problems import render
    from engine.errors import DefinitionError
    from engine.operations import publish as operation
    from engine.versions.files import read_bounded

    texts: list[JourneyText] = []
    bad = False
    for file in dict.fromkeys(journey_files(files)):
        try:
            texts.append(operation.read_text(str(file), read_bounded(file)))
        except DefinitionError as error:
            tell(error)
            bad = True
            continue
        for warning in texts[-1].loaded.warnings:
            click.echo(render(warning, str(file)), err=True)
    if bad:
        click.echo("nothing was published", err=True)
        return INVALID_FILE
    with (
        opened(database) as installation,
        installation.database(create=True).write() as connection,
    ):
        done = operation.publish(connection, texts, now=wall(), actor=actor())
    for text, publication in zip(texts, done, strict=True):
        _print(text, publication, as_json=as_json)
    return None


def _print(text: JourneyText, done: Publication, *, as_json: bool) -> None:
    from engine.versions.changes import triggers_in_words

    triggers = triggers_in_words(text.loaded.journey)
    if as_json:
        from json import dumps

        row = {
            "file": text.file,
            "journey": done.journey,
            "version": done.number,
            "done": done.verb,
            "before": done.before,
            "triggers": triggers,
        }
        click.echo(dumps(row, ensure_ascii=False))
        return
    entered = f"entered by {'; '.join(triggers)}" if triggers else "entered by command only"
    click.echo(_said(done) + ("" if done.verb == "unchanged" else f"; {entered}"))


def _said(done: Publication) -> str:
    name = f"{done.journey} version {done.number}"
    if done.verb == "unchanged":
        return f"{name} unchanged"
    if done.verb == "switched on":
        return f"{name} is the same text; its triggers are on now"
    if done.verb == "brought back":
        return f"{name} published; {done.journey} was archived and is active again"
    return f"{name} published"
