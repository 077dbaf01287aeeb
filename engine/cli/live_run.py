"""``run-journey --live``: real calls, durable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import OperatorError

if TYPE_CHECKING:
    from engine.cli.launch import Launch
    from engine.enrollments.summary import Summary


def run(launch: Launch) -> tuple[list[Summary], int | None]:
    """Run it; the summaries, and the number of the signal that interrupted it."""
    raise OperatorError(f"{launch.invocation.file}: --live isn't wired up yet")
