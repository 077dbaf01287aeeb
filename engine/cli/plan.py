"""``journey plan FILE``: what publishing it would do, and what becomes of who is inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.context import database_option, opened
from engine.clock import wall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.operations.plan import Plan, VersionInside

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "moved": "~"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@database_option
def plan(file: Path, as_json: bool, database: str | None) -> int | None:
    """Say what `journey publish FILE` would do; nothing is written.

    Which steps, triggers and other keys are others than in the newest version, and at which steps
    users stand now: they stay on the version they entered. Exits with 4 if an endpoint is missing.
    """
    from engine.cli.outcome import MISSING_ENDPOINT
    from engine.core.dsl.problems import render
    from engine.operations.plan import plan as operation
    from engine.operations.publish import read_text
    from engine.versions.files import read_bounded

    text = read_text(str(file), read_bounded(file))
    for warning in text.loaded.warnings:
        click.echo(render(warning, str(file)), err=True)
    with opened(database) as installation, installation.database().read() as connection:
        found = operation(connection, text, now=wall())
    if as_json:
        from json import dumps

        click.echo(dumps(_data(found), ensure_ascii=False))
    else:
        for line in _lines(found):
            click.echo(line)
    return MISSING_ENDPOINT if found.missing else None


def _data(plan: Plan) -> dict[str, object]:
    from dataclasses import asdict

    data = asdict(plan)
    doing = data.pop("doing")
    return {
        "file": data.pop("file"),
        "journey": data.pop("journey"),
        "would": doing["verb"],
        "version": doing["number"],
        **data,
    }


def _lines(plan: Plan) -> Iterator[str]:
    yield _heading(plan)
    for name, steps in plan.missing.items():
        yield f"  endpoint {name} doesn't exist here (step {', '.join(steps)}): it would be refused"
    change = plan.changes
    for step in change.steps if plan.against is not None else ():
        keys = f": {', '.join(step.keys)}" if step.keys else ""
        yield f"  {_SIGNS[step.what]} step {step.step} {step.what}{keys}"
    for trigger in change.triggers_added:
        yield f"  + trigger {trigger}"
    for trigger in change.triggers_removed:
        yield f"  - trigger {trigger}"
    for key in change.keys:
        yield f"  ~ {key} changed"
    yield from _lost(plan)
    yield from _who_is_inside(plan)


def _heading(plan: Plan) -> str:
    name, doing = plan.journey, plan.doing
    if doing.verb == "unchanged":
        return f"{name}: unchanged, it is version {doing.number} already"
    if doing.verb == "switched on":
        return f"{name}: the text of version {doing.number}; its triggers would be switched on"
    if doing.verb == "brought back":
        return f"{name}: would be brought back from the archive as version {doing.number}"
    if plan.against is None:
        return f"{name}: new, would be version 1, with {len(plan.changes.steps):,} steps"
    same = ", which differs in nothing that means anything" if plan.changes.empty else ""
    paused = "; it stays paused" if plan.state == "paused" else ""
    return f"{name}: would be version {doing.number}, after {plan.against}{same}{paused}"


def _lost(plan: Plan) -> Iterator[str]:
    if plan.entered_lately is None:
        return
    users = _users(plan.entered_lately)
    if plan.triggers:
        yield f"  {users} entered by its triggers in the last 30 days, lost ones included"
    else:
        yield f"  nobody would enter by itself any more: {users} did in the last 30 days"


def _who_is_inside(plan: Plan) -> Iterator[str]:
    if not plan.versions:
        if plan.against is not None:
            yield "nobody is inside now"
        return
    stand = "held there while it is paused" if plan.state == "paused" else "and go on"
    for version in plan.versions:
        yield (
            f"{_users(version.users)} inside version {version.number}: they stay on it {stand}"
            if plan.state != "archived"
            else f"{_users(version.users)} inside version {version.number}: they are leaving"
        )
        yield from _standing(version)


def _standing(version: VersionInside) -> Iterator[str]:
    for step in version.steps:
        both = [f"{step.waiting:,} waiting"] if step.waiting else []
        both += [f"{step.calling:,} calling"] if step.calling else []
        gone = " (the new text has no such step)" if step.step in version.gone else ""
        yield f"  {step.step}: {', '.join(both)}{gone}"


def _users(n: int) -> str:
    from engine.cli.show.table import users_in_words

    return users_in_words(n)
