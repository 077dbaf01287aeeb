"""``journey enrollments``: who is where in journeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.cli.context import (
    csv_option,
    database_option,
    json_option,
    limit_option,
    opened,
    whole_number,
)

if TYPE_CHECKING:
    from engine.enrollments.listing import Listed

COLUMNS = ("id", "user", "journey", "version", "state", "step", "waits", "until", "outcome")
ALL_COLUMNS = (*COLUMNS, "key", "entered_at", "ended_at", "run")


@click.group()
def enrollments() -> None:
    """Passages of users through journeys."""


@enrollments.command("list")
@click.option("--journey", metavar="JOURNEY", help="Through this journey.")
@click.option("--user", metavar="USER", help="Of this user.")
@click.option("--state", type=click.Choice(["waiting", "calling", "ended"]), help="In this state.")
@click.option("--step", metavar="STEP", help="Who stands at this step now.")
@click.option("--outcome", metavar="OUTCOME", help="Which ended so, as completed or goal:bought.")
@limit_option
@json_option
@csv_option
@database_option
def list_(
    journey: str | None,
    user: str | None,
    state: str | None,
    step: str | None,
    outcome: str | None,
    limit: int,
    as_json: bool,
    as_csv: bool,
    database: str | None,
) -> None:
    """Passages, the newest first: where they stand, why they wait, how they ended."""
    from engine.cli.tables import say_if_more, show
    from engine.enrollments.listing import Wanted, passages
    from engine.versions.store import Versions

    wanted = Wanted(journey, user, state, step, outcome, limit + 1)
    with opened(database) as installation, installation.database().read() as connection:
        rows = [_row(one) for one in passages(connection, wanted, Versions())]
    columns = ALL_COLUMNS if as_csv else COLUMNS
    show(rows[:limit], columns, as_json=as_json, as_csv=as_csv, empty="no passage fits")
    say_if_more(rows, limit, which="newest")


@enrollments.command("show")
@click.argument("enrollment", metavar="ID", type=whole_number)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@database_option
def show_(enrollment: int, as_json: bool, database: str | None) -> None:
    """One passage from its entry to where it stands, as `journey why` tells it."""
    from engine.cli.why import tell
    from engine.enrollments.listing import passage
    from engine.versions.store import Versions

    with opened(database) as installation:
        versions = Versions()
        with installation.database().read() as connection:
            found = passage(connection, enrollment, versions)
        tell(installation, found.user, found.journey, enrollment=enrollment, as_json=as_json)


def _row(listed: Listed) -> dict[str, object]:
    from dataclasses import asdict

    from engine.cli.tables import instant

    times = {name: instant(getattr(listed, name)) for name in ("until", "entered_at", "ended_at")}
    return asdict(listed) | times
