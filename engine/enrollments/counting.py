"""What a turn counts of passages: collected one by one, counted as a set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING

from engine.enrollments import store
from engine.enrollments.rows import STATUS

if TYPE_CHECKING:
    from engine.enrollments.store import Changes

_KINDS = {
    STATUS["succeeded"]: store.SUCCEEDED,
    STATUS["failed"]: store.FAILED,
    STATUS["skipped"]: store.SKIPPED,
}
_COUNTED = itemgetter(2, 5, 6, 9, 10)
"""Of an execution's row: step, status, failure, attempts, arm."""


@dataclass(slots=True)
class Counting:
    """Of passages through one version in one run: the steps they reached, their executions' rows,
    and what else became of them (kind and name).
    """

    run_id: int
    version_id: int
    reached: list[int] = field(default_factory=list)
    executions: list[tuple[object, ...]] = field(default_factory=list)
    others: list[tuple[int, str]] = field(default_factory=list)

    def close(self, changes: Changes) -> None:
        """Add the rows and all counts."""
        place = self.run_id, self.version_id
        for step, n in Counter(self.reached).items():
            changes.count((*place, step, store.ENTERED, ""), n)
        executions = Counter(map(_COUNTED, self.executions))
        for (step, status, failure, attempts, arm), n in executions.items():
            changes.count((*place, step, _KINDS[status], failure or ""), n, n * attempts)
            if arm is not None:
                changes.count((*place, step, store.ARM, arm), n)
        for (kind, name), n in Counter(self.others).items():
            changes.count((*place, -1, kind, name), n)
        changes.executions += self.executions
