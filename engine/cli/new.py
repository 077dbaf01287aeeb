"""``journey new NAME``: a journey with its scenarios and endpoints, to be changed at will."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.samples import TEMPLATES
from engine.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterable


class NotANewName(OperatorError):
    """No journey can be called that."""

    code = "journey.name"


class AlreadyThere(OperatorError):
    """A file of that name is there, and nothing is ever overwritten."""

    code = "file.exists"


@click.command()
@click.argument("name")
@click.option(
    "--from",
    "template",
    type=click.Choice(list(TEMPLATES)),
    default="welcome",
    show_default=True,
    help="The sample it begins as: cart-rescue, renewal, welcome or win-back.",
)
@click.option(
    "--folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write it; made if need be (default: journeys/ if it is there, else here).",
)
def new(name: str, template: str, folder: Path | None) -> None:
    """Begin a journey: NAME.yaml, its scenarios, and the endpoints it calls.

    What is written passes `journey check` and `journey test` as it is. Nothing is overwritten: an
    endpoints.yaml that is there stays, and what it lacks is named.
    """
    from engine.cli.samples import new_journey

    _check_name(name)
    if folder is None:
        folder = Path("journeys") if Path("journeys").is_dir() else Path()
    journey = folder / f"{name}.yaml"
    scenarios = folder / f"{name}.scenarios.yaml"
    endpoints = folder / "endpoints.yaml"
    made = new_journey(template, name, _quoted(journey))
    _refuse_existing(journey, scenarios)
    lacking = _lacking(endpoints, made.endpoints) if endpoints.exists() else None
    _write(journey, made.journey)
    _write(scenarios, made.scenarios)
    click.echo(f"{journey}  the journey")
    click.echo(f"{scenarios}  its tests")
    _endpoints(endpoints, made.endpoints, lacking)
    click.echo("\nNext:")
    for command in ("journey check", "journey test", "run-journey"):
        click.echo(f"  {command} {_quoted(journey)}")


def _check_name(name: str) -> None:
    from pydantic import TypeAdapter, ValidationError

    from engine.core.steps.fields import JourneyId

    try:
        TypeAdapter(JourneyId).validate_python(name)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["ctx"]
        raise NotANewName(f"{said['message']}: {said['remedy']}") from None
    if name == "endpoints":
        raise NotANewName("endpoints.yaml says where calls go: call the journey something else")


def _refuse_existing(*files: Path) -> None:
    for file in files:
        if file.exists() or file.is_symlink():
            raise AlreadyThere(f"{file} is there already, and is not overwritten")


def _lacking(file: Path, needed: Iterable[str]) -> list[str]:
    """The endpoints ``needed`` that ``file`` doesn't have. Raises DefinitionError for a bad one."""
    from engine.cli.journey_file import read_bounded
    from engine.endpoints.file import read_file

    written = read_file(read_bounded(file), str(file)).endpoints
    has = {one.endpoint.name for one in written}
    return [name for name in needed if name not in has]


def _endpoints(file: Path, needed: tuple[str, ...], lacking: list[str] | None) -> None:
    """Write the endpoints' file, or say what the one that is there lacks."""
    if lacking is None:
        from engine.cli.samples import endpoints_file

        _write(file, endpoints_file(needed))
        click.echo(f"{file}  where its calls go: put your addresses in")
    elif lacking:
        click.echo(f"{file}  is there and stays: add {' and '.join(lacking)} under `endpoints:`")
    else:
        click.echo(f"{file}  is there and has what it calls")


def _write(file: Path, text: str) -> None:
    """Make ``file``; never overwrite one, even one that came this moment."""
    from engine.cli.output_file import UnwritableFile
    from engine.users.row import shown

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8", newline="\n") as opened:
            opened.write(text)
    except FileExistsError:
        raise AlreadyThere(f"{file} is there already, and is not overwritten") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or "not a file's name"
        raise UnwritableFile(f"can't write {shown(str(file))}: {reason}") from None


def _quoted(file: Path) -> str:
    from shlex import quote

    return quote(str(file))
