"""``--json``: one JSON object a line; a line per finished step and per passage that ended, and the
summary last.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.core.expressions.calendar import iso
from engine.enrollments.summary_data import summary_data

if TYPE_CHECKING:
    from engine.core.interpreter.state import Execution, Passage
    from engine.enrollments.summary import Summary


def step_line(passage: Passage, execution: Execution) -> str:
    """A finished step; ``at`` is when it was over, ISO 8601 in UTC."""
    return _line(
        {
            "type": "step",
            "user": passage.user.id,
            "journey": passage.program.name,
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


def passage_line(passage: Passage, outcome: str, at: int) -> str:
    """A passage that ended with ``outcome`` at the instant ``at`` (microseconds UTC)."""
    return _line(
        {
            "type": "passage",
            "user": passage.user.id,
            "journey": passage.program.name,
            "key": passage.key,
            "entered_at": iso(passage.entered_at),
            "outcome": outcome,
            "at": iso(at),
        }
    )


def summary_line(summary: Summary) -> str:
    """What became of everybody."""
    return _line({"type": "summary", **summary_data(summary)})


def _line(data: dict[str, object]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
