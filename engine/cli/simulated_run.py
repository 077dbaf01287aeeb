"""``run-journey --simulate``: nothing is sent, nothing is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.cli.simulation import made_ready
from engine.enrollments.summary import Tallying
from engine.processes.limits import spare_the_collector

if TYPE_CHECKING:
    from engine.cli.launch import Launch
    from engine.cli.show.progress import Progress
    from engine.core.interpreter.simulate import Happened
    from engine.enrollments.summary import Summary

_MANY = 1_000
"""For so many users it pays to look once what is there to stay."""


def simulated(launch: Launch) -> Summary:
    """Simulate, print it as it happens, and its summary; write the page that is asked for."""
    output = launch.output
    with made_ready(launch) as simulation:
        program = simulation.program(launch.loaded.journey)
        tally = Tallying(program)
        output.progress.total = launch.total
        if launch.total >= _MANY:
            spare_the_collector()
        count, telling, drawing = tally.add, output.telling, output.progress.on
        for event in simulation.of(program, launch.population()):
            count(event)
            if drawing:
                _progress(output.progress, event)
            if telling:
                output.event(event)
    summary = tally.summary()
    output.summary(summary, simulation.about)
    if launch.invocation.html is not None:
        from engine.cli.output_file import write
        from engine.cli.show.page import page

        write(launch.invocation.html, page(program, summary, f"simulated · {simulation.about}"))
    return summary


def _progress(progress: Progress, event: Happened) -> None:
    execution = event.execution
    if execution is None:
        if event.what in ("ended", "stays", "refused"):
            progress.add(users=1)
    elif execution.attempts or execution.status == "failed":
        progress.add(calls=execution.attempts > 0, failures=execution.status == "failed")
