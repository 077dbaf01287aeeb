"""``--json``: one JSON object a line; a line per finished step, and the summary last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.cli.show.gains import gained
from engine.cli.show.moments import iso
from engine.enrollments.summary import by_frequency

if TYPE_CHECKING:
    from engine.core.interpreter.state import Execution, Passage
    from engine.enrollments.summary import Summary


def step_line(passage: Passage, execution: Execution) -> str:
    """A finished step; ``at`` is when it was over, ISO 8601 in UTC."""
    return _line(
        {
            "type": "step",
            "user": passage.user.id,
            "step": passage.program.nodes[execution.step].step.id,
            "status": execution.status,
            "failure": execution.failure,
            "http_status": execution.http_status,
            "attempts": execution.attempts,
            "at": iso(execution.ended_at),
            "visit": execution.visit,
            "credential_version": execution.credential_version,
        }
    )


def summary_line(summary: Summary) -> str:
    """What became of everybody."""
    return _line({"type": "summary", **summary_data(summary)})


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


def _line(data: dict[str, object]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
