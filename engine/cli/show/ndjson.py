"""``--json``: one JSON object a line; a line per finished step, and the summary last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.cli.show.moments import iso

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


def summary_data(summary: Summary) -> dict[str, object]:
    """The summary as JSON has it."""
    calls = summary.calls
    goals = {
        name: {"met": one.met, "held_out": one.held_out} for name, one in summary.goals.items()
    }
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
        **({"goals": goals} if goals else {}),
        "steps": {
            name: {
                "entered": tally.entered,
                "succeeded": tally.succeeded,
                "failed": tally.failed,
                "skipped": tally.skipped,
                "waiting": tally.waiting,
            }
            for name, tally in summary.steps.items()
        },
    }


def _line(data: dict[str, object]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
