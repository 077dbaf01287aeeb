"""A summary as JSON and tables have it, wherever it is told: commands, HTTP API, console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.enrollments.summary import by_frequency

if TYPE_CHECKING:
    from engine.enrollments.summary import Summary
    from engine.enrollments.uplift import Uplift


def gained(summary: Summary, goal: str) -> Uplift | None:
    """The uplift of a goal; None where nobody was held out, or nobody was treated."""
    from engine.enrollments.uplift import uplift  # noqa: PLC0415 - only beside a control group

    tally, (treated, held_out) = summary.goals[goal], summary.groups(goal)
    return uplift((tally.met, treated), (tally.held_out, held_out))


def summary_data(summary: Summary, *, in_full: bool = False) -> dict[str, object]:
    """The summary as JSON has it; ``in_full`` with the failures of each step by code, and with
    uplift.
    """
    calls = summary.calls
    return {
        "journey": summary.journey,
        "version": summary.version,
        "entered": summary.entered,
        "refused": summary.refused,
        "refusals": summary.refusals,
        "finished": summary.finished,
        "waiting": summary.waiting,
        "calls": {
            "succeeded": calls.succeeded,
            "failed": calls.failed,
            "attempts": calls.attempts,
        },
        "endpoints": {
            name: {
                "calls": tally.calls,
                "attempts": tally.attempts,
                "succeeded": tally.succeeded,
                "failed": tally.failed,
            }
            for name, tally in summary.endpoints.items()
        },
        "tokens": {name: {"requests": n} for name, n in summary.tokens.items()},
        "outcomes": summary.outcomes,
        "arms": summary.arms,
        **({"goals": _goals(summary, in_full=in_full)} if summary.goals else {}),
        "steps": {
            name: {
                "entered": tally.entered,
                "succeeded": tally.succeeded,
                "failed": tally.failed,
                "skipped": tally.skipped,
                "waiting": tally.waiting,
                **({"failures": by_frequency(tally.failures)} if in_full else {}),
            }
            for name, tally in summary.steps.items()
        },
    }


STEP_COLUMNS = (
    "step",
    "entered",
    "succeeded",
    "failed",
    "skipped",
    "waiting",
    "endpoint",
    "failures",
)


def step_rows(summary: Summary) -> list[dict[str, object]]:
    """What became of each step, as rows of a table with :data:`STEP_COLUMNS`."""
    return [
        {
            "step": name,
            "entered": tally.entered,
            "succeeded": tally.succeeded,
            "failed": tally.failed,
            "skipped": tally.skipped,
            "waiting": tally.waiting,
            "endpoint": tally.endpoint,
            "failures": [f"{code} {n}" for code, n in sorted(tally.failures.items())],
        }
        for name, tally in summary.steps.items()
    ]


def _goals(summary: Summary, *, in_full: bool) -> dict[str, object]:
    return {
        name: {
            "met": one.met,
            "held_out": one.held_out,
            **(_uplift(summary, name) if in_full else {}),
        }
        for name, one in summary.goals.items()
    }


def _uplift(summary: Summary, goal: str) -> dict[str, object]:
    """Of how many a goal counted, and what the journey gained, with its 95 % interval."""
    treated, held_out = summary.groups(goal)
    data: dict[str, object] = {"of": treated, "of_held_out": held_out, "uplift": None}
    gain = gained(summary, goal)
    if gain is not None:
        interval = {"low": round(gain.low, 6), "high": round(gain.high, 6)}
        data["uplift"] = {"difference": round(gain.difference, 6), **interval}
    return data
