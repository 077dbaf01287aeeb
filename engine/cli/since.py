"""``--since``: from when on, as an instant or as a length of time before now."""

from __future__ import annotations

import click

since_option = click.option(
    "--since", metavar="TIME", help="From then on: an ISO 8601 time (UTC), or how long ago, as 7d."
)
"""``--since`` for a command; its value goes to :func:`instant_of`."""


def instant_of(written: str) -> int:
    """The instant in microseconds UTC. Raises click.BadParameter."""
    from engine.clock import wall
    from engine.operations.since import instant_since

    found = instant_since(written, wall())
    if found is None:
        raise click.BadParameter(
            f"{written[:60]!r} is no ISO 8601 time and no length of time, as in 2026-11-22 or 7d",
            param_hint="--since",
        )
    return found
